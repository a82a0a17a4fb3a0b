"""The end of the run flow: JobRecord -> checks -> verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_sagemaker.catalogue import Entry, Unjudged, scan
from pytest_sagemaker.finding import Finding

if TYPE_CHECKING:
    from pytest_sagemaker.finding import Fault
    from pytest_sagemaker.job.record import JobRecord

CHECKS = "pytest_sagemaker.job.checks"


@dataclass(frozen=True)
class Verdict:
    """What one check says of one record: its findings, or the reason why it cannot be judged."""

    check: Entry[JobRecord]
    findings: tuple[Finding, ...] = ()
    unjudged: str = ""


def judge(check: Entry[JobRecord], record: JobRecord) -> Verdict:
    """Put one check to a record. What it saw before it gave up on the rest counts."""
    findings: list[Finding] = []
    try:
        findings.extend(_finding(check, fault, record) for fault in check.check(record))
    except Unjudged as reason:
        return Verdict(check, tuple(findings), "" if findings else str(reason))
    return Verdict(check, tuple(findings))


def judge_all(record: JobRecord) -> tuple[Verdict, ...]:
    """Every check of the catalogue, in order of code."""
    return tuple(judge(check, record) for check in scan(CHECKS))


def _finding(check: Entry[JobRecord], fault: Fault, record: JobRecord) -> Finding:
    return Finding(
        code=check.code,
        name=check.name,
        severity=fault.severity or check.severity,
        path=record.script,
        span=fault.span,
        message=fault.message,
        help=fault.help,
        evidence=fault.evidence,
    )
