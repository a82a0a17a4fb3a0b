"""The hyperparameters that a script declares with argparse, and where its namespace is read."""

from __future__ import annotations

import ast
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pytest_sagemaker.lint.facts.flow import Flow
    from pytest_sagemaker.lint.facts.tree import Tree

BOOL_PARSER = 'lambda text: str(text).lower() in ("true", "1", "yes", "y", "on")'
"""What fixes write as the `type` of a yes-or-no option: it reads `True` (toolkit), `true` (ModelTrainer)."""

PARSES = ("parse_args", "parse_known_args", "parse_intermixed_args")


class Argument(NamedTuple):
    """One `add_argument` call: `type`, `default`, `action` and `nargs` are expressions, None if absent."""

    node: ast.Call
    flags: tuple[str, ...]
    dest: str
    type: ast.expr | None = None
    default: ast.expr | None = None
    action: ast.expr | None = None
    nargs: ast.expr | None = None
    required: bool = False

    @property
    def positional(self) -> bool:
        """Declared without a leading dash: SageMaker cannot give it."""
        return not self.flags[0].startswith("-")

    @property
    def action_name(self) -> str:
        """The action where it is a literal, else empty."""
        return str(self.action.value) if isinstance(self.action, ast.Constant) else ""


def arguments(tree: Tree) -> tuple[Argument, ...]:
    """Every argument declared with literal flags, on parsers, groups and subparsers, in document order."""
    found = []
    for call in tree.method_calls("add_argument"):
        flags = tuple(
            arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
        )
        if not flags or len(flags) != len(call.args):
            continue
        given = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
        named = given.get("dest")
        required = given.get("required")
        found.append(
            Argument(
                node=call,
                flags=flags,
                dest=str(named.value) if isinstance(named, ast.Constant) else _dest(flags),
                type=given.get("type"),
                default=given.get("default"),
                action=given.get("action"),
                nargs=given.get("nargs"),
                required=isinstance(required, ast.Constant) and required.value is True,
            )
        )
    return tuple(found)


def _dest(flags: tuple[str, ...]) -> str:
    """argparse's own rule: the first long flag, else the first; dashes become underscores."""
    long = next((flag for flag in flags if flag.startswith("--")), flags[0])
    return long.lstrip("-").replace("-", "_")


class Namespaces:
    """Which expressions are a parsed namespace, and which argument `args.x` reads."""

    def __init__(self, tree: Tree, flow: Flow, declared: tuple[Argument, ...]) -> None:
        """`declared` are the arguments of this file."""
        self._tree = tree
        self._flow = flow
        self._by_dest: dict[str, list[Argument]] = {}
        for argument in declared:
            self._by_dest.setdefault(argument.dest, []).append(argument)

    @cached_property
    def assigned(self) -> frozenset[str]:
        """The dests that the script may set itself (`args.x = ...`, setattr): no longer what was parsed."""
        stored = {node.attr for node in self._tree.all(ast.Attribute) if isinstance(node.ctx, ast.Store)}
        named = {
            call.args[1].value
            for call in self._tree.calls("setattr")
            if len(call.args) > 1 and isinstance(call.args[1], ast.Constant)
        }
        return frozenset(dest for dest in self._by_dest if dest in stored or dest in named)

    def argument(self, node: ast.AST) -> Argument | None:
        """The argument that `args.x` reads: the namespace followed to parse_args().

        A parameter that nobody here calls counts when it has an argparse-like name and `x` is declared.
        """
        if not isinstance(node, ast.Attribute) or node.attr not in self._by_dest:
            return None
        for value in self._flow.origins(node.value):
            if isinstance(value.node, ast.arg) and value.node.arg in (
                "args",
                "opt",
                "opts",
                "flags",
                "cfg",
                "config",
            ):
                return self._by_dest[node.attr][-1]
            if self.is_parse(value.node):
                return self._by_dest[node.attr][-1]
        return None

    def declarations(self, dest: str) -> list[Argument]:
        """Every declaration of an argument: one for SageMaker and one for elsewhere, on two parsers."""
        return self._by_dest.get(dest, [])

    def is_parse(self, node: ast.AST | None) -> bool:
        """Whether a node is a call of an argparse parser's parse method."""
        return (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in PARSES
        )

    def reads(self, dest: str) -> list[ast.Attribute]:
        """Every `args.x` of one argument."""
        return [
            node
            for node in self._tree.all(ast.Attribute)
            if node.attr == dest and isinstance(node.ctx, ast.Load) and self.argument(node) is not None
        ]
