"""Which assignments can give a name its value at a place in the script."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_sagemaker.lint.facts.tree import Scope, Tree


class Binding(NamedTuple):
    """One way a name gets its value. `value` is None where the value cannot be read off (a loop).

    `item` is the position in `value` when a tuple is unpacked. `parameter` is set for a function's own. The
    target of a `with` is bound to the context manager itself: what files and most others enter as.
    """

    value: ast.expr | None = None
    item: int | None = None
    parameter: ast.arg | None = None


UNKNOWN = Binding()


class Bindings:
    """The bindings of every scope, searched backwards from the place of use."""

    def __init__(self, tree: Tree) -> None:
        """Look into `tree` on demand."""
        self._tree = tree
        self._names: dict[Scope, frozenset[str]] = {}
        self._reaching: dict[tuple[str, Scope, ast.stmt | None], list[Binding]] = {}

    def reaching(self, name: str, at: ast.AST) -> list[Binding]:
        """The bindings that can reach `name` at `at`; empty for builtins, imports and names never bound."""
        home = owner = self._tree.scope(at)
        while name not in self._bound(owner):
            if isinstance(owner, ast.Module):
                return []
            owner = self._tree.scope(owner)
            while isinstance(owner, ast.ClassDef):  # a method does not see its class's names
                owner = self._tree.scope(owner)
        elsewhere = isinstance(owner, ast.Lambda) or owner is not home
        statement = None if elsewhere else self._tree.statement(at)
        key = (name, owner, statement)
        if key not in self._reaching:
            self._reaching[key] = (
                [*_parameters(owner, name), *self._anywhere(owner, name)]
                if statement is None
                else self._backwards(name, statement, owner)
            )
        return self._reaching[key]

    def _bound(self, scope: Scope) -> frozenset[str]:
        """Names bound in a scope, `global` and `nonlocal` ones aside."""
        if scope not in self._names:
            bound: set[str] = set()
            outer: set[str] = set()
            for node in _own_nodes(scope):
                if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                    bound.add(node.id)
                elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                    bound.add(node.name)
                elif isinstance(node, ast.arg):
                    bound.add(node.arg)
                elif isinstance(node, (ast.Global, ast.Nonlocal)):
                    outer.update(node.names)
                elif isinstance(node, ast.ExceptHandler) and node.name:
                    bound.add(node.name)
            self._names[scope] = frozenset(bound - outer)
        return self._names[scope]

    def _anywhere(self, scope: Scope, name: str) -> list[Binding]:
        """Every binding of a name in a scope, for a use that runs at an unknown time.

        Assignments through `global` elsewhere count for the module.
        """
        body = [] if isinstance(scope, ast.Lambda) else scope.body
        found, _ = _block(body, name)
        if isinstance(scope, ast.Module) and any(name in node.names for node in self._tree.all(ast.Global)):
            found.append(UNKNOWN)
        return found

    def _backwards(self, name: str, statement: ast.stmt, scope: Scope) -> list[Binding]:
        found: list[Binding] = []
        node: ast.AST = statement
        while node is not scope:
            parent = self._tree.parents[node]
            for block in _blocks(parent):
                if node in block:
                    earlier = block[: block.index(node)]
                    bound, definite = _block_backwards(earlier, name)
                    found += bound
                    if definite:
                        return found
            if isinstance(parent, (ast.For, ast.AsyncFor, ast.While)):
                found += _block(parent.body, name)[0]  # an earlier round of the loop
            bound, definite = _header(parent, name)
            found += bound
            if definite:
                return found
            node = parent
        found += _parameters(scope, name)
        if not found:  # used above every binding: a module-level function defined below, a loop
            return self._anywhere(scope, name)
        return found


def _own_nodes(scope: Scope) -> Iterator[ast.AST]:
    """The nodes of a scope without those of the scopes within it."""
    if isinstance(scope, ast.Lambda):
        yield from ast.walk(scope.args)
        return
    stack: list[ast.AST] = list(scope.body)
    if isinstance(scope, (ast.FunctionDef, ast.AsyncFunctionDef)):
        yield from (node for node in ast.walk(scope.args) if isinstance(node, ast.arg))
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            stack.extend(ast.iter_child_nodes(node))


def _parameters(scope: Scope, name: str) -> list[Binding]:
    if not isinstance(scope, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
        return []
    args = scope.args
    named = [*args.posonlyargs, *args.args, *args.kwonlyargs]
    if any(arg.arg == name for arg in (args.vararg, args.kwarg) if arg):
        return [UNKNOWN]
    return [Binding(parameter=arg) for arg in named if arg.arg == name]


def _blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """The statement lists of a node."""
    for field in ("body", "orelse", "finalbody"):
        block = getattr(node, field, None)
        if isinstance(block, list):
            yield block


def _block(body: Sequence[ast.stmt], name: str) -> tuple[list[Binding], bool]:
    """Every binding of a name in a block, and whether one of them always happens."""
    found: list[Binding] = []
    definite = False
    for statement in body:
        bound, sure = _statement(statement, name)
        found += bound
        definite = definite or sure
    return found, definite


def _block_backwards(body: Sequence[ast.stmt], name: str) -> tuple[list[Binding], bool]:
    """The bindings that hold at the end of a block: those before a definite one are gone."""
    found: list[Binding] = []
    for statement in reversed(body):
        bound, definite = _statement(statement, name)
        found += bound
        if definite:
            return found, True
    return found, False


def _header(node: ast.AST, name: str) -> tuple[list[Binding], bool]:
    """What the head of a compound statement binds for its body."""
    if isinstance(node, (ast.For, ast.AsyncFor)) and _targets(node.target, name):
        return [UNKNOWN], True
    if isinstance(node, (ast.With, ast.AsyncWith)):
        for item in node.items:
            if item.optional_vars is not None and _targets(item.optional_vars, name):
                return _assigned(item.optional_vars, item.context_expr, name), True
    if isinstance(node, ast.ExceptHandler) and node.name == name:
        return [UNKNOWN], True
    return [], False


def _statement(node: ast.stmt, name: str) -> tuple[list[Binding], bool]:
    """What one statement binds, and whether it always does."""
    if isinstance(node, ast.Assign):
        bound = [binding for target in node.targets for binding in _assigned(target, node.value, name)]
        return bound, bool(bound)
    if isinstance(node, ast.AnnAssign):
        bound = _assigned(node.target, node.value, name) if node.value else []
        return bound, bool(bound)
    if isinstance(node, ast.AugAssign) and _targets(node.target, name):
        return [Binding(node.value), UNKNOWN], False
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return ([UNKNOWN], True) if node.name == name else ([], False)
    if isinstance(
        node, (ast.If, ast.Try, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Match)
    ):
        return _compound(node, name)
    return [Binding(inner.value) for inner in _walruses(node) if inner.target.id == name], False


def _walruses(statement: ast.stmt) -> list[ast.NamedExpr]:
    """Every `name := value` of a statement, kept on it: each name that is looked up asks again."""
    kept: dict[str, list[ast.NamedExpr]] = statement.__dict__
    if "_walruses" not in kept:
        kept["_walruses"] = [node for node in ast.walk(statement) if isinstance(node, ast.NamedExpr)]
    return kept["_walruses"]


def _compound(node: ast.stmt, name: str) -> tuple[list[Binding], bool]:
    if isinstance(node, ast.If):
        branches = [node.body, node.orelse]
        sure = True
    elif isinstance(node, ast.Try):
        branches = [[*node.body, *node.orelse], *(handler.body for handler in node.handlers)]
        sure = True
        if node.finalbody:
            branches.append(node.finalbody)
            sure = False
    elif isinstance(node, (ast.With, ast.AsyncWith)):
        branches = [node.body]
        sure = True
    elif isinstance(node, ast.Match):
        branches = [case.body for case in node.cases]
        sure = False
    else:
        branches = list(_blocks(node))
        sure = False
    found, _ = _header(node, name)
    for branch in branches:
        bound, definite = _block_backwards(branch, name)
        found += bound
        sure = sure and (definite or _ends(branch))
    return found, sure and bool(found)


def _ends(body: Sequence[ast.stmt]) -> bool:
    """Whether a block never reaches what follows it."""
    return bool(body) and isinstance(body[-1], (ast.Return, ast.Raise, ast.Continue, ast.Break))


def _targets(target: ast.expr, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(target))


def _assigned(target: ast.expr, value: ast.expr, name: str) -> list[Binding]:
    """What `target = value` gives to a name, through tuples."""
    if isinstance(target, ast.Name):
        return [Binding(value)] if target.id == name else []
    if not isinstance(target, (ast.Tuple, ast.List)) or not _targets(target, name):
        return []
    if any(isinstance(element, ast.Starred) for element in target.elts):
        return [UNKNOWN]
    found: list[Binding] = []
    for position, element in enumerate(target.elts):
        if isinstance(value, (ast.Tuple, ast.List)) and len(value.elts) == len(target.elts):
            found += _assigned(element, value.elts[position], name)
        elif isinstance(element, ast.Name) and element.id == name:
            found.append(Binding(value, item=position))
        elif _targets(element, name):
            found.append(UNKNOWN)
    return found
