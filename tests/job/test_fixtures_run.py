"""Each fixture, run on two hosts, fails the checks that its first line names, and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from expectations import expectation, fixtures, name

from pytest_sagemaker.job.judge import judge_all
from pytest_sagemaker.job.run import Session
from pytest_sagemaker.plan import Options, plan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.ranks


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with Session() as session:
        yield session


@pytest.mark.parametrize("script", fixtures(), ids=name)
def test_fixture_fails_the_checks_of_its_first_line(script: Path, session: Session, tmp_path: Path) -> None:
    hangs = "SM802" in expectation(script).run
    options = Options(hosts=2, timeout=6.0 if hangs else 60.0)

    record = session.run(plan(script, options, tmp_path).spec)

    failed = {verdict.check.code: verdict.findings for verdict in judge_all(record) if verdict.findings}
    assert set(failed) == expectation(script).run, failed
