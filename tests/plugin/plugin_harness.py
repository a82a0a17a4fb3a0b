"""A pytest plugin for our tests: it runs `pytest --sagemaker-check` on an engine that runs nothing."""

from __future__ import annotations

from typing import Protocol

import pytest
from fake_engine import FakeEngine

from pytest_sagemaker.catalogue import scan
from pytest_sagemaker.job.judge import CHECKS
from pytest_sagemaker.lint.run import RULES
from pytest_sagemaker.plugin import items, runs, testing

_ONCE = (items, testing, scan(CHECKS), scan(RULES))  # pytester forgets what is first imported during a test


class Check(Protocol):
    """`pytest --sagemaker-check` with further arguments, in this process, in pytester's folder."""

    def __call__(self, *args: str, flag: str = "--sagemaker-check") -> pytest.RunResult: ...


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """The engine of every job in this test: it runs nothing, and answers with `engine.answer`."""
    engine = FakeEngine()
    monkeypatch.setattr(runs, "Session", engine)
    return engine


@pytest.fixture
def check(pytester: pytest.Pytester, engine: FakeEngine) -> Check:  # noqa: ARG001 -- put in place by it
    """Run the plugin on the fake engine. Hypothesis' plugin stays out: it costs a second."""

    def run(*args: str, flag: str = "--sagemaker-check") -> pytest.RunResult:
        return pytester.runpytest_inprocess("-p", "no:hypothesispytest", *filter(None, [flag]), *args)

    return run
