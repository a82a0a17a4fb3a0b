"""`--explain`: what a rule's or a check's own file says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_sagemaker.catalogue import HEADINGS, Entry, scan
from pytest_sagemaker.lint.config import UsageError, nearest
from pytest_sagemaker.lint.run import rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_sagemaker.lint.reporters.lines import Line

CHECKS = "pytest_sagemaker.job.checks"
"""Scanned by name: lint does not import the run."""

SEVERITY_WORDS = {"E": "error", "W": "warning", "I": "advice, off unless selected"}


def entries() -> tuple[Entry[Any], ...]:
    """Every rule and every check, in order of code; pyflakes' names last."""
    return tuple(sorted((*rules(), *scan(CHECKS)), key=lambda entry: (entry.code[0] == "F", entry.code)))


def find(words: Iterable[str]) -> list[Entry[Any]]:
    """The entries of codes or names.

    Raises:
        UsageError: there is no such entry; the nearest is named.
    """
    known = {key: entry for entry in entries() for key in (entry.code, entry.name)}
    found = []
    for word in words:
        entry = known.get(word.upper()) or known.get(word.lower())
        if entry is None:
            near = nearest(word.upper(), known) or nearest(word.lower(), known)
            raise UsageError(f"--explain: unknown code {word!r}{near}")
        found.append(entry)
    return found


def explain(entry: Entry[Any]) -> Iterator[Line]:
    """The docs of one entry, then an example of the fault and of what to write instead."""
    yield ((f"{entry.code} {entry.name}", "bold"), (f" ({SEVERITY_WORDS[entry.severity]})", ""))
    yield ()
    for line in entry.doc.splitlines():
        yield ((line, "bold" if line.rstrip(":") in HEADINGS else ""),)
    for title, examples in (("Found in", entry.bad), ("Silent on", entry.good)):
        text = next((example for example in examples.values() if isinstance(example, str)), "")
        if text:
            yield ()
            yield ((f"{title}:", "bold"),)
            yield from (((f"    {line}", "green"),) if line else () for line in text.splitlines())
    yield ()
