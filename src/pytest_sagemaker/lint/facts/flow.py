"""Where a value comes from: followed through names, calls, branches and arguments of the same file."""

from __future__ import annotations

import ast
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from pytest_sagemaker.lint.facts.bindings import UNKNOWN, Bindings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.lint.facts.tree import FunctionNode, Tree

MAX_STEPS = 400
"""A trail longer than this is given up as unknown."""


class Value(NamedTuple):
    """One origin of an expression.

    `node` is the expression where the trail ends, the parameter (`ast.arg`) of a function that nobody in
    this file calls, or None where the trail is lost. `item` is a position in a tuple that `node` makes.
    `frame` are the calls that the trail went into, innermost last: pass it on to follow parts of `node`.
    """

    node: ast.expr | ast.arg | None
    item: int | None = None
    frame: tuple[ast.Call, ...] = ()


LOST = Value(None)


class Flow:
    """Follows values. Every question is bounded: a loop or a long trail ends in LOST."""

    def __init__(self, tree: Tree) -> None:
        """Look into `tree` on demand."""
        self.tree = tree
        self.bindings = Bindings(tree)
        self._steps = 0
        self._cache: dict[tuple[ast.expr, tuple[ast.Call, ...], int | None], tuple[Value, ...]] = {}

    def origins(
        self, node: ast.expr, frame: tuple[ast.Call, ...] = (), item: int | None = None
    ) -> tuple[Value, ...]:
        """Every expression that can have made the value of `node`, without duplicates.

        Forwarding is followed (names, conditional expressions, `or`, parameters to their arguments, calls
        of functions of this file to what they return, `self.x` to its assignments); anything else is an
        origin itself.
        """
        key = (node, frame, item)
        if key not in self._cache:
            self._steps = 0
            self._cache[key] = tuple(dict.fromkeys(self._follow(node, frame, item, frozenset())))
        return self._cache[key]

    def calls_to(self, function: FunctionNode) -> list[ast.Call]:
        """The calls of a function of this file: by its name, or on an object of its class for a method."""
        owner = self.tree.parents[function]
        found = [call for call in self._calls_named(function.name) if self.local_function(call) is function]
        if isinstance(owner, ast.ClassDef) and function.name == "__init__":
            found += [call for call in self._calls_named(owner.name) if isinstance(call.func, ast.Name)]
        return found

    def escapes(self, function: FunctionNode) -> bool:
        """Whether a function is handed on as a value, so that calls of it may stand anywhere."""
        return any(
            not (isinstance(call := self.tree.parents[name], ast.Call) and call.func is name)
            for name in self.tree.references(function.name)
        )

    def local_function(self, call: ast.Call) -> FunctionNode | None:
        """The function of this file that a call runs; None for others."""
        target = call.func
        if isinstance(target, ast.Name) and target.id not in self.tree.imports:
            function = self.tree.functions.get(target.id)
            if function is None:
                function = next((node for node in self._nested(target.id) if self._sees(call, node)), None)
            return function
        if isinstance(target, ast.Attribute) and target.attr in self._method_names:
            return self.tree.methods.get((self._class_of(target.value), target.attr))
        return None

    @cached_property
    def _method_names(self) -> frozenset[str]:
        return frozenset(method for _, method in self.tree.methods)

    def _class_of(self, receiver: ast.expr) -> str:
        """The class of this file that an object is of (`self`, `Trainer(...)`, a name of one), or empty."""
        if isinstance(receiver, ast.Name) and receiver.id in ("self", "cls"):
            outer = (node for node in self.tree.ancestors(receiver) if isinstance(node, ast.ClassDef))
            return next((node.name for node in outer), "")
        made: list[ast.expr | None] = [receiver]
        if isinstance(receiver, ast.Name):
            made = [binding.value for binding in self.bindings.reaching(receiver.id, receiver)]
        classes = {
            value.func.id if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) else ""
            for value in made
        }
        return classes.pop() if len(classes) == 1 else ""

    def argument(self, call: ast.Call, function: FunctionNode, parameter: str) -> ast.expr | None:
        """What a call passes for a parameter, else the default; None where it cannot be told."""
        spec = function.args
        named = [*spec.posonlyargs, *spec.args]
        if isinstance(self.tree.parents[function], ast.ClassDef) and not self._is_static(function):
            named = named[1:]
        for keyword in call.keywords:
            if keyword.arg == parameter:
                return keyword.value
        if any(keyword.arg is None for keyword in call.keywords):
            return None
        positions = {arg.arg: index for index, arg in enumerate(named)}
        if parameter in positions:
            before = call.args[: positions[parameter] + 1]
            if any(isinstance(passed, ast.Starred) for passed in before):
                return None
            if len(before) > positions[parameter]:
                return before[-1]
        return default_of(function, parameter)

    def _follow(
        self, node: ast.expr, frame: tuple[ast.Call, ...], item: int | None, seen: frozenset[object]
    ) -> Iterator[Value]:
        self._steps += 1
        step = (node, frame, item)
        if self._steps > MAX_STEPS or step in seen or len(frame) > 8:
            yield LOST
            return
        seen |= {step}
        if isinstance(node, ast.IfExp):
            yield from self._follow(node.body, frame, item, seen)
            yield from self._follow(node.orelse, frame, item, seen)
        elif isinstance(node, ast.BoolOp):
            for value in node.values:
                yield from self._follow(value, frame, item, seen)
        elif isinstance(node, ast.NamedExpr):
            yield from self._follow(node.value, frame, item, seen)
        elif isinstance(node, ast.Name):
            yield from self._name(node, frame, item, seen)
        elif isinstance(node, ast.Attribute):
            yield from self._attribute(node, frame, item, seen)
        elif isinstance(node, (ast.Tuple, ast.List)) and item is not None and item < len(node.elts):
            yield from self._follow(node.elts[item], frame, None, seen)
        elif isinstance(node, ast.Call) and (function := self.local_function(node)):
            yield from self._returned(node, function, frame, item, seen)
        else:
            yield Value(node, item, frame)

    def _name(
        self, node: ast.Name, frame: tuple[ast.Call, ...], item: int | None, seen: frozenset[object]
    ) -> Iterator[Value]:
        bindings = self.bindings.reaching(node.id, node)
        if not bindings:  # an import, a builtin: an origin of its own
            yield Value(node, item, frame)
        for binding in bindings:
            if binding.parameter is not None:
                yield from self._parameter(binding.parameter, frame, item, seen)
            elif (
                binding is UNKNOWN or binding.value is None or (binding.item is not None and item is not None)
            ):
                yield LOST
            else:
                yield from self._follow(
                    binding.value, frame, item if binding.item is None else binding.item, seen
                )

    def _parameter(
        self, parameter: ast.arg, frame: tuple[ast.Call, ...], item: int | None, seen: frozenset[object]
    ) -> Iterator[Value]:
        owner = self.tree.parents[self.tree.parents[parameter]]
        if isinstance(owner, ast.Lambda) or not isinstance(owner, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield LOST
            return
        if frame and self.local_function(frame[-1]) is owner:
            calls, outer = [frame[-1]], frame[:-1]
        else:
            calls, outer = self.calls_to(owner), ()
            if not calls or self.escapes(owner):
                yield Value(parameter)
        for call in calls:
            passed = self.argument(call, owner, parameter.arg)
            if passed is None:
                yield LOST
            else:
                yield from self._follow(passed, outer, item, seen)

    def _returned(
        self,
        call: ast.Call,
        function: FunctionNode,
        frame: tuple[ast.Call, ...],
        item: int | None,
        seen: frozenset[object],
    ) -> Iterator[Value]:
        returns = [
            node.value
            for node in self.tree.all(ast.Return)
            if node.value is not None and self.tree.function(node) is function
        ]
        if not returns or isinstance(function, ast.AsyncFunctionDef):
            yield LOST
        for value in returns:
            yield from self._follow(value, (*frame, call), item, seen)

    def _attribute(
        self, node: ast.Attribute, frame: tuple[ast.Call, ...], item: int | None, seen: frozenset[object]
    ) -> Iterator[Value]:
        if isinstance(node.value, ast.Name) and node.value.id == "self":
            values = self._attribute_values(node)
            for value in values:
                yield from self._follow(value, (), item, seen)
            if values:
                return
        yield Value(node, item, frame)

    def _attribute_values(self, node: ast.Attribute) -> list[ast.expr]:
        """What the methods of the same class assign to `self.x`."""
        home = next((outer for outer in self.tree.ancestors(node) if isinstance(outer, ast.ClassDef)), None)
        return [
            assign.value
            for assign in self.tree.all(ast.Assign)
            for target in assign.targets
            if isinstance(target, ast.Attribute)
            and target.attr == node.attr
            and isinstance(target.value, ast.Name)
            and target.value.id == "self"
            and home in self.tree.ancestors(assign)
        ]

    def _calls_named(self, name: str) -> list[ast.Call]:
        by_name = [
            parent
            for reference in self.tree.references(name)
            if isinstance(parent := self.tree.parents[reference], ast.Call) and parent.func is reference
        ]
        return by_name + self.tree.method_calls(name)

    def _nested(self, name: str) -> list[FunctionNode]:
        return [node for node in self.tree.function_nodes if node.name == name]

    def _sees(self, call: ast.Call, function: FunctionNode) -> bool:
        """Whether a nested function is in sight of a call."""
        home = self.tree.scope(function)
        return not isinstance(home, ast.ClassDef) and self.tree.inside(call, home)

    def _is_static(self, function: FunctionNode) -> bool:
        return any(self.tree.name(decorator) == "staticmethod" for decorator in function.decorator_list)


def default_of(function: FunctionNode, parameter: str) -> ast.expr | None:
    """The default of a parameter, None where it has none."""
    spec = function.args
    positional = [*spec.posonlyargs, *spec.args]
    defaults: dict[str, ast.expr | None] = dict(
        zip(
            [arg.arg for arg in positional[len(positional) - len(spec.defaults) :]],
            spec.defaults,
            strict=True,
        )
    )
    defaults.update(zip([arg.arg for arg in spec.kwonlyargs], spec.kw_defaults, strict=True))
    return defaults.get(parameter)
