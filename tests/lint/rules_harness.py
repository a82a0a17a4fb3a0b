"""Runs one rule over its own examples: the marked lines, and no others, must be found."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_sagemaker.lint.module import Module
from pytest_sagemaker.lint.source import Source

if TYPE_CHECKING:
    from pytest_sagemaker.catalogue import Entry
    from pytest_sagemaker.finding import Fault


def faults(rule: Entry[Module], text: str, path: str = "train.py") -> list[Fault]:
    """What the rule sees in a script."""
    return list(rule.check(Module(Source.decode(path, text.encode()))))


def marked_lines(code: str, text: str) -> list[int]:
    """The lines that end in a comment with the code."""
    return [number for number, line in enumerate(text.splitlines(), 1) if re.search(rf"#.*\b{code}\b", line)]
