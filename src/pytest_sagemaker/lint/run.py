"""The lint flow: path -> Source -> Module -> rules -> findings."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from pytest_sagemaker.catalogue import Entry, scan
from pytest_sagemaker.finding import Finding, Span
from pytest_sagemaker.lint.ignores import silence
from pytest_sagemaker.lint.module import Module
from pytest_sagemaker.lint.names import NAMES
from pytest_sagemaker.lint.selection import Selection
from pytest_sagemaker.lint.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_sagemaker.finding import Fault
    from pytest_sagemaker.lint.source import Ignore

RULES = "pytest_sagemaker.lint.rules"

INTERNAL_ERROR = "internal-error"
"""The name of a finding that reports a crash of ours, under the code of the rule that crashed."""


class Report(NamedTuple):
    """What was found in one script, in order of place, and its comments that silence nothing.

    `fixed` counts the fixes made before. `troubles` are failures of ours in making them, a line each.
    """

    source: Source
    findings: tuple[Finding, ...]
    unused: tuple[tuple[Ignore, str], ...] = ()
    fixed: int = 0
    troubles: tuple[str, ...] = ()


@cache
def rules() -> tuple[Entry[Module], ...]:
    """Every rule: the folder's, and pyflakes' names."""
    return (*scan(RULES), *NAMES)


def lint_file(path: Path, selection: Selection = Selection()) -> list[Finding]:  # noqa: B008 -- frozen
    """Every finding of one file, in order of place. Never raises for what the file holds."""
    return lint_source(Source.read(path), selection)


def lint_source(source: Source, selection: Selection = Selection()) -> list[Finding]:  # noqa: B008 -- frozen
    """Every finding of one script."""
    return list(lint(source, selection).findings)


def lint(source: Source, selection: Selection) -> Report:
    """Run every rule that is wanted over one script."""
    module = Module(source)
    wanted = [rule for rule in rules() if selection.may_want(rule.code)]
    found = {finding for rule in wanted for finding in _run(rule, module, selection)}
    kept, unused = silence(found, source.ignores, [rule.code for rule in wanted])
    return Report(source, tuple(sorted(kept, key=lambda finding: finding.sort_key)), tuple(unused))


def _run(rule: Entry[Module], module: Module, selection: Selection) -> Iterator[Finding]:
    try:
        for fault in rule.check(module):
            if selection.wants(rule.code, fault.severity or rule.severity):
                yield _finding(rule, fault, module)
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except RecursionError:
        message = "it is too deeply nested to be read whole; some rules could not follow it"
        yield Finding("SM002", "unreadable-file", "E", module.source.path, Span(1, 1, 1, 1), message)
    except BaseException as error:  # a panic in ast-grep is no Exception
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
