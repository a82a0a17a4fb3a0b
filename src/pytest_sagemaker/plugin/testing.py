"""What the fixture `sagemaker_job` gives to people's own tests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pytest_sagemaker.catalogue import Unjudged, scan
from pytest_sagemaker.job.checks.shards import Shards, trained_shards
from pytest_sagemaker.job.judge import CHECKS, judge
from pytest_sagemaker.plugin.options import LauncherChoice, read_options
from pytest_sagemaker.plugin.runs import CannotRunError, runs_of
from pytest_sagemaker.tiny import Tiny

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from pytest_sagemaker.finding import Finding
    from pytest_sagemaker.job.record import JobRecord

__all__ = ["Job", "SagemakerJob", "Shards"]

T = TypeVar("T")


class SagemakerJob:
    """Runs training scripts as SageMaker jobs on faked hosts: the type of the fixture `sagemaker_job`."""

    def __init__(self, config: pytest.Config, base: Path, tmp: Path) -> None:
        """Relative paths start from `base`; tiny data is written below `tmp`."""
        self._config, self._base, self._tmp = config, base, tmp

    def __call__(
        self,
        script: str | Path,
        *,
        hosts: int | None = None,
        processes: int | None = None,
        launcher: LauncherChoice | None = None,
        hyperparameters: Mapping[str, object] | None = None,
        channels: Mapping[str, str | Path | Tiny] | None = None,
        timeout: float | None = None,
    ) -> Job:
        """Run a script, and return what was observed; a job that fails returns too.

        Paths are relative to the test's file. What is not given comes from the options (`--sagemaker-hosts`
        and so on); what these leave open is chosen by what the script declares and reads. `timeout` is in
        seconds, for the whole job. A channel is a folder, a file, or tiny data (`tiny.mnist()`).

        Raises:
            FileNotFoundError: there is no such script, or no such data for a channel.
            CannotRunError: the script does not parse, its data cannot be recognised, torch is missing.
        """
        __tracebackhide__ = True
        options = read_options(self._config)
        options = replace(
            options,
            hosts=_or(hosts, options.hosts),
            processes=_or(processes, options.processes),
            launcher=_or(launcher, options.launcher),
            hyperparameters={**options.hyperparameters, **(hyperparameters or {})},
            channels={**options.channels, **{n: self._channel(n, d) for n, d in (channels or {}).items()}},
            timeout=_or(timeout, options.timeout),
        )
        runs = runs_of(self._config)
        try:
            planned = runs.plan(self._existing(script), options)
        except Unjudged as reason:
            raise CannotRunError(str(reason)) from None
        return Job(runs.run(planned.spec))

    def _channel(self, name: str, data: str | Path | Tiny) -> Path:
        if not isinstance(data, Tiny):
            return self._existing(data)
        taken = sum(1 for _ in self._tmp.iterdir())
        return data.write(self._tmp / f"{taken}-{name}")

    def _existing(self, path: str | Path) -> Path:
        __tracebackhide__ = True
        found = (self._base / path).resolve()
        if not found.exists():
            raise FileNotFoundError(f"no such file or folder: {found}")
        return found


@dataclass(frozen=True)
class Job:
    """A job that has run. `record` holds everything that was observed."""

    record: JobRecord

    def check(self, code: str) -> None:
        """Assert that one check (`SM804`) finds nothing.

        Raises:
            AssertionError: it found something, or cannot be judged; with the evidence, or the reason.
            ValueError: there is no such check.
        """
        __tracebackhide__ = True
        checks = {check.code: check for check in scan(CHECKS)}
        if code not in checks:
            raise ValueError(f"{code} is no check; they are {', '.join(checks)}")
        verdict = judge(checks[code], self.record)
        if verdict.unjudged:
            raise AssertionError(_text([f"{code} cannot be judged: {verdict.unjudged}"], self._findings()))
        if verdict.findings:
            raise AssertionError(_text([], verdict.findings))

    def assert_ok(self) -> None:
        """Assert that no check finds anything; what cannot be judged is no fault.

        Raises:
            AssertionError: with every finding and its evidence.
        """
        __tracebackhide__ = True
        if findings := self._findings():
            raise AssertionError(_text([], findings))

    def shards(self, name: str) -> Shards:
        """What each rank trained on, of one data set.

        `name` is that of the data set (`MNIST`, or `MNIST[60]` where several have the name), or of a channel
        of a job that trained on one data set only: which file came from which channel is not recorded.

        Raises:
            KeyError: there is no such data set, or the channel does not tell which; with those there are.
        """
        __tracebackhide__ = True
        every = trained_shards(self.record)
        found = [shards for shards in every if name in (shards.dataset, shards.dataset.partition("[")[0])]
        if not found and name in self.record.channels:
            found = every
        if len(found) != 1:
            there = ", ".join(shards.dataset for shards in every) or "none"
            raise KeyError(f"{name!r} does not name one data set that was trained on; there are: {there}")
        return found[0]

    def _findings(self) -> tuple[Finding, ...]:
        return tuple(finding for check in scan(CHECKS) for finding in judge(check, self.record).findings)


def _or(given: T | None, otherwise: T) -> T:
    return otherwise if given is None else given


def _text(head: list[str], findings: tuple[Finding, ...]) -> str:
    lines = list(head)
    for finding in findings:
        lines.append(f"{Path(finding.path).name}:{finding.span.line}: {finding.code} {finding.message}")
        lines += [f"  {line}" for line in finding.evidence]
    return "\n".join(lines)
