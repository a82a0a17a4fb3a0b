"""The job outlived its limit.

No error and no progress: the job runs, and is paid for, until its `max_run` ends it (a day by default).
With NCCL the watchdog speaks after ten minutes, with gloo after thirty.

Why it fails:
A rank waits in a collective (all_reduce, barrier, the backward pass of DDP) that another never reaches: it
stands inside `if rank == 0`, the other rank ended early, has fewer batches, or joined another group.

Use instead:
Let every rank reach the same collectives in the same order; guard only the saving with `if rank == 0`, and
put the barrier outside.

False alarms:
A job that is only slow: give it more time with `--sagemaker-timeout SECONDS`, fewer epochs with
`--sagemaker-hp`, or less data with `--sagemaker-channel`.

Source:
https://github.com/pytorch/pytorch/issues/54059
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StoppingCondition.html
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_sagemaker.catalogue import Unjudged
from pytest_sagemaker.finding import Fault, Severity, Span
from pytest_sagemaker.job.checks import examples
from pytest_sagemaker.job.checks.failures import culprit, leavers, spoken
from pytest_sagemaker.job.checks.wording import counted, joined, named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.job.record import JobRecord, Rank

SEVERITY: Severity = "E"

_IN_BARRIER = """\
Thread 0x01 (most recent call first):
  File "torch/distributed/distributed_c10d.py", line 4818 in barrier
  File "/opt/ml/code/train.py", line 41 in train
  File "/opt/ml/code/train.py", line 58 in <module>
"""
_MEETING = """\
Current thread 0x01 (most recent call first):
  File "torch/distributed/distributed_c10d.py", line 1892 in init_process_group
  File "train.py", line 36 in train
"""


def _stuck(rank: int, stack: str, **fields: Any) -> Rank:
    return examples.sound_rank(rank, exit_code=None, ended_by_us=True, stack=stack, **fields)


BAD: dict[str, JobRecord] = {
    "barrier-on-rank-zero": replace(examples.HUNG, ranks=(_stuck(0, _IN_BARRIER), _stuck(1, ""))),
    "left-early": replace(examples.HUNG, ranks=(_stuck(0, _IN_BARRIER), examples.sound_rank(1))),
    "ranks-never-met": replace(
        examples.HUNG, ranks=tuple(_stuck(rank, _MEETING, world=None) for rank in range(2))
    ),
}
GOOD: dict[str, JobRecord] = {
    "in-time": examples.SOUND,
    "failed-in-time": examples.CRASHED,
    "unjudged-failed-first": replace(examples.CRASHED, hung=True),
}

_FRAMES = 15
_COLLECTIVES = "every rank must reach the same collectives in the same order: see SM410"


def check(record: JobRecord) -> Iterator[Fault]:
    if not record.hung:
        return
    if culprit(record):
        raise Unjudged("a rank failed before the job hung: see SM801")
    stood = [rank for rank in record.ranks if rank.exit_code != 0]
    lines = [line for rank in stood if (line := _line(rank.stack, record.script))]
    what, advice = _cause(record, stood)
    yield Fault(
        Span(lines[0] if lines else 1),
        f"the job did not end within {record.timeout:g} s{what}",
        help=advice,
        evidence=tuple(line for rank in record.ranks for line in _stood(rank, record.script)),
    )


def _cause(record: JobRecord, stood: list[Rank]) -> tuple[str, str]:
    """What the stacks tell, and what to do."""
    if left := joined([named(rank) for rank in leavers(record)]):
        return f": {left} ended with exit code 0, the others waited", _COLLECTIVES
    if stood and all(rank.world is None and "init_process_group" in rank.stack for rank in stood):
        advice = (
            f"give each rank its own number from 0 on, and world_size {record.world_size}: see SM208, SM404"
        )
        return ": the ranks did not find each other in init_process_group", advice
    return "", f"{_COLLECTIVES}. If it is only slow, give it more time with --sagemaker-timeout"


def _stood(rank: Rank, script: str) -> list[str]:
    """Where a rank was at the deadline."""
    after = f"{named(rank)}, after {counted(rank.steps, 'step')}"
    if rank.exit_code == 0:
        return [f"{after}: ended with exit code 0"]
    if rank.failure:
        return [f"{after}: {spoken(rank)}"]
    frames = _thread(rank.stack, script)
    return [f"{after}, stood at:" if frames else f"{after}: no stack could be taken", *frames]


def _thread(stack: str, script: str) -> list[str]:
    """The frames of the thread that runs the script; of the last one where none does."""
    threads = re.split(r"\n(?=(?:Current thread|Thread) )", stack.strip())
    own = [thread for thread in threads if _line(thread, script)]
    frames = [line for line in (own or threads)[-1].splitlines() if line.strip()]
    return frames[:_FRAMES] if _newest_first(stack) else frames[-_FRAMES:]


def _line(stack: str, script: str) -> int:
    """The script's innermost line on a stack, 0 where it is not on it."""
    name = re.escape(script.rpartition("/")[2])
    found = re.findall(rf'File "(?:[^"]*[/\\])?{name}", line (\d+)', stack)
    return int(found[0 if _newest_first(stack) else -1]) if found else 0


def _newest_first(stack: str) -> bool:
    """faulthandler prints the innermost frame first, traceback prints it last."""
    return "most recent call first" in stack
