"""Turning prints into records: the same text, through a logger that shows it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from pytest_sagemaker.lint.edits import insert_after, replace
from pytest_sagemaker.lint.facts.logs import ROOT
from pytest_sagemaker.lint.spelling import is_free

if TYPE_CHECKING:
    from pytest_sagemaker.finding import Edit
    from pytest_sagemaker.lint.module import Module


def record(module: Module, call: ast.Call, logger: str) -> Edit | None:
    """A print as `logger.info` with the same text; None where the text could not stay the same."""
    options = {keyword.arg: keyword.value for keyword in call.keywords}
    end, separator = _text(options.pop("end", None), "\n"), _text(options.pop("sep", None), " ")
    if not isinstance(module.tree.parents[call], ast.Expr) or end != "\n" or separator is None:
        return None
    if options.keys() - {"flush"} or any(isinstance(arg, ast.Starred) for arg in call.args):
        return None
    if len(call.args) == 1 and not call.keywords:
        return replace(module, call.func, f"{logger}.info")
    start, stop = module.offsets(call)
    written = module.source.text[start:stop]
    if "#" in written and any(
        start <= comment.range().start.index < stop for comment in module.source.comments
    ):
        return None
    if len(call.args) == 1:
        return replace(module, call, f"{logger}.info({_argument(call.args[0], module)})")
    return replace(module, call, f"{logger}.info({_arguments(call.args, separator, module)})")


def _text(node: ast.expr | None, default: str) -> str | None:
    """The text of a print option, None where it is not written out. None means the default to print."""
    if node is None or (isinstance(node, ast.Constant) and node.value is None):
        return default
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _arguments(values: list[ast.expr], separator: str, module: Module) -> str:
    """A format with the literal strings in it, and the other values."""
    texts = [_text(value, "") if _is_plain(value) else None for value in values]
    if None not in texts:
        return _literal(separator.join(text for text in texts if text is not None))
    parts = ["%s" if text is None else text.replace("%", "%%") for text in texts]
    others = [_argument(value, module) for value, text in zip(values, texts, strict=True) if text is None]
    return ", ".join([_literal(separator.replace("%", "%%").join(parts)), *others])


def _is_plain(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _argument(value: ast.expr, module: Module) -> str:
    """An argument as it is written; a yield needs brackets of its own."""
    text = module.text(value)
    return f"({text})" if isinstance(value, (ast.Yield, ast.YieldFrom)) else text


def _literal(text: str) -> str:
    """A string literal, in double quotes where that needs no escape."""
    quoted = repr(text)
    return f'"{quoted[1:-1]}"' if quoted[0] == "'" and '"' not in text else quoted


def new_logger(module: Module, call: ast.Call) -> tuple[Edit, ...]:
    """A logger for this file, below its imports: it writes to stdout what print does, and nothing else.

    Nothing where one could not be told from another, or would be silent.
    """
    logs, imports = module.logs, _leading_imports(module)
    if logs.makers or not imports or not module.is_script or imports[-1].lineno > call.lineno:
        return ()
    if not is_free(module, "logger", call) or not all(
        _is_module(module, name) for name in ("logging", "sys")
    ):
        return ()
    if logs.handled and not logs.shows_info(ROOT):
        return ()
    bound = {alias.asname or alias.name for statement in imports for alias in statement.names}
    lines = [f"import {name}" for name in ("logging", "sys") if name not in bound]
    lines += ["", "logger = logging.getLogger(__name__)"]
    if not logs.handled:
        lines.append("logger.setLevel(logging.INFO)")
        lines.append("logger.addHandler(logging.StreamHandler(sys.stdout))")
        if module.handlers or logs.unreadable:  # an endpoint, or another file, has a handler on the root
            lines.append("logger.propagate = False")
    return (insert_after(module, imports[-1], *lines),)


def _is_module(module: Module, name: str) -> bool:
    """Whether a name is the module of that name, or free to be."""
    return module.tree.imports.get(name, name) == name and not module.flow.bindings.reaching(
        name, module.tree.root.body[-1]
    )


def _leading_imports(module: Module) -> list[ast.Import | ast.ImportFrom]:
    """The imports at the top of a file."""
    found: list[ast.Import | ast.ImportFrom] = []
    for statement in module.tree.root.body:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            found.append(statement)
        elif found or not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
            break
    return found
