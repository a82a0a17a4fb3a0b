"""Ranks took different numbers of optimizer steps.

Under DDP the rank with more batches waits for one that has left: `Connection closed by peer` at the end of
an epoch, or a hang in a barrier. Without DDP there is no error, and the copies drift apart.

Why it fails:
Each step of DDP is a collective, so all ranks need the same number of batches. Files of different length
per host (ShardedByS3Key), an IterableDataset or a filter give some ranks more.

Use instead:
DistributedSampler, which pads or drops so that shards are even; for streams, stop all ranks at the
shortest, or wrap the loop in `with model.join():`.

False alarms:
`join()` makes uneven steps safe; a script that uses it on purpose may leave this out with `-k "not SM807"`.

Source:
https://github.com/Lightning-AI/pytorch-lightning/issues/20404
https://docs.pytorch.org/tutorials/advanced/generic_join.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sagemaker.finding import Fault, Severity, Span
from pytest_sagemaker.job.checks import examples
from pytest_sagemaker.job.checks.preconditions import needs_steps, needs_world
from pytest_sagemaker.job.checks.shards import samples_read
from pytest_sagemaker.job.checks.wording import counted, named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.job.record import JobRecord

SEVERITY: Severity = "E"

_SHORT = (examples.reads(examples.shard(1, samples=24)),)

BAD: dict[str, JobRecord] = {
    "shorter-shard": examples.job(
        examples.sound_rank(0, steps=4, training=(examples.reads(examples.shard(0)),)),
        examples.sound_rank(1, steps=3, training=_SHORT),
    ),
    "one-rank-idle": examples.job(examples.sound_rank(0), examples.sound_rank(1, steps=0)),
}
GOOD: dict[str, JobRecord] = {
    "even": examples.SOUND,
    "uneven-samples-even-steps": examples.job(
        examples.sound_rank(0, steps=4), examples.sound_rank(1, steps=4, training=_SHORT)
    ),
    "unjudged-one-rank": examples.ALONE,
    "unjudged-nothing-trained": examples.varied(steps=0),
    "unjudged-no-world": examples.job(
        examples.sound_rank(0, world=None), examples.sound_rank(1, world=None, steps=1)
    ),
}


def check(record: JobRecord) -> Iterator[Fault]:
    needs_world(record)
    needs_steps(record)
    least = min(record.ranks, key=lambda rank: rank.steps)
    most = max(record.ranks, key=lambda rank: rank.steps)
    if least.steps != most.steps:
        yield Fault(
            Span(1),
            f"ranks took different numbers of optimizer steps: {named(most)} {most.steps}, "
            f"{named(least)} {least.steps}",
            help="give every rank as many batches: DistributedSampler pads the shards, model.join() waits",
            evidence=tuple(
                f"{named(rank)}: {counted(rank.steps, 'step')} on {counted(samples_read(rank), 'sample')}"
                for rank in record.ranks
            ),
        )
