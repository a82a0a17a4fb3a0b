"""Paths that a job could get from the container, and how a fix takes them from there."""

from __future__ import annotations

import ast
import posixpath
from typing import TYPE_CHECKING

from pytest_sagemaker.lint.edits import add_import, in_f_string, replace, set_keyword

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_sagemaker.finding import Edit
    from pytest_sagemaker.lint.facts.leaves import Leaf
    from pytest_sagemaker.lint.module import Module

_JOINS = ("os.path.join", "pathlib.Path")


def variable_or(variable: str, path: str, *, is_file: bool) -> str:
    """An expression for `path`: in the variable's folder where that is set, else where it was.

    Of the path of a file the name is kept: `data/train.csv` is `train.csv` in the variable's folder.
    """
    folder, name = posixpath.split(path) if is_file else (path, "")
    read = f'os.environ.get("{variable}", "{folder or "."}")'
    return f'os.path.join({read}, "{name}")' if name else read


def can_be_sent(module: Module, roots: list[tuple[Leaf, ...]]) -> bool:
    """Whether a path begins with an argument that a hyperparameter can set."""
    sendable = {argument.node for argument in module.arguments if not argument.positional}
    return any(leaf.node in sendable for root in roots for leaf in root)


def take_variable(module: Module, paths: Iterable[tuple[ast.expr, bool]], variable: str) -> tuple[Edit, ...]:
    """Edits that let paths begin with a variable: in an argparse default, or in the text itself.

    Each path comes with whether it is a file's. Nothing where one of them begins with neither, nor where they
    lie in different folders.
    """
    found = [_taken(module, path, variable, is_file) for path, is_file in paths]
    edits = dict.fromkeys(edit for _, edit in found if edit is not None)
    if any(edit is None for _, edit in found) or len({folder for folder, _ in found}) != 1:
        return ()
    return (*edits, *add_import(module, "import os"))


def _taken(module: Module, path: ast.expr, variable: str, is_file: bool) -> tuple[str, Edit | None]:
    """The folder that a path has now, and the edit that replaces it."""
    first, whole = _first(module, path)
    is_file = is_file and whole
    for value in module.flow.origins(first):
        node = value.node
        if not isinstance(node, ast.expr):
            continue
        argument = module.namespaces.argument(node)
        written = argument.default if argument is not None else node
        text = _plain_text(written)
        if text is None or in_f_string(module, node):
            continue
        taken = variable_or(variable, text, is_file=is_file)
        folder = posixpath.dirname(text) if is_file else text
        if argument is not None:
            return folder, set_keyword(module, argument.node, "default", taken)
        return folder, replace(module, node, taken)
    return "", None


def _plain_text(node: ast.AST | None) -> str | None:
    """The text of a literal that can be written between double quotes as it is."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and not set(node.value) & set('"\\\n'):
        return node.value
    return None


def _first(module: Module, path: ast.expr) -> tuple[ast.expr, bool]:
    """What a path begins with, and whether that is the whole of it."""
    whole = True
    while True:
        if isinstance(path, ast.BinOp) and isinstance(path.op, ast.Div):
            path, whole = path.left, False
        elif isinstance(path, ast.Call) and path.args and module.name(path.func) in _JOINS:
            whole = whole and len(path.args) == 1
            path = path.args[0]
        else:
            return path, whole
