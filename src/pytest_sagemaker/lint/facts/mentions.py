"""Whether an expression has to do with something, told by the words in it and in what it is made of."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

    from pytest_sagemaker.lint.facts.flow import Flow

DEPTH = 3
"""How many values back: `if save:`, `save = first`, `first = get_rank() == 0` are two."""


def mentions(flow: Flow, node: ast.AST, pattern: re.Pattern[str], depth: int = DEPTH) -> bool:
    """Whether a name, attribute, keyword or string of `node`, or of its origins, matches `pattern`."""
    return _mentions(flow, node, pattern, depth, set())


def _mentions(flow: Flow, node: ast.AST, pattern: re.Pattern[str], depth: int, seen: set[ast.AST]) -> bool:
    if node in seen:
        return False
    seen.add(node)
    parts = list(ast.walk(node))
    if any(pattern.search(word) for part in parts if (word := _word(part))):
        return True
    if depth == 0:
        return False
    return any(
        _mentions(flow, source, pattern, depth - 1, seen) for part in parts for source in _sources(flow, part)
    )


def _sources(flow: Flow, node: ast.AST) -> Iterator[ast.AST]:
    """What gives a name, attribute or call its value, and the tests that decide about it."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        for binding in flow.bindings.reaching(node.id, node):
            if binding.value is not None:
                yield binding.value
                yield from _tests(flow, binding.value)
    if isinstance(node, (ast.Name, ast.Attribute)) and not isinstance(node.ctx, ast.Load):
        return
    if isinstance(node, (ast.Name, ast.Attribute, ast.Call)):
        yield from (value.node for value in flow.origins(node) if value.node is not None)


def _tests(flow: Flow, node: ast.AST) -> list[ast.expr]:
    home = flow.tree.function(node)
    return [
        outer.test
        for outer in flow.tree.ancestors(node)
        if isinstance(outer, ast.If) and flow.tree.function(outer) is home
    ]


def _word(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, (ast.arg, ast.keyword)):
        return node.arg or ""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return ""
