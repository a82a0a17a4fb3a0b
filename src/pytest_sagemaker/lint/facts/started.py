"""The functions that may run when a script is started: everything that the module level can come to."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_sagemaker.lint.facts.tree import FunctionNode, Tree

_BY_NAME = ("globals", "eval", "exec", "fire.Fire", "runpy.run_module")
"""Calls that can find a function by its name in a text: then nothing can be ruled out."""

_HARMLESS = ("torch.", "functools.", "contextlib.", "staticmethod", "classmethod", "property", "typing.")
"""Decorators that hand the function to nobody."""


def started(tree: Tree) -> frozenset[FunctionNode]:
    """Every function that the module level mentions, or that such a function mentions, and so on.

    Rather too many than too few: a mention counts as a call, of any function or method of that name; a class
    that is mentioned may run all its methods; a decorator may register what it decorates.
    """
    if tree.calls(*_BY_NAME) or "__all__" in {node.id for node in tree.all(ast.Name)}:
        return frozenset(tree.function_nodes)
    mentioned = _mentions(tree)
    found: set[FunctionNode] = set()
    todo = [*mentioned.get(None, ()), *(node for node in tree.function_nodes if _is_registered(tree, node))]
    while todo:
        function = todo.pop()
        if function not in found:
            found.add(function)
            todo += mentioned.get(function, ())
    return frozenset(found)


def _mentions(tree: Tree) -> dict[FunctionNode | None, list[FunctionNode]]:
    """Which functions the body of each function mentions; None is the module level."""
    named: dict[str, list[FunctionNode]] = {}
    for function in tree.function_nodes:
        named.setdefault(function.name, []).append(function)
        owner = tree.parents[function]
        if isinstance(owner, ast.ClassDef):
            named.setdefault(owner.name, []).append(function)
    found: dict[FunctionNode | None, list[FunctionNode]] = {}
    for node in [*tree.all(ast.Name), *tree.all(ast.Attribute)]:
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        if name in named:
            found.setdefault(tree.function(node), []).extend(named[name])
    return found


def _is_registered(tree: Tree, function: FunctionNode) -> bool:
    for decorator in function.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if not tree.name(called).startswith(_HARMLESS):
            return True
    return False
