"""Each fixture fails the checks that its first line names; a reference script fails none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from expectations import expectation, fixtures, name

from pytest_sagemaker.job.judge import judge_all
from pytest_sagemaker.job.run import Session
from pytest_sagemaker.plugin.plan import Options, plan

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.ranks

REFERENCE_SCRIPTS = Path(__file__).resolve().parents[2] / "reference_scripts"


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


@pytest.mark.parametrize(
    ("script", "hosts", "processes"),
    [
        ("train_ddp.py", 1, 1),
        ("train_ddp.py", 2, 1),
        ("train_ddp.py", 2, 2),
        ("train_single_host.py", 1, 1),
        ("train_single_host.py", 2, 1),
    ],
)
def test_reference_script_passes_every_check(
    script: str, hosts: int, processes: int, session: Session, tmp_path: Path
) -> None:
    options = Options(hosts=hosts, processes=processes)

    record = session.run(plan(REFERENCE_SCRIPTS / script, options, tmp_path).spec)

    verdicts = {verdict.check.code: verdict for verdict in judge_all(record)}
    assert [finding for verdict in verdicts.values() for finding in verdict.findings] == []
    assert verdicts["SM814"].unjudged == ""  # what was trained is what model_fn loads
