"""The container's numbers and JSON lists where a script still has them as the text they are."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

from pytest_sagemaker.contract import lookup

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.lint.facts.environment import EnvRead
    from pytest_sagemaker.lint.module import Module

PARSERS = {"int", "float", "bool", "str", "json.loads", "ast.literal_eval", "eval", "yaml.safe_load"}
SPLITTERS = ("list", "dict", "tuple", "set")
"""Types of arguments that take a text apart, or refuse it."""

_NUMERIC = {
    "len", "int", "float", "torch.cuda.device_count", "torch.distributed.get_world_size",
    "torch.distributed.get_rank",
}  # fmt: skip
_COUNTS = ("world_size", "rank", "num_replicas", "num_workers", "nprocs")
"""Keywords that take a number, whatever is called."""

_WALKERS = {"len", "enumerate", "sorted", "list", "set", "tuple", "iter", "reversed"}
_METHODS = ("index", "get", "items", "keys", "values", "append")


class RawUse(NamedTuple):
    """A place that takes a variable's text for a number or a list, and what happens there."""

    read: EnvRead
    node: ast.expr
    says: str


def raw_read(module: Module, node: ast.expr | None) -> EnvRead | None:
    """The read of a number or of JSON whose text an expression is, whatever branch was taken; else None."""
    if node is None:
        return None
    found: EnvRead | None = None
    for value in module.flow.origins(node):
        if not isinstance(value.node, ast.expr) or value.item is not None:
            return None
        read = module.env_read(value.node)
        argument = module.namespaces.argument(value.node)
        if read is None and argument is not None:
            read = _declared_read(module, argument.dest)
        if read is not None and read.how != "toolkit" and kind(read) in ("int", "json"):
            found = read
        elif not isinstance(value.node, ast.Constant):
            return None
    return found


def _declared_read(module: Module, dest: str) -> EnvRead | None:
    """The read whose text an argument is by default, where argparse and the script leave it as it is."""
    declared = module.namespaces.declarations(dest)
    if len(declared) != 1 or dest in module.namespaces.assigned:
        return None
    (argument,) = declared
    plain = argument.type is None or module.name(argument.type) == "str"
    bare = argument.action is None and argument.nargs is None
    return raw_read(module, argument.default) if plain and bare else None


def kind(read: EnvRead) -> str:
    """What the text of a variable holds: `int`, `json`, `path`...; empty for unknown names."""
    variable = lookup(read.name)
    return variable.format if variable else ""


def raw_uses(module: Module) -> Iterator[RawUse]:
    """Every use of such a text as what it is not."""
    if not any(_may_stay_raw(module, read) for read in module.env_reads):
        return
    for compare in module.tree.all(ast.Compare):
        yield from _compared(module, compare)
    for operation in module.tree.all(ast.BinOp):
        yield from _calculated(module, operation)
    for call in module.tree.all(ast.Call):
        yield from _called(module, call)
    for subscript in module.tree.all(ast.Subscript):
        if isinstance(subscript.ctx, ast.Load) and not isinstance(subscript.slice, ast.Slice):
            yield from _json(module, subscript.value, "an index gives one character of it")
    walked = [loop.iter for loop in module.tree.all(ast.For)]
    walked += [loop.iter for loop in module.tree.all(ast.comprehension)]
    for node in walked:
        yield from _json(module, node, "the loop goes over its characters")
    for argument in module.arguments:
        if argument.default is not None and argument.type and module.name(argument.type) in SPLITTERS:
            yield from _json(module, argument.default, f"type={module.name(argument.type)} takes it apart")


def _may_stay_raw(module: Module, read: EnvRead) -> bool:
    """Cheap: whether a read is not at once handed to what parses it."""
    if read.how == "toolkit" or kind(read) not in ("int", "json"):
        return False
    parent = module.tree.parents[read.node]
    return not (isinstance(parent, ast.Call) and module.name(parent.func) in PARSERS)


def _compared(module: Module, compare: ast.Compare) -> Iterator[RawUse]:
    sides = [compare.left, *compare.comparators]
    for left, operator, right in zip(sides, compare.ops, sides[1:], strict=False):
        for text, other in ((left, right), (right, left)):
            if not _is_number(module, other):
                continue
            read = _int(module, text)
            if read is not None and not (_is_sentinel(other) and isinstance(operator, (ast.Eq, ast.NotEq))):
                equal = isinstance(operator, (ast.Eq, ast.NotEq))
                yield RawUse(read, text, "it never equals a number" if equal else "`<` or `>` is a TypeError")


def _calculated(module: Module, operation: ast.BinOp) -> Iterator[RawUse]:
    for text, other in ((operation.left, operation.right), (operation.right, operation.left)):
        if _is_number(module, other):
            read = _int(module, text)
            if read is not None:
                yield RawUse(read, text, "a calculation with it is a TypeError, or repeats the text")


def _called(module: Module, call: ast.Call) -> Iterator[RawUse]:
    name = module.name(call.func)
    if name in ("range", "torch.cuda.set_device") and call.args:
        read = _int(module, call.args[-1])
        if read is not None:
            yield RawUse(read, call.args[-1], f"{name}() needs a number")
    for keyword in call.keywords:
        read = _int(module, keyword.value) if keyword.arg in _COUNTS else None
        if read is not None:
            yield RawUse(read, keyword.value, f"`{keyword.arg}=` needs a number")
    if name in _WALKERS and call.args:
        yield from _json(module, call.args[0], f"{name}() takes its characters")
    if isinstance(call.func, ast.Attribute) and call.func.attr in _METHODS and not name:
        yield from _json(module, call.func.value, f".{call.func.attr}() is not what it is for a list or dict")


def _int(module: Module, node: ast.expr) -> EnvRead | None:
    read = raw_read(module, node)
    return read if read is not None and kind(read) == "int" else None


def _json(module: Module, node: ast.expr, says: str) -> Iterator[RawUse]:
    read = raw_read(module, node)
    if read is not None and kind(read) == "json":
        yield RawUse(read, node, says)


def _is_number(module: Module, node: ast.expr) -> bool:
    """Whether an expression can only be a number."""
    return all(_number(module, value.node) for value in module.flow.origins(node))


def _number(module: Module, node: ast.AST | None) -> bool:
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    if isinstance(node, ast.Constant):
        return isinstance(node.value, (int, float)) and not isinstance(node.value, bool)
    return isinstance(node, ast.Call) and module.name(node.func) in _NUMERIC


def _is_sentinel(node: ast.expr) -> bool:
    """`-1`: the question is whether the variable is there at all."""
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
