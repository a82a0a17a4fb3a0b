"""The file does not parse: `SyntaxError` before the first line of the job runs.

Code copied from a web page brings curly quotes and non-breaking spaces along, and Markdown turns
underscores into stars (`**name**`, `parser.add*argument`). The container starts, unpacks the source, and
fails on its first line.

Why it fails:
Python reads the whole file before it runs any of it. One character is enough.

Use instead:
What the message says for the character it names; retype the line rather than paste it.

False alarms:
A script for a newer Python than the one that runs sm-lint: that is a warning, where it can be told.

Source:
https://docs.python.org/3/reference/lexical_analysis.html
https://github.com/aydin-utting/upgrade-pytorch-to-sagemaker-article
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pytest_sagemaker.finding import Fault, Span
from pytest_sagemaker.lint.pasted import is_notebook, traces

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.lint.module import Module

SEVERITY = "E"

BAD = {
    "curly-quotes": """\
import torch

device = torch.device(“cpu”)  # SM001
""",
    "markdown-guard": """\
def train():
    pass

if **name** == "**main**":  # SM001
    train()
""",
    "markdown-underscore": """\
import argparse

parser = argparse.ArgumentParser()
parser.add*argument("--lr", type=float)
*, args = parser.parse_args()  # SM001
""",
    "no-break-space": """\
epochs =\N{NO-BREAK SPACE}3  # SM001
""",
    "python-2": """\
loss = 0.5
print "loss", loss  # SM001
""",
    "tabs": """\
def train():
        epochs = 1
\treturn epochs  # SM001
""",
    "body-not-indented": """\
def model_fn(model_dir):
    with open(model_dir) as file:
    return file.read()  # SM001
""",
    "notebook-command": """\
import torch
!pip install timm  # SM001
""",
    "notebook-json": """\
{"cells": [{"cell_type": "code", "source": ["# SM001"], "outputs": []}], "nbformat": 4, "nbformat_minor": 5}
""",
    "merge-conflict": """\
lr = 0.1
<<<<<<< HEAD  # SM001
epochs = 3
=======
epochs = 5
>>>>>>> tune
""",
    "no-cause-but-python's-own": """\
epochs = (1 +  # SM001
""",
}

GOOD = {
    "typography-in-text": '''\
"""“Curly” quotes — and dashes – in docs, `**name**` too."""
print("It’s done…")  # ‘here’ as well
''',  # noqa: RUF001 -- on purpose
    "stars-that-multiply": """\
add, argument, a = 2, 3, {}
print(add*argument, 2**add**argument, dict(**a))
*_, last = [1, 2]
""",
    "empty": "",
}

_SHOWN = 5


def check(module: Module) -> Iterator[Fault]:
    if is_notebook(module.source.text):
        yield Fault(
            Span(1, 1, 1, 2),
            "the file does not run: it is the JSON of a notebook, not a script",
            help="save it as .ipynb, or export the notebook as a script",
        )
    elif module.syntax_error is not None:
        yield _fault(module, module.syntax_error)


def _fault(module: Module, error: SyntaxError) -> Fault:
    source = module.source
    line = min(error.lineno or 1, source.line_count)
    column = min(max(error.offset or 1, 1), len(source.line(line)) + 1)
    span = Span(line, column, line, column)
    if _is_newer(module, error):
        running = ".".join(map(str, sys.version_info[:2]))
        return Fault(
            span,
            f"this syntax is newer than the Python {running} that runs sm-lint: {error.msg}",
            help="run sm-lint with the Python of the container; no other rule has looked at the file",
            severity="W",
        )
    found = traces(source.text)
    lines = [source.position(trace.start)[0] for trace in found]
    message, shown = _explained(error), None
    if line in lines:
        shown = found[lines.index(line)]
        span, message = source.span(shown.start, shown.end), shown.says
    others = [
        f"line {row}: {trace.says}" for row, trace in zip(lines, found, strict=True) if trace is not shown
    ]
    return Fault(
        span,
        f"the file does not parse: {message}",
        help="the job ends here with a SyntaxError"
        + ("; retype what was pasted, then lint again" if found else ""),
        evidence=tuple(dict.fromkeys(others))[:_SHOWN],
    )


def _is_newer(module: Module, error: SyntaxError) -> bool:
    """Whether a newer Python reads this: quotes within an f-string, `type X = ...`, type parameters (3.12).

    The concrete tree knows them all.
    """
    root = module.source.root
    if sys.version_info >= (3, 12) or root.find(kind="ERROR") is not None:
        return False
    defines = (*root.find_all(kind="function_definition"), *root.find_all(kind="class_definition"))
    return (
        error.msg.startswith("f-string")
        or root.find(kind="type_alias_statement") is not None
        or any(child.kind() == "type_parameter" for node in defines for child in node.children())
    )


def _explained(error: SyntaxError) -> str:
    """Python's own words, and the cause where they hide it."""
    if isinstance(error, TabError):
        return "tabs and spaces are mixed in the indentation"
    if error.msg.startswith(("Missing parentheses in call to", "multiple exception types must")):
        return f"this is Python 2 ({error.msg})"
    if isinstance(error, IndentationError):
        return f"the indentation is wrong ({error.msg})"
    return error.msg
