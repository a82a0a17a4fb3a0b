"""Runs one rule over its own examples: the marked lines, and no others, must be found."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from pytest_sagemaker.lint.module import Module
from pytest_sagemaker.lint.source import Source

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_sagemaker.catalogue import Entry
    from pytest_sagemaker.finding import Fault

Example: TypeAlias = "str | dict[str, str]"
"""A script, or a source folder by relative path, of which the first file is linted."""


def module_of(text: str, path: str = "train.py") -> Module:
    """A module from its text; `path` need not exist."""
    return Module(Source.decode(path, text.encode()))


def script(example: Example) -> str:
    """The text of the script that an example lints."""
    return example if isinstance(example, str) else next(iter(example.values()))


def faults_of(rule: Entry[Module], example: Example, folder: Path, text: str | None = None) -> list[Fault]:
    """What the rule sees in an example; `text` in place of its script where given. Files go to `folder`."""
    if isinstance(example, str):
        return faults(rule, text or example)
    for name, content in example.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return faults(rule, text or script(example), str(folder / next(iter(example))))


def faults(rule: Entry[Module], text: str, path: str = "train.py") -> list[Fault]:
    """What the rule sees in a script."""
    return list(rule.check(module_of(text, path)))


def marked_lines(code: str, text: str) -> list[int]:
    """The lines that end in a comment with the code."""
    return [number for number, line in enumerate(text.splitlines(), 1) if re.search(rf"#.*\b{code}\b", line)]
