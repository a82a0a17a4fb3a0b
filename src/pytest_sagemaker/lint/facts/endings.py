"""Whether a block of code can run to its end without a return or an error."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_sagemaker.lint.facts.flow import Flow
    from pytest_sagemaker.lint.facts.tree import Tree

_EXITS = {"sys.exit", "exit", "quit", "os._exit", "os.abort"}
_MAY_RAISE = ("raise", "fail", "abort", "exit", "die")


def falls_through(body: Sequence[ast.stmt], tree: Tree, flow: Flow) -> bool:
    """Whether a function with this body can end without a return; a loop that holds one counts as one."""
    return not any(_stops(statement, statement is body[-1], tree, flow) for statement in body)


def _stops(node: ast.stmt, last: bool, tree: Tree, flow: Flow) -> bool:
    """Whether nothing runs after a statement, or whether that cannot be told."""
    if isinstance(node, (ast.Return, ast.Raise, ast.Match)):
        return True
    if isinstance(node, ast.If) and last and not node.orelse:  # a chain of cases that may well be complete
        return any(isinstance(inner, ast.Return) for inner in ast.walk(node))
    if isinstance(node, ast.If):
        return all(bool(block) and not falls_through(block, tree, flow) for block in (node.body, node.orelse))
    if isinstance(node, (ast.With, ast.AsyncWith)):
        return not falls_through(node.body, tree, flow)
    if type(node).__name__ in ("Try", "TryStar"):  # the latter is Python 3.11's, with the same fields
        node = cast("ast.Try", node)
        blocks = [[*node.body, *node.orelse], *(handler.body for handler in node.handlers)]
        final = bool(node.finalbody) and not falls_through(node.finalbody, tree, flow)
        return final or all(not falls_through(block, tree, flow) for block in blocks)
    if isinstance(node, (ast.For, ast.AsyncFor, ast.While)):
        return any(isinstance(inner, ast.Return) for inner in ast.walk(node))
    if isinstance(node, ast.Assert):
        return isinstance(node.test, ast.Constant) and not node.test.value
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _ends(node.value, tree, flow)


def _ends(call: ast.Call, tree: Tree, flow: Flow) -> bool:
    """Whether a call never comes back: an exit, or a function of this file that ends in a raise."""
    local = flow.local_function(call)
    if local is not None:
        return isinstance(local.body[-1], ast.Raise)
    if tree.name(call.func) in _EXITS:
        return True
    unknown = isinstance(call.func, ast.Name)
    return unknown and any(word in ast.unparse(call.func).lower() for word in _MAY_RAISE)
