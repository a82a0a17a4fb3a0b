"""What a call passes by keyword, `**kwargs` followed through dictionaries, updates and callers."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_sagemaker.lint.facts.flow import Flow
    from pytest_sagemaker.lint.facts.tree import FunctionNode, Tree


class Keywords:
    """The values that each keyword can have. Not `complete` where something else may be passed too."""

    def __init__(self) -> None:
        self.values: dict[str, list[ast.expr]] = {}
        self.complete = True

    def add(self, name: str, value: ast.expr) -> None:
        """One more value of a keyword."""
        self.values.setdefault(name, []).append(value)


def keywords(tree: Tree, flow: Flow, call: ast.Call) -> Keywords:
    """The keywords of a call."""
    return _Reader(tree, flow).read(call)


class _Reader:
    def __init__(self, tree: Tree, flow: Flow) -> None:
        self._tree = tree
        self._flow = flow
        self._found = Keywords()
        self._seen: set[tuple[ast.AST, str]] = set()

    def read(self, call: ast.Call) -> Keywords:
        self._passed(call, ())
        return self._found

    def _passed(self, call: ast.Call, taken: tuple[str, ...]) -> None:
        """The keywords of a call, but for those that a parameter of what is called takes."""
        for keyword in call.keywords:
            if keyword.arg is None:
                self._mapping(keyword.value)
            elif keyword.arg not in taken:
                self._found.add(keyword.arg, keyword.value)

    def _mapping(self, node: ast.expr) -> None:
        """The keys and values of a dictionary."""
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if key is None:
                    self._mapping(value)
                elif isinstance(key, ast.Constant) and isinstance(key.value, str):
                    self._found.add(key.value, value)
                else:
                    self._found.complete = False
        elif isinstance(node, ast.Call) and self._tree.name(node.func) == "dict":
            self._passed(node, ())
            for positional in node.args:
                self._mapping(positional)
        elif isinstance(node, ast.IfExp):
            self._mapping(node.body)
            self._mapping(node.orelse)
        elif isinstance(node, ast.Name):
            self._name(node)
        else:
            self._found.complete = False

    def _name(self, node: ast.Name) -> None:
        function = self._tree.function(node)
        if (self._tree.scope(node), node.id) in self._seen:
            return
        self._seen.add((self._tree.scope(node), node.id))
        self._changes(node, function)
        if function and function.args.kwarg and function.args.kwarg.arg == node.id:
            self._callers(function)
            return
        bindings = self._flow.bindings.reaching(node.id, node)
        if not bindings:
            self._found.complete = False
        for binding in bindings:
            if binding.parameter is not None and function:
                calls = self._flow.calls_to(function)
                passed = [self._flow.argument(call, function, node.id) for call in calls]
            else:
                passed = [binding.value]
            for value in passed or [None]:
                if value is None or binding.item is not None:
                    self._found.complete = False
                else:
                    self._mapping(value)

    def _callers(self, function: FunctionNode) -> None:
        spec = function.args
        taken = tuple(arg.arg for arg in [*spec.posonlyargs, *spec.args, *spec.kwonlyargs])
        calls = self._flow.calls_to(function)
        if not calls or self._flow.escapes(function):
            self._found.complete = False
        for call in calls:
            self._passed(call, taken)

    def _changes(self, node: ast.Name, function: FunctionNode | None) -> None:
        """`kwargs["sampler"] = sampler`, `kwargs.update(...)` in the same function."""
        for name in self._tree.references(node.id):
            parent = self._tree.parents[name]
            if self._tree.function(name) is not function:
                continue
            if isinstance(parent, ast.Subscript) and isinstance(parent.ctx, ast.Store):
                assign = self._tree.parents[parent]
                if isinstance(assign, ast.Assign) and isinstance(parent.slice, ast.Constant):
                    self._found.add(str(parent.slice.value), assign.value)
                else:
                    self._found.complete = False
            elif isinstance(parent, ast.Attribute) and parent.attr == "update":
                call = self._tree.parents[parent]
                if isinstance(call, ast.Call):
                    self._passed(call, ())
                    for positional in call.args:
                        self._mapping(positional)
