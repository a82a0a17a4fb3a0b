"""Findings for programs: one JSON document, sorted by place, positions from 1."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_sagemaker.finding import Finding, Fix
    from pytest_sagemaker.lint.run import Report
    from pytest_sagemaker.lint.source import Source


def document(reports: Sequence[Report], version: str) -> str:
    """`{"version", "findings"}`; `version` is sm-lint's."""
    findings = [_finding(found, report.source) for report in reports for found in report.findings]
    return json.dumps({"version": version, "findings": findings}, indent=2)


def _finding(finding: Finding, source: Source) -> dict[str, Any]:
    span = finding.span
    return {
        "code": finding.code,
        "name": finding.name,
        "severity": finding.severity,
        "path": finding.path,
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line or span.line,
        "end_column": span.end_column or span.column,
        "message": finding.message,
        "help": finding.help,
        "fix": finding.fix and _fix(finding.fix, source),
    }


def _fix(fix: Fix, source: Source) -> dict[str, Any]:
    edits = []
    for edit in sorted(fix.edits):
        line, column = source.position(edit.start)
        end_line, end_column = source.position(edit.end)
        place = {"start_line": line, "start_column": column, "end_line": end_line, "end_column": end_column}
        edits.append({**place, "text": edit.text})
    return {"title": fix.title, "safe": fix.safe, "edits": edits}
