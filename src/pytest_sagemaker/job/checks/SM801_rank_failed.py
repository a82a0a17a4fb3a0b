"""A rank ended with an error.

The job fails with `ExecuteUserScriptError ... exit code: 1`. The log shows a traceback per rank, and the
loudest are often the ranks that only lost their peer: `Connection closed by peer`, `Timed out waiting`.

Why it fails:
SageMaker ends a job as Failed when any rank exits non-zero. The first rank that failed by itself is the
cause; what the others say afterwards is its consequence. A rank that ends early with exit code 0 leaves the
others waiting too.

Use instead:
Read the traceback of the rank that is named, and correct that line. A missing channel is given with
`--sagemaker-channel NAME=PATH`, a missing package belongs in requirements.txt beside the script.

False alarms:
A script that exits non-zero on purpose when the tiny data is too small for it: give it real samples with
`--sagemaker-channel`.

Source:
https://github.com/pytorch/pytorch/issues/113546 (name the rank that failed first)
https://github.com/aws/sagemaker-training-toolkit/blob/master/src/sagemaker_training/errors.py
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_sagemaker.catalogue import Unjudged
from pytest_sagemaker.finding import Fault, Severity, Span
from pytest_sagemaker.job.checks import examples
from pytest_sagemaker.job.checks.failures import collateral, culprit, ending, failing, leavers, spoken
from pytest_sagemaker.job.checks.shards import samples_read
from pytest_sagemaker.job.checks.wording import counted, joined, named, tail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.job.record import JobRecord, Rank

SEVERITY: Severity = "E"

_MISSING = "No module named 'torchvision'"

BAD: dict[str, JobRecord] = {
    "raised-on-one-rank": examples.CRASHED,
    "channel-not-given": examples.failed(
        *(
            examples.sound_rank(
                rank, exit_code=1, failure=examples.raised("KeyError", "'SM_CHANNEL_TRAIN'", line=9)
            )
            for rank in range(2)
        )
    ),
    "package-missing": examples.failed(
        examples.sound_rank(0, exit_code=1, failure=examples.raised("ModuleNotFoundError", _MISSING, line=3)),
    ),
    "argparse-refused": examples.failed(
        examples.sound_rank(
            0,
            exit_code=2,
            failure=examples.raised("SystemExit", "2", line=12),
            output="usage: train.py [-h]\ntrain.py: error: unrecognized arguments: --depth 3",
        ),
    ),
    "killed": examples.failed(examples.sound_rank(0), examples.sound_rank(1, exit_code=-11)),
    "left-early": examples.failed(
        examples.sound_rank(0, steps=1),
        examples.sound_rank(
            1, exit_code=1, failure=examples.raised("RuntimeError", examples.CLOSED, line=33)
        ),
    ),
}
GOOD: dict[str, JobRecord] = {
    "all-ranks-ended": examples.SOUND,
    "unjudged-hung": examples.HUNG,
}


_PREFIX = re.compile(r"^\[rank\d+\]: ", re.M)  # torch puts it before each line of a traceback


def check(record: JobRecord) -> Iterator[Fault]:
    if not record.failed:
        return
    first = culprit(record)
    if first:
        yield Fault(_span(first), _what(first), _advice(record, first), evidence=_evidence(record, first))
    elif record.hung:
        raise Unjudged("the job hung: see SM802")
    else:
        yield _abandoned(record)


def _span(rank: Rank) -> Span:
    return Span(max(1, rank.failure.line if rank.failure else 1))


def _what(rank: Rank) -> str:
    refused = _refusal(rank)
    return f"{named(rank)} {ending(rank)}" + (f": argparse says `{refused}`" if refused else "")


def _refusal(rank: Rank) -> str:
    """argparse's own line, which the job's FailureReason never shows."""
    said = re.findall(r"^\S+: error: .+$", rank.output, re.M) if rank.exit_code == 2 else []
    return said[-1] if said else ""


def _evidence(record: JobRecord, first: Rank) -> tuple[str, ...]:
    """The traceback, the last output lines that it does not repeat, then what became of the others."""
    traceback = tail(first.failure.traceback, 20) if first.failure else []
    output = [line for line in tail(_PREFIX.sub("", first.output), 10) if line not in traceback]
    others = [_other(rank, first) for rank in record.ranks if rank is not first]
    return (*traceback, *(["last output:"] if output else []), *(f"  {line}" for line in output), *others)


def _other(rank: Rank, first: Rank) -> str:
    if rank.exit_code == 0:
        said = "ended with exit code 0"
    elif collateral(rank):
        stopped = rank.ended_by_us or rank.exit_code is None
        said = f"its consequence: {'stopped by the runner' if stopped else _short(spoken(rank))}"
    elif spoken(rank) == spoken(first):
        said = "failed in the same way"
    else:
        said = f"failed too: {spoken(rank)}"
    return f"{named(rank)}: {said}"


def _short(words: str) -> str:
    """gloo's words without the place in its sources and the advice that follows."""
    return re.sub(r"\[/\S+\] ", "", words).partition(". ")[0]


def _abandoned(record: JobRecord) -> Fault:
    """No rank failed by itself: one left early, or they waited for each other in different places."""
    waiting = failing(record)[0]
    left = leavers(record)
    if left:
        gone = joined([f"{named(rank)} after {counted(rank.steps, 'step')}" for rank in left])
        message = f"{gone} ended with exit code 0 while {named(waiting)} waited"
        advice = (
            "every rank must take the same number of steps and reach the same collectives: see SM410, SM807"
        )
    else:
        message = f"{named(waiting)} waited for the other ranks in vain: {_short(spoken(waiting))}"
        advice = "every rank must reach the same collectives in the same order: see SM410"
    read = [f"{named(rank)} trained on {counted(samples_read(rank), 'sample')}" for rank in record.ranks]
    return Fault(_span(waiting), message, advice, evidence=(*_evidence(record, waiting), *read))


def _advice(record: JobRecord, rank: Rank) -> str:
    said = rank.failure.message if rank.failure else ""
    kind = rank.failure.kind.rpartition(".")[2] if rank.failure else ""
    if kind in {"ModuleNotFoundError", "ImportError"} and (
        module := re.search(r"No module named '([^'.]+)", said)
    ):
        return (
            f"`pip install {module[1]}` (or the package that provides it) here; for SageMaker name it in "
            "requirements.txt beside the script. A module of your own must lie beside the script."
        )
    channel = re.search(r"SM_CHANNEL_([\w-]+)|input/data/([\w-]+)", said)
    if channel and (name := (channel[1] or channel[2]).lower()) not in record.channels:
        given = f"channels given: {', '.join(record.channels)}" if record.channels else "no channel was given"
        return f"{given}; give this one with --sagemaker-channel {name}=PATH"
    if (
        re.search(r"^'?(?:environment variable )?(?:LOCAL_)?(?:RANK|WORLD_SIZE)\b", said)
        or "RANK expected" in said
    ):
        return "only torchrun sets this variable: --sagemaker-launcher torchrun, or derive it from SM_HOSTS"
    refused = _refusal(rank)
    if "unrecognized arguments" in refused:
        return "declare it with add_argument, or do not send it"
    if "are required" in refused:
        return "send it with --sagemaker-hp NAME=VALUE, or give it a default"
    return ""
