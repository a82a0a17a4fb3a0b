"""From what each process did to ranks, parameters, files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_sagemaker.job import assemble
from pytest_sagemaker.job.assemble import Process, family
from pytest_sagemaker.job.container import Host, RankPlan
from pytest_sagemaker.job.evidence import Evidence, Module
from pytest_sagemaker.job.launch import Ended
from pytest_sagemaker.job.record import World

if TYPE_CHECKING:
    from pathlib import Path

WELL = Ended(0, 1.0, False, "")


def host(root: Path, name: str = "algo-1") -> Host:
    ml = root / name / "opt" / "ml"
    for folder in ("code", "model", "output", "checkpoints"):
        (ml / folder).mkdir(parents=True)
    folders = (ml / "code", ml / "model", ml / "output", ml / "checkpoints")
    return Host(name, 0, root / name, *folders, environ={}, argv=("train.py",), cwd=ml / "code")


@pytest.fixture
def plan(tmp_path: Path) -> RankPlan:
    here = host(tmp_path)
    return RankPlan(0, 0, here, {}, ("train.py",), here.cwd)


def test_workers_count_for_their_rank(plan: RankPlan) -> None:
    own, worker = Evidence(steps=3, wrote=["a"], logged=1), Evidence(wrote=["b"], logged=2, visible=2)

    (process,) = family(Process(plan, WELL, own, ""), [worker])

    assert (process.evidence.steps, process.evidence.wrote) == (3, ["a", "b"])
    assert (process.evidence.logged, process.evidence.visible) == (3, 2)


def test_spawned_processes_are_the_ranks_where_the_first_only_waited(plan: RankPlan) -> None:
    spawned = [Evidence(world=World("gloo", rank, 4), steps=1) for rank in (3, 2)]
    idle = Evidence(logged=1)

    found = family(Process(plan, WELL, idle, ""), spawned)

    assert [process.plan.rank for process in found] == [3, 2]
    assert found[0].evidence.logged == 1
    assert [rank.rank for rank in assemble.ranks(found)] == [2, 3]


@pytest.mark.parametrize(
    ("own", "ended"), [(Evidence(steps=1), WELL), (Evidence(), Ended(1, 1.0, False, "")), (Evidence(), WELL)]
)
def test_launched_process_is_the_rank_otherwise(plan: RankPlan, own: Evidence, ended: Ended) -> None:
    others = [Evidence(steps=2)] if own.steps or ended.exit_code else [Evidence()]

    assert [process.plan for process in family(Process(plan, ended, own, ""), others)] == [plan]


def test_parameters_of_several_modules_carry_their_type() -> None:
    def module(last: str) -> Module:
        return Module("Net", False, {"w": "0"}, [{"w": last}])

    assert assemble.parameters([module("1")]).digests == {"w": "1"}
    assert assemble.parameters([module("0"), module("1")]).digests == {"Net.w": "0", "Net-2.w": "1"}
    assert assemble.parameters([module("0"), module("1")]).changed
    assert not assemble.parameters([module("0")]).changed


def test_files_that_are_new_and_not_collected(tmp_path: Path) -> None:
    here = host(tmp_path)
    (here.code / "train.py").touch()
    before = set(assemble.files(here.root))
    for path in ("code/out/log.txt", "code/__pycache__/x.pyc", "model/m.pth", "checkpoints/1.pth"):
        (here.code.parent / path).parent.mkdir(exist_ok=True)
        (here.code.parent / path).touch()

    assert assemble.elsewhere([here], before) == ("algo-1: /opt/ml/code/out/log.txt",)


def test_our_frames_are_not_in_a_stack(plan: RankPlan) -> None:
    package = assemble.__file__.rpartition("/job/")[0]
    stack = (
        f'  File "{package}/job/observe/names.py", line 1 in find\n'
        f'  File "{plan.host.code}/train.py", line 2 in main\n'
        f'  File "{package}/job/rank.py", line 3 in execute\n'
        '  File "<frozen runpy>", line 4 in _run_module_as_main\n'
    )
    (rank,) = assemble.ranks([Process(plan, WELL, Evidence(), stack)])

    assert rank.stack == '  File "train.py", line 2 in main\n'
