"""Findings for people: `path:line:col: CODE message`, and around it what helps to mend them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_sagemaker.lint.reporters.frame import frame, gutter_width
from pytest_sagemaker.lint.reporters.lines import SEVERITY_STYLE, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_sagemaker.finding import Finding
    from pytest_sagemaker.lint.reporters.lines import Line
    from pytest_sagemaker.lint.run import Report
    from pytest_sagemaker.lint.source import Source

WORDS = {"E": "error", "W": "warning", "I": "advice"}


def concise(reports: Sequence[Report]) -> Iterator[Line]:
    """One line a finding."""
    for report in reports:
        for finding in by_importance(report.findings):
            yield _headline(finding)


def full(reports: Sequence[Report]) -> Iterator[Line]:
    """Each finding with its code frame, what to write instead, its fix and its evidence."""
    for report in reports:
        for finding in by_importance(report.findings):
            yield _headline(finding)
            yield from frame(report.source, finding.span)
            yield from _notes(finding, report.source)
            yield ()


def statistics(reports: Sequence[Report]) -> Iterator[Line]:
    """How often each rule spoke, the most frequent first."""
    findings = [finding for report in reports for finding in report.findings]
    counts = Counter((finding.code, finding.name) for finding in findings)
    for (code, name), count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        yield ((f"{count:>5}  ", ""), (code, "bold"), (f"  {name}", ""))


def summary(reports: Sequence[Report]) -> Line:
    """The last line: how much was found and what of it can be mended, after what was."""
    fixed = sum(report.fixed for report in reports)
    findings = [finding for report in reports for finding in report.findings]
    done = f"Fixed {fixed}. " if fixed else ""
    if not findings:
        scripts = _counted(len(reports), "script")
        return ((f"{done}Nothing {'left' if fixed else 'found'} in {scripts}.", "green"),)
    counts = Counter(WORDS[finding.severity] for finding in findings)
    found = ", ".join(_counted(counts[word], word) for word in WORDS.values() if counts[word])
    return ((f"{done}Found {found}{_fixable(findings)}.", "bold"),)


def patched(reports: Sequence[Report]) -> Line:
    """The last line beside a patch: how much it would mend."""
    fixable = sum(report.fixed for report in reports)
    total = sum(len(report.findings) for report in reports)
    return ((f"Would fix {fixable} of {_counted(total, 'finding')}.", "bold"),)


def by_importance(findings: Sequence[Finding]) -> list[Finding]:
    """What fails first, then what wastes, then advice; each in order of place."""
    return sorted(findings, key=lambda finding: ("EWI".index(finding.severity), finding.sort_key))


def _headline(finding: Finding) -> Line:
    place = f"{visible(finding.path)}:{finding.span.line}:{finding.span.column}"
    return (
        (place, "bold"),
        (": ", ""),
        (finding.code, SEVERITY_STYLE[finding.severity]),
        (f" {visible(finding.message)}", ""),
    )


def _notes(finding: Finding, source: Source) -> Iterator[Line]:
    indent = " " * gutter_width(source, finding.span)
    notes = [("help", finding.help)]
    if finding.fix:
        option = "--fix" if finding.fix.safe else "--fix --unsafe-fixes"
        notes.append(("fix", f"{finding.fix.title} ({option})"))
    notes += [("seen", line) for line in finding.evidence]
    notes.append((WORDS[finding.severity], f"{finding.name}, see sm-lint --explain {finding.code}"))
    for word, text in notes:
        if text:
            yield ((f"{indent} = ", "blue"), (f"{word}: ", "bold"), (visible(text), ""))


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 or word == "advice" else f"{count} {word}s"


def _fixable(findings: Sequence[Finding]) -> str:
    safe = sum(1 for finding in findings if finding.fix and finding.fix.safe)
    unsafe = sum(1 for finding in findings if finding.fix and not finding.fix.safe)
    if safe and unsafe:
        return f" ({safe} fixable with --fix, {unsafe} more with --unsafe-fixes)"
    if safe or unsafe:
        return f" ({safe or unsafe} fixable with {'--fix' if safe else '--fix --unsafe-fixes'})"
    return ""
