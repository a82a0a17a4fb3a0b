"""Where the model dir goes in a script: what may write into it."""

from __future__ import annotations

import ast
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_sagemaker.lint.facts.arguments import PARSES
from pytest_sagemaker.lint.facts.saving import MODEL_DIR

if TYPE_CHECKING:
    from pytest_sagemaker.lint.module import Module

_PATH_CALLS = {"open", "str", "pathlib.Path", "pathlib.PurePath", "os.fspath", "io.open", "gzip.open"}
_PATH_METHODS = {
    "format", "joinpath", "rstrip", "strip", "resolve", "absolute", "expanduser", "as_posix", "open",
}  # fmt: skip
_COMPOSED = (ast.BinOp, ast.JoinedStr, ast.FormattedValue, ast.IfExp, ast.BoolOp, ast.Tuple, ast.List)
_HARMLESS_CALLS = {
    "os.makedirs", "os.mkdir", "os.listdir", "os.walk", "os.scandir", "os.getenv", "os.environ.get",
    "os.environ.setdefault", "print", "len", "isinstance", "bool", "json.load", "json.dumps", "pickle.load",
    "torch.load", "torch.jit.load", "safetensors.torch.load_file", "vars", "glob.glob",
}  # fmt: skip
_HARMLESS_METHODS = {
    "mkdir", "exists", "is_dir", "is_file", "info", "debug", "warning", "error", "log", "add_argument",
    "set_defaults", "startswith", "endswith", "glob", "iterdir", "load_state_dict", "read", *PARSES,
}  # fmt: skip


class ModelDir:
    """Follows SM_MODEL_DIR through a script by the names that hold it, too widely rather than not at all."""

    def __init__(self, module: Module) -> None:
        """Look into `module` on demand."""
        self._module = module

    @cached_property
    def taken(self) -> tuple[ast.expr, ...]:
        """Where the script takes the model dir: reads of SM_MODEL_DIR, the literal path."""
        reads = [read.node for read in self._module.env_reads if read.name == "SM_MODEL_DIR"]
        return (*reads, *(node for node in self._module.tree.all(ast.Constant) if _is_literal(node)))

    @cached_property
    def uses(self) -> tuple[tuple[ast.Call, ast.expr], ...]:
        """The calls that may write into the model dir, each with the argument that holds it.

        Calls of functions of this file are followed, not counted. A call that gets the whole namespace of
        argparse counts: what it reads of it cannot be seen.
        """
        return tuple(
            (call, passed)
            for call in self._module.tree.all(ast.Call)
            if not (self._is_path(call) or self._is_harmless(call) or self._is_followed(call))
            for passed in [*call.args, *(keyword.value for keyword in call.keywords)]
            if any(self._holds(node) or self._is_namespace(node) for node in ast.walk(passed))
        )

    @cached_property
    def lost(self) -> bool:
        """Whether the model dir is put where it is not followed: into a dict, behind a key."""
        inside = [
            *self._module.tree.all(ast.Dict),
            *(
                assign.value
                for assign in self._module.tree.all(ast.Assign)
                if any(isinstance(target, ast.Subscript) for target in assign.targets)
            ),
        ]
        return any(self._holds(node) for outer in inside for node in ast.walk(outer))

    @cached_property
    def _holders(self) -> frozenset[str]:
        """Names, attributes, parameters and functions of this file that can hold the model dir."""
        tree, flow = self._module.tree, self._module.flow
        held = {
            argument.dest for argument in self._module.arguments if self._defaults_to_it(argument.default)
        }
        gives: list[tuple[ast.expr, str]] = []
        for assign in tree.all(ast.Assign):
            gives += [(assign.value, name) for target in assign.targets for name in _names(target)]
        for annotated in tree.all(ast.AnnAssign):
            if annotated.value is not None:
                gives += [(annotated.value, name) for name in _names(annotated.target)]
        for item in tree.all(ast.withitem):
            if item.optional_vars is not None:
                gives += [(item.context_expr, name) for name in _names(item.optional_vars)]
        for back in tree.all(ast.Return):
            function = tree.function(back)
            if back.value is not None and function is not None:
                gives.append((back.value, function.name))
        for call in tree.all(ast.Call):
            local = flow.local_function(call)
            if local is not None:
                for parameter in [*local.args.args, *local.args.kwonlyargs]:
                    passed = flow.argument(call, local, parameter.arg)
                    if passed is not None:
                        gives.append((passed, parameter.arg))
        size = -1
        while size != len(held):
            size = len(held)
            held |= {name for value, name in gives if name not in held and self._carries(value, held)}
        return frozenset(held)

    def _defaults_to_it(self, default: ast.expr | None) -> bool:
        return default is not None and any(node in self.taken for node in ast.walk(default))

    def _carries(self, node: ast.expr, held: set[str]) -> bool:
        """Whether an expression is a path made of something that holds the model dir."""
        if node in self.taken:
            return True
        if isinstance(node, ast.Name):
            return node.id in held
        if isinstance(node, ast.Attribute):
            return node.attr in held or (node.attr == "parent" and self._carries(node.value, held))
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in held:
                return True
            inner = [*node.args, node.func.value] if isinstance(node.func, ast.Attribute) else node.args
            return self._is_path(node) and any(self._carries(part, held) for part in inner)
        if isinstance(node, _COMPOSED):
            parts = [part for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr)]
            return any(self._carries(part, held) for part in parts)
        return False

    def _holds(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Call):  # of a function of this file that returns it
            return isinstance(node.func, ast.Name) and node.func.id in self._holders
        return (
            node in self.taken
            or (isinstance(node, ast.Name) and node.id in self._holders)
            or (isinstance(node, ast.Attribute) and node.attr in self._holders)
        )

    @cached_property
    def _namespace_names(self) -> frozenset[str]:
        found: set[str] = set()
        for assign in self._module.tree.all(ast.Assign):
            if self._module.namespaces.is_parse(assign.value):
                found.update(name for target in assign.targets for name in _names(target))
        return frozenset(found)

    def _is_namespace(self, node: ast.AST) -> bool:
        """Whether a node is `args` as a whole."""
        if not (isinstance(node, ast.Name) and node.id in self._namespace_names):
            return False
        return not isinstance(self._module.tree.parents.get(node), ast.Attribute)

    def _is_followed(self, call: ast.Call) -> bool:
        """Whether a call is of a function of this file whose parameters show what it is given."""
        local = self._module.flow.local_function(call)
        return local is not None and local.args.vararg is None and local.args.kwarg is None

    def _is_path(self, call: ast.Call) -> bool:
        name = self._module.name(call.func)
        if name:
            return name in _PATH_CALLS or name.startswith("os.path.")
        return isinstance(call.func, ast.Attribute) and call.func.attr in _PATH_METHODS

    def _is_harmless(self, call: ast.Call) -> bool:
        name = self._module.name(call.func)
        method = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        return name in _HARMLESS_CALLS or method in _HARMLESS_METHODS


def _is_literal(node: ast.Constant) -> bool:
    text = node.value
    return isinstance(text, str) and (text == MODEL_DIR or text.startswith(f"{MODEL_DIR}/"))


def _names(target: ast.expr) -> list[str]:
    """The names and attributes that an assignment binds."""
    if isinstance(target, (ast.Tuple, ast.List)):
        return [name for element in target.elts for name in _names(element)]
    if isinstance(target, ast.Name):
        return [target.id]
    return [target.attr] if isinstance(target, ast.Attribute) else []
