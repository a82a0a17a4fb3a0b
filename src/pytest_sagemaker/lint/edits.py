"""How fixes write code: edits that leave everything around them as it is."""

from __future__ import annotations

import ast
from itertools import takewhile
from typing import TYPE_CHECKING

from pytest_sagemaker.finding import Edit

if TYPE_CHECKING:
    from ast_grep_py import SgNode

    from pytest_sagemaker.lint.module import Module


def replace(module: Module, node: ast.AST, text: str) -> Edit:
    """Write `text` in place of a node."""
    start, end = module.offsets(node)
    return Edit(start, end, text)


def set_keyword(module: Module, call: ast.Call, name: str, text: str) -> Edit:
    """Give a call the keyword `name=text`: in place of the one it has, else after its last argument."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return replace(module, keyword.value, text)
    brackets = _brackets(module, call)
    inner = [child for child in brackets.children() if child.kind() not in ("(", ")", ",", "comment")]
    if not inner:
        start = brackets.range().start.index + 1
        return Edit(start, start, f"{name}={text}")
    at = inner[-1].range().end.index
    if inner[-1].kind() == "generator_expression" or brackets.kind() == "generator_expression":
        raise ValueError("a bare generator argument takes no keyword beside it")
    return Edit(at, at, f"{_separator(module, inner)}{name}={text}")


def remove_keyword(module: Module, call: ast.Call, name: str) -> Edit:
    """Take the keyword `name` out of a call, with the comma that belongs to it."""
    keyword = next(keyword for keyword in call.keywords if keyword.arg == name)
    start, end = module.offsets(keyword)
    tokens = [child for child in _brackets(module, call).children() if child.kind() != "comment"]
    at = next(index for index, child in enumerate(tokens) if child.range().start.index == start)
    if tokens[at + 1].kind() == "," and tokens[at + 2].kind() != ")":
        end = tokens[at + 2].range().start.index
    elif tokens[at - 1].kind() == ",":
        start = tokens[at - 1].range().start.index
    return Edit(start, end, "")


def insert_before(module: Module, statement: ast.stmt, *lines: str) -> Edit:
    """New lines above a statement, indented like it."""
    start = _line_start(module, statement)
    return Edit(start, start, _indented(module, statement, lines))


def insert_after(module: Module, statement: ast.stmt, *lines: str) -> Edit:
    """New lines below a statement (and below a comment that shares its last line), indented like it."""
    assert statement.end_lineno is not None
    text = module.source.text
    _, end = module.offsets(statement)
    newline = module.source.newline
    while end < len(text) and text[end] not in "\r\n":
        end += 1
    if end == len(text):
        return Edit(end, end, newline + _indented(module, statement, lines).removesuffix(newline))
    end += 2 if text.startswith("\r\n", end) else 1
    return Edit(end, end, _indented(module, statement, lines))


def add_import(module: Module, statement: str) -> tuple[Edit, ...]:
    """`import x` above the first import that is not from `__future__`; nothing where `x` is bound already.

    Without imports it goes below the docstring and the `__future__` ones.
    """
    name = statement.split()[-1]
    if module.tree.imports.get(name) == name and any(
        node in module.tree.root.body
        for node in module.tree.all(ast.Import)
        if any(a.name == name for a in node.names)
    ):
        return ()
    body = module.tree.root.body
    for node in body:
        if isinstance(node, (ast.Import, ast.ImportFrom)) and not _is_prologue(node):
            return (insert_before(module, node, statement),)
    prologue = list(takewhile(_is_prologue, body))
    if prologue:
        return (insert_after(module, prologue[-1], statement),)
    return (insert_before(module, body[0], statement),)


def _is_prologue(node: ast.stmt) -> bool:
    """Whether a statement must stay above imports: the docstring, `from __future__`."""
    if isinstance(node, ast.ImportFrom):
        return node.module == "__future__"
    constant = node.value if isinstance(node, ast.Expr) else None
    return isinstance(constant, ast.Constant) and isinstance(constant.value, str)


def in_f_string(module: Module, node: ast.AST) -> bool:
    """Whether a node stands in an f-string, where new quotes may end it (before Python 3.12)."""
    return any(isinstance(outer, ast.JoinedStr) for outer in module.tree.ancestors(node))


def indent_of(module: Module, statement: ast.stmt) -> str:
    """The white space before a statement."""
    start, _ = module.offsets(statement)
    return module.source.text[_line_start(module, statement) : start]


def _line_start(module: Module, statement: ast.stmt) -> int:
    first = statement
    line = min([first.lineno, *(d.lineno for d in getattr(first, "decorator_list", []))])
    return module.source.offset(line, 0)


def _indented(module: Module, statement: ast.stmt, lines: tuple[str, ...]) -> str:
    indent, newline = indent_of(module, statement), module.source.newline
    return "".join(f"{indent}{line}{newline}" if line else newline for line in lines)


def _brackets(module: Module, call: ast.Call) -> SgNode:
    """The argument list of a call, brackets included, in the concrete tree."""
    _, end = module.offsets(call)
    for found in module.source.root.find_all(
        any=[{"kind": "argument_list"}, {"kind": "generator_expression"}]
    ):
        span = found.range()
        parent = found.parent()
        if (
            span.end.index == end
            and parent is not None
            and parent.range().start.index == module.offsets(call)[0]
        ):
            return found
    raise ValueError("this call has no argument list of its own")


def _separator(module: Module, arguments: list[SgNode]) -> str:
    """What stands between arguments: a line break where each has its own line."""
    lines = {argument.range().start.line for argument in arguments}
    if len(lines) < len(arguments) or len(arguments) == 1:
        return ", "
    last = arguments[-1].range().start
    start = last.index - last.column
    return "," + module.source.newline + module.source.text[start : last.index]
