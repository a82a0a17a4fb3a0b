"""A script as pytest items: one for each lint rule, and one for each check of its job."""

from __future__ import annotations

import os
import shlex
import traceback
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sagemaker.catalogue import Unjudged, scan
from pytest_sagemaker.job.judge import CHECKS, judge
from pytest_sagemaker.lint.config import Configs, UsageError
from pytest_sagemaker.lint.run import lint_file, rules
from pytest_sagemaker.lint.selection import Selection
from pytest_sagemaker.plugin.failure_text import FailureText, told
from pytest_sagemaker.plugin.options import given, read_options
from pytest_sagemaker.plugin.runs import CannotRunError, ScriptRun, runs_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pytest_sagemaker.catalogue import Entry
    from pytest_sagemaker.finding import Finding
    from pytest_sagemaker.job.record import JobRecord

CHOSEN = "sagemaker_chosen"
"""The property of a report that holds what a job chose by itself."""


class ScriptFile(pytest.File):
    """A training script. It is read, never imported."""

    def collect(self) -> Iterator[pytest.Item | pytest.Collector]:
        """The lint rules in order of code, then the job."""
        try:
            selection = Configs().of(self.path.parent).selection_for(self.path, Selection())
        except UsageError as error:
            raise self.CollectError(str(error)) from None
        findings = lint_file(self.path, selection)
        wanted = {rule.code: rule.name for rule in rules() if selection.wants(rule.code, rule.severity)}
        names = {finding.code: finding.name for finding in findings} | wanted
        for code, name in sorted(names.items()):
            own = [finding for finding in findings if finding.code == code]
            yield RuleItem.from_parent(self, name=f"{code} {name}", found=own)
        yield JobCollector.of(self)


class JobCollector(pytest.Collector):
    """One job of a script, named for its ranks: `2-hosts`, `2-hosts-x-4` with four processes on each."""

    run: ScriptRun

    @classmethod
    def of(cls, script: ScriptFile) -> JobCollector:
        """The job that the options describe."""
        options = read_options(script.config)
        hosts = f"{options.hosts}-host{'' if options.hosts == 1 else 's'}"
        name = hosts if options.processes == 1 else f"{hosts}-x-{options.processes}"
        collector: JobCollector = cls.from_parent(script, name=name)
        collector.run = ScriptRun(script.path, options, runs_of(script.config))
        return collector

    def collect(self) -> Iterator[pytest.Item]:
        """The checks in order of code."""
        for check in scan(CHECKS):
            yield CheckItem.from_parent(self, name=f"{check.code} {check.name}", check=check, run=self.run)


class FoundError(Exception):
    """What makes an item fail."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        """`findings` are of one code, at least one."""
        super().__init__(findings[0].message)
        self.findings = findings


class SagemakerItem(pytest.Item):
    """Fails with its findings."""

    @abstractmethod
    def findings(self) -> Sequence[Finding]:
        """What was found.

        Raises:
            Unjudged: it cannot be told.
            CannotRunError: there is no job to look at.
        """

    def runtest(self) -> None:
        """Raise what was found, or skip with the reason."""
        try:
            findings = self.findings()
        except Unjudged as reason:
            raise pytest.skip.Exception(str(reason), _use_item_location=True) from None
        if findings:
            raise FoundError(findings)

    def repr_failure(
        self,
        excinfo: pytest.ExceptionInfo[BaseException],
        style: Any = None,  # noqa: ARG002 -- pytest's signature
    ) -> FailureText:
        """The evidence, and the command that repeats this item; a traceback only where the fault is ours."""
        error = excinfo.value
        shown = os.path.relpath(self.path, self.config.invocation_params.dir)
        again = f"again: {self._command(shown)}"
        if isinstance(error, FoundError):
            lines = [line for finding in error.findings for line in told(finding, self.path, shown)]
            return FailureText([*lines, again], shown, error.findings[0].span.line, str(error))
        if isinstance(error, CannotRunError):
            return FailureText([f"{shown}: the job could not run: {error}", again], shown, 1, str(error))
        ours = [
            f"pytest-sagemaker failed in {self.name}; please report it with the script:",
            *_traceback(error),
        ]
        return FailureText(ours, shown, 1, f"{type(error).__name__}: {error}")

    def _command(self, shown: str) -> str:
        """What repeats just this item."""
        names = [node.name for node in self.listchain() if isinstance(node, (JobCollector, SagemakerItem))]
        return " ".join(["pytest", *given(self.config), shlex.quote("::".join([shown, *names]))])

    def reportinfo(self) -> tuple[Path, int, str]:
        """The script."""
        return self.path, 0, self.name


class RuleItem(SagemakerItem):
    """One lint rule on the script."""

    def __init__(self, *, found: Sequence[Finding], **node: Any) -> None:
        """`found` are the rule's findings; `node` goes to pytest."""
        super().__init__(**node)
        self._found = found

    def findings(self) -> Sequence[Finding]:
        """What the rule found when the script was collected."""
        return self._found


class CheckItem(SagemakerItem):
    """One check of the script's job."""

    def __init__(self, *, check: Entry[JobRecord], run: ScriptRun, **node: Any) -> None:
        """`run` is shared by all checks of the job; `node` goes to pytest."""
        super().__init__(**node)
        self._check = check
        self._run = run

    def findings(self) -> Sequence[Finding]:
        """What the check sees in the record of the job, which runs now if no other check needed it yet."""
        record = self._run.record()
        if chosen := self._run.take_chosen():
            self.user_properties.append((CHOSEN, chosen))
        verdict = judge(self._check, record)
        if verdict.unjudged:
            raise Unjudged(verdict.unjudged)
        return verdict.findings


def _traceback(error: BaseException) -> list[str]:
    """A traceback from this module on, without pytest's own frames."""
    frame = error.__traceback__
    while frame and frame.tb_frame.f_code.co_filename != __file__:
        frame = frame.tb_next
    text = "".join(traceback.format_exception(type(error), error, frame))
    return [f"  {line}" for line in text.splitlines()]
