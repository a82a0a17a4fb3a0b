"""Applying fixes: whole fixes, never half of one; pass after pass, until nothing is left to mend."""

from __future__ import annotations

import ast
import warnings
from typing import TYPE_CHECKING

from pytest_sagemaker.lint.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pytest_sagemaker.finding import Edit, Finding, Fix
    from pytest_sagemaker.lint.run import Report

MAX_PASSES = 10
"""A fix may make room for another; fixes that have not settled by now never will."""


def apply(text: str, fixes: Iterable[Fix]) -> str:
    """The text with every fix applied that does not overlap an earlier one.

    Two fixes that make the very same edit (an import that both need) share it. What is left out because it
    overlaps is for the next pass.
    """
    edits = {edit for fix in _compatible(fixes) for edit in fix.edits}
    for edit in sorted(edits, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def mend(report: Report, lint: Callable[[Source], Report], *, unsafe: bool) -> Report:
    """The report of the script with its safe fixes made, or all of them, pass after pass.

    A fix after which the file no longer compiles, or cannot be written in its own coding, is left out.
    """
    fixed = 0
    for _ in range(MAX_PASSES):
        fixable = [found for found in report.findings if found.fix and (unsafe or found.fix.safe)]
        sound = _sound(report.source, fixable)
        text = apply(report.source.text, _fixes(sound))
        if text == report.source.text:
            refused = tuple(_refused(found) for found in fixable if found not in sound)
            return report._replace(fixed=fixed, troubles=refused)
        fixed += len(_compatible(_fixes(sound)))
        report = lint(report.source.with_text(text))
    trouble = f"{report.source.path}: the fixes did not settle in {MAX_PASSES} passes; please report it"
    return report._replace(fixed=fixed, troubles=(trouble,))


def _fixes(findings: Iterable[Finding]) -> list[Fix]:
    return [found.fix for found in findings if found.fix]


def _compatible(fixes: Iterable[Fix]) -> list[Fix]:
    """The fixes that do not overlap one before them."""
    chosen: list[Fix] = []
    taken: list[Edit] = []
    for fix in fixes:
        new = [edit for edit in fix.edits if edit not in taken]
        if not any(_overlap(edit, other) for edit in new for other in taken):
            chosen.append(fix)
            taken += new
    return chosen


def _overlap(one: Edit, other: Edit) -> bool:
    """Whether two edits touch the same characters, or insert at the same place."""
    if one.start == other.start:
        return True
    return one.start < other.end and other.start < one.end


def _sound(source: Source, findings: Sequence[Finding]) -> list[Finding]:
    """The findings whose fixes leave the file as good as it was: all, or else tried one by one."""
    before = _soundness(source, source.text)

    def keeps(tried: Sequence[Finding]) -> bool:
        return _soundness(source, apply(source.text, _fixes(tried))) >= before

    if not findings or keeps(findings):
        return list(findings)
    kept: list[Finding] = []
    for finding in findings:
        if keeps([*kept, finding]):
            kept.append(finding)
    return kept


def _soundness(source: Source, text: str) -> int:
    """2 if the text compiles, 1 if it parses, 0 if not, or if the file's coding cannot hold it."""
    try:
        if Source.decode(source.path, source.encode(text)).text != text:
            return 0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the script's own
            ast.parse(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, source.path, "exec", dont_inherit=True)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return 1
    return 2


def _refused(finding: Finding) -> str:
    return (
        f"{finding.path}:{finding.span.line}: the fix of {finding.code} would break the file and was left "
        "out; please report it with the script"
    )
