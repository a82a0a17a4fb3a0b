"""The lint flow: path -> Source -> Module -> rules -> findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sagemaker.catalogue import Entry, scan
from pytest_sagemaker.finding import Finding, Span
from pytest_sagemaker.lint.module import Module
from pytest_sagemaker.lint.selection import Selection
from pytest_sagemaker.lint.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_sagemaker.finding import Fault

RULES = "pytest_sagemaker.lint.rules"

INTERNAL_ERROR = "internal-error"
"""The name of a finding that reports a crash of ours, under the code of the rule that crashed."""


def lint_file(path: Path, selection: Selection = Selection()) -> list[Finding]:  # noqa: B008 -- frozen
    """Every finding of one file, in order of place. Never raises for what the file holds."""
    return lint_source(Source.read(path), selection)


def lint_source(source: Source, selection: Selection = Selection()) -> list[Finding]:  # noqa: B008 -- frozen
    """Every finding of one script."""
    module = Module(source)
    findings = [finding for rule in scan(RULES) for finding in _run(rule, module, selection)]
    return sorted(set(findings), key=lambda finding: finding.sort_key)


def _run(rule: Entry[Module], module: Module, selection: Selection) -> Iterator[Finding]:
    if not selection.may_want(rule.code):
        return
    try:
        for fault in rule.check(module):
            if selection.wants(rule.code, fault.severity or rule.severity):
                yield _finding(rule, fault, module)
    except Exception as error:
        message = (
            f"sm-lint failed in this rule ({type(error).__name__}: {error}); please report it with the script"
        )
        yield Finding(rule.code, INTERNAL_ERROR, "E", module.source.path, Span(1, 1, 1, 1), message)


def _finding(rule: Entry[Module], fault: Fault, module: Module) -> Finding:
    return Finding(
        code=rule.code,
        name=rule.name,
        severity=fault.severity or rule.severity,
        path=module.source.path,
        span=fault.span,
        message=fault.message,
        help=fault.help,
        fix=fault.fix,
        evidence=fault.evidence,
    )
