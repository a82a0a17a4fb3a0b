"""The file cannot be read as text: wrong coding, a NUL byte, a folder, too large or too deep.

Nothing else can be said of such a file, and Python will most likely refuse it as well.

Why it fails:
Python reads source as UTF-8, or as the coding that its first two lines declare, and accepts no NUL byte.

Use instead:
Save the script as UTF-8. Data does not belong into source: put it into a file of its own.

False alarms:
A generated file over the size limit, or nested deeper than the limit, may run.

Source:
https://docs.python.org/3/reference/lexical_analysis.html#encoding-declarations
https://peps.python.org/pep-0263/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sagemaker.finding import Fault, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.lint.module import Module

SEVERITY = "E"

BAD = {
    "nul-byte": "lr = '\0'  # SM002\n",
    "unknown-coding": "# coding: utf-9  # SM002\nlr = 0.1\n",
    "not-its-coding": "# coding: ascii  # SM002\nname = 'é'\n",
    "deep": f"lr = {'(' * 300}1{')' * 300}  # SM002\n",
}

GOOD = {
    "latin-1": "# coding: latin-1\nname = 'e'\n",
    "brackets-side-by-side": f"total = {' + '.join(['(1)'] * 300)}\n",
    "empty": "",
}


def check(module: Module) -> Iterator[Fault]:
    if module.unreadable:
        yield Fault(
            Span(1, 1, 1, 1),
            f"the file is not read: {module.unreadable}",
            help="no other rule has looked at it",
        )
