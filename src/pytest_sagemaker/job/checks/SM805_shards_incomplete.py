"""Samples that no rank trained on.

No error: a part of the data, the same in every epoch, never reaches the model, and the accuracy stays below
that of one host.

Why it fails:
The sampler counts more replicas than there are ranks, or a shard is cut short by hand-made arithmetic.

Use instead:
`DistributedSampler(dataset)` over data that every host has whole: it takes both numbers from the process
group.

False alarms:
Samples that `drop_last` leaves out or that were evaluated on are not counted, nor is the rest of a Subset
that all ranks share. Hand-made shards of only a part of the data are reported: leave it out with
`-k "not SM805"`.

Source:
https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.distributed.DistributedSampler
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_sagemaker.catalogue import Unjudged
from pytest_sagemaker.finding import Fault, Severity, Span
from pytest_sagemaker.job.checks import examples
from pytest_sagemaker.job.checks.preconditions import needs_training, needs_world
from pytest_sagemaker.job.checks.shards import Shards, trained_shards
from pytest_sagemaker.job.checks.wording import counted, few, ordered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.job.record import JobRecord

SEVERITY: Severity = "W"


def _sharded(world: int, steps: int, covers: int = 8) -> JobRecord:
    """Two ranks, each with the shard that one of `world` replicas gets."""
    shards = [examples.reads(examples.shard(rank, world), covers=covers) for rank in range(2)]
    return examples.job(
        *(examples.sound_rank(rank, steps=steps, training=(reads,)) for rank, reads in enumerate(shards))
    )


_VALIDATED = examples.reads(tuple(f"#{index}" for index in range(32) if index % 4 > 1))

BAD: dict[str, JobRecord] = {
    "too-many-replicas": _sharded(world=4, steps=2, covers=32),
    "hand-made-shards-too-short": _sharded(world=4, steps=2),
    "by-content": examples.job(
        *(
            examples.sound_rank(
                rank, training=(examples.reads(tuple(f"{rank}{c}" for c in "abcd"), by="content"),)
            )
            for rank in range(2)
        )
    ),
}
GOOD: dict[str, JobRecord] = {
    "complete": examples.SOUND,
    "last-batch-dropped": examples.job(
        *(
            examples.sound_rank(rank, steps=3, training=(examples.reads(examples.shard(rank, samples=26)),))
            for rank in range(2)
        )
    ),
    "the-rest-is-for-validation": replace(
        _sharded(world=4, steps=2),
        ranks=tuple(replace(rank, evaluation=(_VALIDATED,)) for rank in _sharded(world=4, steps=2).ranks),
    ),
    "a-part-on-purpose": examples.job(
        *(
            examples.sound_rank(rank, training=(examples.reads(examples.shard(rank, samples=8), covers=8),))
            for rank in range(2)
        )
    ),
    "identical-rows": examples.job(
        *(
            examples.sound_rank(
                rank,
                training=(examples.reads(tuple(rows), by="content", dataset="rows", size=24, covers=24),),
            )
            for rank, rows in enumerate(("abcdefghijkl", "amnopqrstuvw"))
        )
    ),
    "unjudged-stopped-early": examples.varied(training=(examples.reads(("#1", "#2"), whole=False),)),
    "unjudged-overlap-explains-it": examples.varied(training=(examples.reads(examples.shard(0)),)),
    "unjudged-with-replacement": examples.varied(training=(examples.reads(("#1", "#1", "#2", "#2")),)),
    "covered-and-size-unknown": examples.job(
        *(
            examples.sound_rank(rank, training=(examples.reads(tuple(c), by="content", size=0, covers=4),))
            for rank, c in enumerate(("ab", "cd"))
        )
    ),
    "unjudged-size-unknown": examples.varied(
        training=(examples.reads(("a", "b"), size=0, by="content", dataset="stream"),)
    ),
    "unjudged-one-rank": examples.ALONE,
}


def check(record: JobRecord) -> Iterator[Fault]:
    needs_world(record)
    needs_training(record)
    judged = [shards for shards in trained_shards(record) if shards.covers or shards.size]
    if not judged:
        raise Unjudged("how many samples there are is not known")
    if not all(shards.disjoint for shards in judged):
        raise Unjudged("the shards overlap: see SM804")
    for shards in judged:
        if not shards.whole:
            raise Unjudged(f"{shards.dataset} was not read to its end")
        if shards.repeats:
            raise Unjudged(f"samples of {shards.dataset} came several times in an epoch")
        missing = max(0, shards.covers - shards.reached) or _left_out_by_hand(record, shards)
        if missing > 0:
            whole = max(shards.size, shards.covers)
            per_epoch = {rank: max(map(len, epochs)) for rank, epochs in shards.epochs.items()}
            yield Fault(
                Span(1),
                f"{missing} of {whole} samples of {shards.dataset} were trained on by no rank",
                help="shard the data once, over as many replicas as there are ranks",
                evidence=(
                    *_names(record, shards),
                    *(f"rank {rank}: {counted(read, 'sample')} an epoch" for rank, read in per_epoch.items()),
                ),
            )


def _left_out_by_hand(record: JobRecord, shards: Shards) -> int:
    """Samples that are missing where ranks read more than a loader covers: each has a data set of its own.

    Made by hand, these should make up the whole, evaluation aside; `drop_last` may cost each nearly a batch,
    whose size follows from samples and steps. Ranks that read just what a loader covers share its data set,
    be it a part of the whole.
    """
    if max(shards.per_epoch) <= shards.covers or not shards.size:
        return 0
    steps = {rank.rank: rank.steps for rank in record.ranks}
    read = {rank: sum(map(len, epochs)) for rank, epochs in shards.epochs.items()}
    dropped = sum(-(-read[rank] // max(1, steps[rank])) - 1 for rank in read)
    missing = shards.size - max(shards.reached, len(shards.union | _evaluated(record, shards)))
    return missing if missing > dropped else 0


def _evaluated(record: JobRecord, shards: Shards) -> frozenset[str]:
    return frozenset().union(
        *(r.samples for rank in record.ranks for r in rank.evaluation if r.dataset == shards.dataset)
    )


def _names(record: JobRecord, shards: Shards) -> list[str]:
    """Which samples are missing, where they have an index."""
    if not shards.by_index:
        return []
    every = frozenset(f"#{index}" for index in range(shards.size))
    return [f"never trained on: {few(ordered(every - shards.union - _evaluated(record, shards)))}"]
