"""What a string or path is made of: the constants, variables, arguments and calls that flow into it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_sagemaker.lint.facts.arguments import Argument, Namespaces
    from pytest_sagemaker.lint.facts.environment import EnvRead
    from pytest_sagemaker.lint.facts.flow import Flow
    from pytest_sagemaker.lint.facts.tree import Tree

Kind = Literal["constant", "env", "argument", "parameter", "file", "call", "unknown"]

_THROUGH = {
    "os.path.join", "os.path.abspath", "os.path.expanduser", "os.path.realpath", "os.path.normpath",
    "os.path.dirname", "os.path.basename", "os.fspath", "pathlib.Path", "pathlib.PurePath",
    "pathlib.PosixPath", "str", "json.loads", "int", "float", "bool", "list", "sorted", "enumerate",
}  # fmt: skip
"""Calls whose result is made of their arguments and nothing else."""

_OPENS = {"open", "io.open", "gzip.open"}
"""Calls whose result is made of their first argument: what follows is the mode."""

_METHODS = {
    "format", "joinpath", "strip", "rstrip", "lstrip", "replace", "resolve", "absolute",
    "expanduser", "as_posix", "with_suffix", "with_name", "lower", "upper", "join", "split",
    "glob", "iterdir", "rglob", "encode",
}  # fmt: skip
"""Methods whose result is made of their object and their arguments."""


class Leaf(NamedTuple):
    """One thing that a value is made of.

    `text` is the constant, the variable's name, the argument's dest, the parameter as `function.name`, or
    the full name of the call. `file` is `__file__`. `unknown` means that something else may be in it too.
    """

    kind: Kind
    text: str = ""
    node: ast.AST | None = None


class Leaves:
    """Takes values apart."""

    def __init__(
        self, tree: Tree, flow: Flow, namespaces: Namespaces, reads: Mapping[ast.AST, EnvRead]
    ) -> None:
        """`reads` are the reads of variables by their node."""
        self._tree = tree
        self._flow = flow
        self._namespaces = namespaces
        self._reads = reads
        self._cache: dict[tuple[ast.expr, tuple[ast.Call, ...]], tuple[Leaf, ...]] = {}

    def of(self, node: ast.expr, frame: tuple[ast.Call, ...] = ()) -> tuple[Leaf, ...]:
        """Every leaf of an expression; an argument gives itself and the leaves of its default."""
        key = (node, frame)
        if key not in self._cache:
            self._cache[key] = (Leaf("unknown"),)  # what a loop finds when it comes back here
            self._cache[key] = tuple(dict.fromkeys(self._of(node, frame)))
        return self._cache[key]

    def _of(self, node: ast.expr, frame: tuple[ast.Call, ...]) -> Iterator[Leaf]:
        for value in self._flow.origins(node, frame):
            if isinstance(value.node, ast.arg):
                owner = self._tree.function(value.node)
                yield Leaf("parameter", f"{owner.name if owner else ''}.{value.node.arg}", value.node)
            elif value.node is None:
                yield Leaf("unknown")
            else:
                yield from self._origin(value.node, value.frame)

    def _origin(self, node: ast.expr, frame: tuple[ast.Call, ...]) -> Iterator[Leaf]:
        read = self._reads.get(node)
        if read is not None:
            yield Leaf("env", read.name, node)
            if read.default is not None:
                yield from self.of(read.default, frame)
            return
        argument = self._namespaces.argument(node)
        if argument is not None:
            for declared in self._namespaces.declarations(argument.dest):
                yield from self._argument(declared)
        elif isinstance(node, ast.Constant):
            yield Leaf("constant", str(node.value), node)
        elif isinstance(node, ast.JoinedStr):
            for part in node.values:
                inner = part.value if isinstance(part, ast.FormattedValue) else part
                yield from self.of(inner, frame)
        elif isinstance(node, ast.BinOp):
            yield from self.of(node.left, frame)
            yield from self.of(node.right, frame)
        elif isinstance(node, (ast.Tuple, ast.List)):
            for element in node.elts:
                yield from self.of(element, frame)
        elif isinstance(node, ast.Name):
            yield Leaf("file", "__file__", node) if node.id == "__file__" else Leaf("unknown", node=node)
        elif isinstance(node, ast.Attribute) and node.attr in ("parent", "name", "stem", "parents"):
            yield from self.of(node.value, frame)
        elif isinstance(node, ast.Call):
            yield from self._call(node, frame)
        else:
            yield Leaf("unknown", node=node)

    def _argument(self, argument: Argument) -> Iterator[Leaf]:
        yield Leaf("argument", argument.dest, argument.node)
        if argument.default is not None:
            yield from self.of(argument.default)
        if argument.dest in self._namespaces.assigned:
            yield Leaf("unknown", node=argument.node)

    def _call(self, node: ast.Call, frame: tuple[ast.Call, ...]) -> Iterator[Leaf]:
        name = self._tree.name(node.func)
        parts: list[ast.expr] = []
        if name in _OPENS:
            parts = list(node.args[:1])
        elif isinstance(node.func, ast.Attribute) and node.func.attr == "open" and not name:
            parts = [node.func.value]
        elif name in _THROUGH:
            parts = list(node.args)
        elif (
            isinstance(node.func, ast.Attribute)
            and node.func.attr in _METHODS
            and (not name or name.startswith("str."))
        ):
            parts = [node.func.value, *node.args, *(keyword.value for keyword in node.keywords)]
        else:
            yield Leaf("call", name, node)
            return
        for part in parts:
            yield from self.of(part.value if isinstance(part, ast.Starred) else part, frame)
