"""Which samples each rank trained on, per data set."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import chain, combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_sagemaker.job.record import JobRecord, Rank, Reads

# By content two samples can look the same (identical rows): a few shared ones prove nothing, unless the ranks
# read more samples than there are.
_ALIKE = 0.1


@dataclass(frozen=True)
class Overlap:
    """Samples of one epoch (counted from 1) that several ranks trained on, per pair of ranks."""

    epoch: int
    samples: frozenset[str]
    pairs: tuple[tuple[int, int, frozenset[str]], ...]


@dataclass(frozen=True)
class Shards:
    """One data set as the ranks trained on it: the epochs of each rank, in order. The rest is as in Reads."""

    dataset: str
    size: int
    by_index: bool
    padding: int
    covers: int
    whole: bool
    epochs: dict[int, tuple[tuple[str, ...], ...]]

    @property
    def union(self) -> frozenset[str]:
        """Every sample that some rank trained on."""
        return frozenset(chain.from_iterable(chain.from_iterable(self.epochs.values())))

    @property
    def overlaps(self) -> list[Overlap]:
        """Epochs in which ranks shared more samples than the sampler's padding explains."""
        found = (self._overlap(ordinal) for ordinal in range(len(self.per_epoch)))
        return [overlap for overlap in found if overlap]

    @property
    def disjoint(self) -> bool:
        """No two ranks trained on the same sample in the same epoch, the sampler's padding aside."""
        return not self.overlaps

    @property
    def repeats(self) -> bool:
        """A rank met a sample more than once in an epoch: sampled with replacement, or alike by content."""
        epochs = chain.from_iterable(self.epochs.values())
        return any(len(epoch) - len(set(epoch)) > self.padding for epoch in epochs)

    @property
    def per_epoch(self) -> list[int]:
        """How many samples all ranks read in each epoch, the sampler's padding aside."""
        longest = max(map(len, self.epochs.values()))
        rounds = ([e[i] for e in self.epochs.values() if len(e) > i] for i in range(longest))
        return [sum(map(len, shards)) - self.padding for shards in rounds]

    @property
    def reached(self) -> int:
        """How many samples were trained on; by content, identical ones that ranks share count for each."""
        return max(len(self.union), *self.per_epoch)

    def _overlap(self, ordinal: int) -> Overlap | None:
        """Padding repeats `padding` samples in all, so as many may be counted twice and prove nothing."""
        shards = {rank: frozenset(e[ordinal]) for rank, e in self.epochs.items() if len(e) > ordinal}
        counts = Counter(chain.from_iterable(shards.values()))
        shared = frozenset(sample for sample, ranks in counts.items() if ranks > 1)
        twice = sum(counts.values()) - len(counts)
        certain = self.by_index or len(counts) <= self.size < self.per_epoch[ordinal]
        if twice <= (self.padding if certain else max(self.padding, _ALIKE * len(counts))):
            return None
        pairs = ((a, b, shards[a] & shards[b]) for a, b in combinations(sorted(shards), 2))
        return Overlap(ordinal + 1, shared, tuple(pair for pair in pairs if pair[2]))


def trained_shards(record: JobRecord) -> list[Shards]:
    """The shards of every data set that some rank trained on, in order of name.

    Several loaders of one data set on a rank count as one, their epochs after one another.
    """
    names = sorted({reads.dataset for rank in record.ranks for reads in rank.training})
    return [_shards(name, record.ranks) for name in names]


def _shards(name: str, ranks: tuple[Rank, ...]) -> Shards:
    by_rank = {rank.rank: [reads for reads in rank.training if reads.dataset == name] for rank in ranks}
    every = list(chain.from_iterable(by_rank.values()))
    return Shards(
        dataset=name,
        size=max(reads.size for reads in every),
        by_index=all(reads.by == "index" for reads in every),
        padding=max(reads.padding for reads in every),
        covers=max(reads.covers for reads in every),
        whole=all(reads.whole for reads in every),
        epochs={rank: joined_epochs(found) for rank, found in by_rank.items() if found},
    )


def joined_epochs(found: list[Reads]) -> tuple[tuple[str, ...], ...]:
    """The epochs of several loaders after one another, empty ones left out."""
    return tuple(epoch for reads in found for epoch in reads.epochs if epoch)


def samples_read(rank: Rank) -> int:
    """How many samples a rank trained on in all epochs, repeats counted."""
    return sum(len(epoch) for reads in rank.training for epoch in reads.epochs)
