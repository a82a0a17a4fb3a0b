"""The jobs of a pytest session: one engine for all of them, one run for each."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_sagemaker.catalogue import Unjudged
from pytest_sagemaker.contract import HyperparameterError
from pytest_sagemaker.job.channels import ChannelError
from pytest_sagemaker.job.engine import EngineError
from pytest_sagemaker.job.run import Session
from pytest_sagemaker.plugin.plan import PlanError, plan

if TYPE_CHECKING:
    from pytest_sagemaker.job.record import JobRecord
    from pytest_sagemaker.job.spec import JobSpec
    from pytest_sagemaker.plugin.plan import Options, Plan


class CannotRunError(Exception):
    """No record could be made; the message says why, and what to do."""


class Runs:
    """Engine and temporary files of one pytest session, made on first use, gone at its end."""

    def __init__(self) -> None:
        """Nothing is started yet."""
        self._stack = ExitStack()
        self._engine: Session | None = None
        self._broken: EngineError | None = None

    def start(self) -> None:
        """Start the engine if it is not there; a failure is told by the first run."""
        if self._engine is None and self._broken is None:
            try:
                self._engine = self._stack.enter_context(Session())
            except EngineError as error:
                self._broken = error

    def plan(self, script: Path, options: Options) -> Plan:
        """Complete a job; its tiny data lives as long as the session.

        Raises:
            CannotRunError: what the script reads cannot be recognised, or made without torch.
            Unjudged: the script does not parse.
        """
        __tracebackhide__ = True
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="pytest-sagemaker-"))
        try:
            return plan(script, options, Path(folder))
        except (PlanError, ModuleNotFoundError) as error:
            raise CannotRunError(str(error)) from None

    def run(self, spec: JobSpec) -> JobRecord:
        """Run one job.

        Raises:
            CannotRunError: the engine is broken, or a channel or hyperparameter cannot be given.
        """
        __tracebackhide__ = True
        self.start()
        if self._engine is None:
            raise CannotRunError(str(self._broken))
        try:
            return self._engine.run(spec)
        except (EngineError, ChannelError, HyperparameterError) as error:
            raise CannotRunError(str(error)) from None

    def close(self) -> None:
        """Stop the engine, remove the folders."""
        self._stack.close()


_RUNS = pytest.StashKey[Runs]()


def runs_of(config: pytest.Config) -> Runs:
    """The session's runs."""
    if _RUNS not in config.stash:
        config.stash[_RUNS] = Runs()
        config.add_cleanup(config.stash[_RUNS].close)
    return config.stash[_RUNS]


class ScriptRun:
    """One script as one job: planned and run when first asked for, then remembered."""

    def __init__(self, script: Path, options: Options, runs: Runs) -> None:
        """Nothing runs yet."""
        self._script, self._options, self._runs = script, options, runs
        self._record: JobRecord | None = None
        self._without: Unjudged | None = None
        self._chosen = ""

    def record(self) -> JobRecord:
        """What the job did.

        Raises:
            CannotRunError: there can be no record. This, and any failure of ours, is raised once: later calls
                raise Unjudged.
            Unjudged: the script does not parse, or the job could not run.
        """
        if self._without:
            raise self._without
        if self._record is None:
            try:
                self._record = self._run()
            except Unjudged as reason:
                self._without = reason
                raise
            except Exception as error:
                self._without = Unjudged(f"the job could not run: {str(error) or type(error).__name__}")
                raise
        return self._record

    def take_chosen(self) -> str:
        """What the job chose by itself, in one line; once."""
        chosen, self._chosen = self._chosen, ""
        return chosen

    def _run(self) -> JobRecord:
        planned = self._runs.plan(self._script, self._options)
        record = self._runs.run(planned.spec)
        said = [*planned.chosen, *record.notes]
        self._chosen = f"{self._script.name}: {', '.join(said)}" if said else ""
        return record
