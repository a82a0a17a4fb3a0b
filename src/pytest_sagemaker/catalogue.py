"""The catalogue: rules and checks found by scanning a package, one module each.

A module is named for its code and name (`SM205_argparse_type_bool.py`). It holds its docs (the module
docstring, with the headings below), `SEVERITY`, named examples `BAD` and `GOOD`, and `check(subject)`.
There is no list to keep.
"""

from __future__ import annotations

import importlib
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import ModuleType

    from pytest_sagemaker.finding import Fault, Severity

Subject = TypeVar("Subject")

HEADINGS = ("Why it fails", "Use instead", "False alarms", "Source")
_FILE = re.compile(r"(?P<code>[A-Z]+\d{3})_(?P<name>[a-z0-9_]+)")


class Unjudged(Exception):  # noqa: N818 -- not an error: the reason why a check has nothing to say
    """Raised by a check that this record cannot answer; the message is the reason shown to the user."""


class Entry(Generic[Subject]):
    """One rule or check. `bad` and `good` are named examples: scripts for a rule, records for a check."""

    def __init__(
        self,
        code: str,
        name: str,
        severity: Severity,
        doc: str,
        bad: Mapping[str, Any],
        good: Mapping[str, Any],
        check: Callable[[Subject], Iterable[Fault]],
    ) -> None:
        self.code = code
        self.name = name
        self.severity: Severity = severity
        self.doc = doc
        self.bad = bad
        self.good = good
        self.check = check

    @property
    def title(self) -> str:
        """The first line of the docs."""
        return self.doc.partition("\n")[0]

    def section(self, heading: str) -> str:
        """The text under one of HEADINGS.

        Raises:
            KeyError: the docs lack that heading.
        """
        found = re.search(rf"^{heading}:\n(.*?)(?=^(?:{'|'.join(HEADINGS)}):\n|\Z)", self.doc, re.M | re.S)
        if not found:
            raise KeyError(f"{self.code} has no {heading!r}")
        return found[1].strip("\n")


def entry(module: ModuleType) -> Entry[Any]:
    """Read one rule or check module.

    Raises:
        ValueError: the module's file name holds no code and name.
    """
    stem = module.__name__.rpartition(".")[2]
    named = _FILE.fullmatch(stem)
    if not named:
        raise ValueError(f"{stem}: a rule is named CODE_name_in_words, as SM205_argparse_type_bool")
    return Entry(
        code=named["code"],
        name=named["name"].replace("_", "-"),
        severity=module.SEVERITY,
        doc=(module.__doc__ or "").strip(),
        bad=module.BAD,
        good=module.GOOD,
        check=module.check,
    )


@cache
def scan(package: str) -> tuple[Entry[Any], ...]:
    """Every entry of a package, in order of code."""
    home = importlib.import_module(package)
    stems = sorted(file.stem for folder in home.__path__ for file in Path(folder).glob("*.py"))
    named = [stem for stem in stems if _FILE.fullmatch(stem)]
    return tuple(entry(importlib.import_module(f"{package}.{stem}")) for stem in named)
