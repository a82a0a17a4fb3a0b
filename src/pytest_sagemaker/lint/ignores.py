"""Silencing findings by the comments on their lines, and telling of comments that silence nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_sagemaker.finding import Finding
    from pytest_sagemaker.lint.source import Ignore


def silence(
    findings: Iterable[Finding], ignores: Sequence[Ignore], judged: Iterable[str]
) -> tuple[list[Finding], list[tuple[Ignore, str]]]:
    """The findings that no comment silences, and the codes of our own comments that silence none.

    A comment counts on the first and on the last line of what a finding marks; a prefix of a code is
    enough. A code that stands for none of `judged`, the rules that ran, is never called unused.
    """
    if not ignores:
        return list(findings), []
    kept: list[Finding] = []
    used: set[tuple[Ignore, str]] = set()
    for finding in findings:
        lines = (finding.span.line, finding.span.end_line)
        hits = {
            (ignore, code)
            for ignore in ignores
            if ignore.line in lines
            for code in ignore.codes
            if finding.code.startswith(code)
        }
        used |= hits
        if not hits:
            kept.append(finding)
    ran = tuple(judged)
    unused = [
        (ignore, code)
        for ignore in ignores
        if ignore.ours
        for code in sorted(ignore.codes)
        if (ignore, code) not in used and any(rule.startswith(code) for rule in ran)
    ]
    return kept, unused
