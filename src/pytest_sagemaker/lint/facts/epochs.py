"""The loop over epochs around a loop over batches."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_sagemaker.lint.module import Module


def repeats(module: Module, node: ast.AST, depth: int = 0) -> bool:
    """Whether a loop runs again and again: within another loop, or in a function called from one."""
    home = module.tree.function(node)
    if any(
        isinstance(outer, (ast.For, ast.While)) and module.tree.function(outer) is home
        for outer in module.tree.ancestors(node)
    ):
        return True
    if home is None or depth > 4:
        return False
    return any(repeats(module, call, depth + 1) for call in module.flow.calls_to(home))


def loop_over_epochs(module: Module, node: ast.AST, depth: int = 0) -> ast.For | None:
    """The nearest loop over a range around a loop over batches, in a calling function too."""
    home = module.tree.function(node)
    for outer in module.tree.ancestors(node):
        if isinstance(outer, ast.For) and module.tree.function(outer) is home:
            over_range = isinstance(outer.iter, ast.Call) and module.name(outer.iter.func) == "range"
            own_line = outer.body[0].lineno > outer.lineno
            return outer if over_range and own_line else None
    calls = module.flow.calls_to(home) if home is not None and depth < 4 else []
    return loop_over_epochs(module, calls[0], depth + 1) if len(calls) == 1 else None


def rebinds(epochs: ast.For, name: str) -> bool:
    """Whether a loop binds a name or attribute anew."""
    return any(
        (isinstance(node, ast.Name) and node.id == name and not isinstance(node.ctx, ast.Load))
        or (isinstance(node, ast.Attribute) and node.attr == name and not isinstance(node.ctx, ast.Load))
        for node in ast.walk(epochs)
    )
