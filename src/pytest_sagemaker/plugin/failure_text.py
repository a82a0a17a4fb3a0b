"""A failed item in lines: what was found and where, the evidence, the help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from _pytest._code.code import ReprFileLocation, TerminalRepr  # pytest exports neither

from pytest_sagemaker.lint.source import Source

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from _pytest._io import TerminalWriter

    from pytest_sagemaker.finding import Finding


def told(finding: Finding, script: Path, shown: str) -> list[str]:
    """A finding in lines: place and message, the script's line, evidence, help."""
    span = finding.span
    lines = [f"{shown}:{span.line}: {finding.code} {finding.name}: {finding.message}"]
    if span.line > 1 or span.end_line:
        lines += [f"  | {text}" for text in Source.read(script).line(span.line).splitlines() if text.strip()]
    lines += [f"  {line}" for line in finding.evidence]
    return [*lines, f"  help: {finding.help}"] if finding.help else lines


class FailureText(TerminalRepr):
    """The text of a failure, and the place and message for pytest's one-line summaries."""

    def __init__(self, lines: Sequence[str], path: str, line: int, message: str) -> None:
        """Lines that are not indented are headings."""
        self.lines = lines
        self.reprcrash = ReprFileLocation(path, line, message)

    def toterminal(self, tw: TerminalWriter) -> None:
        """Write the lines, findings in red."""
        for line in self.lines:
            tw.line(line, red=not line.startswith((" ", "again: ")))
