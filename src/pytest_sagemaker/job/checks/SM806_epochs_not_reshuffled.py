"""The loader was asked to shuffle, and gave the same order in every epoch.

No error: every epoch meets the same batches in the same order, and training converges more slowly and to a
worse model.

Why it fails:
DistributedSampler shuffles with `seed + epoch`, so that all ranks agree on the order, and it learns the
epoch only from `set_epoch`. Without that call each epoch is epoch 0.

Use instead:
`sampler.set_epoch(epoch)` as the first line of the epoch loop, before the loader is iterated.

False alarms:
Fewer than eight samples a rank are not judged: their order may repeat by chance. A script that seeds every
epoch alike on purpose, to overfit a batch, is reported: leave it out with `-k "not SM806"`.

Source:
https://github.com/pytorch/pytorch/issues/31771
https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.distributed.DistributedSampler
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sagemaker.catalogue import Unjudged
from pytest_sagemaker.finding import Fault, Severity, Span
from pytest_sagemaker.job.checks import examples
from pytest_sagemaker.job.checks.preconditions import needs_success, needs_training
from pytest_sagemaker.job.checks.shards import joined_epochs
from pytest_sagemaker.job.checks.wording import few, joined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.job.record import JobRecord, Rank

SEVERITY: Severity = "W"

_OWN = examples.shard(0)
_OTHERS = examples.shard(1)

BAD: dict[str, JobRecord] = {
    "set-epoch-missing": examples.job(
        examples.sound_rank(0, training=(examples.reads(_OWN, _OWN),)),
        examples.sound_rank(1, training=(examples.reads(_OTHERS, _OTHERS),)),
    ),
    "new-loader-each-epoch": examples.job(
        examples.sound_rank(0, training=(examples.reads(_OWN), examples.reads(_OWN))),
        examples.sound_rank(1),
    ),
    "one-rank": examples.job(examples.sound_rank(0, of=1, training=(examples.reads(_OWN, _OWN),))),
}
GOOD: dict[str, JobRecord] = {
    "reshuffled": examples.SOUND,
    "unjudged-not-asked-to": examples.varied(training=(examples.reads(_OWN, _OWN, shuffles=False),)),
    "unjudged-one-epoch": examples.varied(training=(examples.reads(_OWN),)),
    "unjudged-few-samples": examples.varied(training=(examples.reads(("#0", "#2"), ("#0", "#2")),)),
    "unjudged-failed": examples.CRASHED,
}

_BY_CHANCE = 8  # samples of which two orders agree by chance once in 40,320 times

Epochs = tuple[tuple[str, ...], ...]


def check(record: JobRecord) -> Iterator[Fault]:
    needs_success(record)
    needs_training(record)
    shuffled = {rank.rank: _shuffled(rank) for rank in record.ranks}
    if not any(shuffled.values()):
        raise Unjudged("no training loader was asked to shuffle")
    judged = [
        (rank, dataset, epochs)
        for rank, datasets in shuffled.items()
        for dataset, epochs in datasets.items()
        if len(epochs) > 1 and len(set(epochs[0])) >= _BY_CHANCE
    ]
    if not judged:
        raise Unjudged(f"fewer than two epochs, or than {_BY_CHANCE} samples a rank")
    repeated = [(rank, dataset, epochs) for rank, dataset, epochs in judged if len(set(epochs)) == 1]
    for dataset in dict.fromkeys(dataset for _, dataset, _ in repeated):
        ranks = {rank: epochs for rank, name, epochs in repeated if name == dataset}
        yield Fault(
            Span(1),
            f"{dataset} came in the same order in all {len(next(iter(ranks.values())))} epochs "
            f"on rank{'s' if len(ranks) > 1 else ''} {joined([str(rank) for rank in ranks])}",
            help="call sampler.set_epoch(epoch) at the start of each epoch: see SM408",
            evidence=tuple(
                f"rank {rank}, every epoch: {few(epochs[0], 8)}" for rank, epochs in ranks.items()
            ),
        )


def _shuffled(rank: Rank) -> dict[str, Epochs]:
    """The epochs of each data set that the rank asked to have shuffled, those of several loaders joined."""
    asked = [reads for reads in rank.training if reads.shuffles]
    names = dict.fromkeys(reads.dataset for reads in asked)
    return {name: joined_epochs([reads for reads in asked if reads.dataset == name]) for name in names}
