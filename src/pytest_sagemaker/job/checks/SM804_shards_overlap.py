"""Two ranks trained on the same samples in one epoch.

No error. Every rank reads the whole data set: N hosts do the work of one, an epoch takes as long as on one
host, and the loss is that of a larger batch of repeated samples.

Why it fails:
A DataLoader knows nothing of ranks. Without a DistributedSampler (or another way of sharding) each rank
iterates over everything; with a sampler that is given the wrong rank or number of replicas, shards
coincide.

Use instead:
`DistributedSampler(dataset)` as the loader's `sampler=`, after `init_process_group`; for an IterableDataset
take every `world_size`-th sample from `rank` on.

False alarms:
The few samples that a sampler repeats to make the shards even are not counted. Without an index samples are
told by content: up to a tenth may look alike. Tensor or pipeline parallel ranks read the same samples on
purpose.

Source:
https://github.com/aws/amazon-sagemaker-examples/pull/191
https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.distributed.DistributedSampler
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sagemaker.finding import Fault, Severity, Span
from pytest_sagemaker.job.checks import examples
from pytest_sagemaker.job.checks.preconditions import needs_training, needs_world
from pytest_sagemaker.job.checks.shards import Overlap, Shards, trained_shards
from pytest_sagemaker.job.checks.wording import counted, few, joined, named, ordered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.job.record import JobRecord

SEVERITY: Severity = "E"

_ALL = examples.shard(0, world=1)
_PADDED = (*examples.shard(1, samples=31), "#0")

BAD: dict[str, JobRecord] = {
    "no-sampler": examples.varied(training=(examples.reads(_ALL, _ALL[::-1]),)),
    "same-rank-twice": examples.varied(training=(examples.reads(examples.shard(0)),)),
    "second-epoch-only": examples.job(
        examples.sound_rank(0, training=(examples.reads(examples.shard(0), _ALL),)),
        examples.sound_rank(1, training=(examples.reads(examples.shard(1), examples.shard(1, epoch=1)),)),
    ),
    "by-content": examples.varied(
        training=(examples.reads(tuple("abcdefgh"), dataset="stream", size=0, by="content"),)
    ),
}
GOOD: dict[str, JobRecord] = {
    "disjoint": examples.SOUND,
    "swapped-between-epochs": examples.job(
        examples.sound_rank(0, training=(examples.reads(examples.shard(0), examples.shard(1)),)),
        examples.sound_rank(1, training=(examples.reads(examples.shard(1), examples.shard(0)),)),
    ),
    "padding": examples.job(
        examples.sound_rank(0, training=(examples.reads(examples.shard(0, samples=31), padding=1),)),
        examples.sound_rank(1, training=(examples.reads(_PADDED, padding=1),)),
    ),
    "evaluation-on-all-ranks": examples.varied(
        evaluation=(examples.reads(_ALL, _ALL, dataset="MNIST-test[32]"),)
    ),
    "unjudged-one-rank": examples.ALONE,
    "unjudged-no-world": examples.varied(world=None, training=(examples.reads(_ALL),)),
    "unjudged-nothing-trained": examples.varied(steps=0, training=()),
}

_PAIRS = 6


def check(record: JobRecord) -> Iterator[Fault]:
    needs_world(record)
    needs_training(record)
    for shards in trained_shards(record):
        overlaps = shards.overlaps
        if overlaps:
            yield _fault(record, shards, overlaps)


def _fault(record: JobRecord, shards: Shards, overlaps: list[Overlap]) -> Fault:
    first = overlaps[0]
    names = {rank.rank: named(rank) for rank in record.ranks}
    involved = sorted({rank for a, b, _ in first.pairs for rank in (a, b)})
    read = len({sample for rank in involved for sample in shards.epochs[rank][first.epoch - 1]})
    pairs = [
        f"{names[a]} and {names[b]}: {counted(len(samples), 'sample')}, {few(ordered(samples))}"
        for a, b, samples in first.pairs
    ]
    more = [f"{len(pairs) - _PAIRS} more pairs of ranks"] if len(pairs) > _PAIRS else []
    later = [f"also in epoch {joined([str(o.epoch) for o in overlaps[1:]])}"] if overlaps[1:] else []
    return Fault(
        Span(1),
        f"ranks {joined([str(rank) for rank in involved])} trained on the same samples of {shards.dataset}: "
        f"{len(first.samples)} of the {read} they read in epoch {first.epoch}",
        help="give the training DataLoader sampler=DistributedSampler(dataset): see SM406",
        evidence=(*pairs[:_PAIRS], *more, *later),
    )
