"""Which data set a loader reads, and what a sample of it is called on every rank."""

from __future__ import annotations

import bisect
import operator
import os
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zlib import crc32

import torch
from torch.utils.data import ConcatDataset, IterableDataset, Subset, TensorDataset

from pytest_sagemaker.job.observe.content import Content, digest, tensor_digest

if TYPE_CHECKING:
    from pytest_sagemaker.job.observe.recorder import Recorder

Sample = int | str  # an index of the root data set, or what else its sampler gave
Named = list[tuple[int, list[Sample]]]  # samples by root data set
Namer = Callable[[Sequence[Any]], Named]  # from what a sampler gave

_LOOKS = 64  # how many items of a long attribute tell two data sets apart
_DEPTH = 3


class Roots:
    """Numbers the root data sets and describes each in a `dataset` event, once.

    `tree` is the host's own folder: two hosts' copies of a channel are the same data.
    """

    def __init__(self, recorder: Recorder, tree: str) -> None:
        self._recorder = recorder
        self._tree = tree
        self._count = 0
        self._known: dict[int, tuple[int, Any]] = {}  # by identity: a list or a data class has no hash

    def forget(self) -> None:
        """Describe every data set again."""
        self._known.clear()

    def number(self, dataset: Any) -> int:
        """The number of a root data set, which is described the first time."""
        identity = id(dataset)
        if identity not in self._known:
            self._count += 1
            try:
                alive: Any = weakref.ref(dataset, lambda _: self._known.pop(identity, None))
            except TypeError:
                alive = dataset
            self._known[identity] = (self._count, alive)
            kind, mark = type(dataset).__name__, fingerprint(dataset, self._tree)
            by = "content" if isinstance(dataset, IterableDataset) else "index"
            by = "rows" if isinstance(dataset, TensorDataset) else by
            self._recorder.emit("dataset", self._count, kind, length(dataset), mark, by)
        return self._known[identity][0]

    def namer(self, dataset: Any, rows: list[Rows]) -> Namer:
        """How to name samples of the root data sets; in-memory tensors among these are added to `rows`."""
        if isinstance(dataset, Subset):
            inner, indices = self.namer(dataset.dataset, rows), dataset.indices
            return lambda batch: inner([indices[index] for index in batch])
        if isinstance(dataset, ConcatDataset):
            return _Concat([self.namer(part, rows) for part in dataset.datasets], dataset.cumulative_sizes)
        number = self.number(dataset)
        if isinstance(dataset, TensorDataset):
            rows.append(Rows(number, dataset.tensors))
            return rows[-1].name
        return lambda batch: [(number, _samples(batch))]


@dataclass
class _Concat:
    """Names samples of data sets laid end to end; `ends` are their summed lengths."""

    parts: list[Namer]
    ends: list[int]

    def __call__(self, batch: Sequence[Any]) -> Named:
        found: dict[int, list[int]] = {}
        for given in batch:
            index = operator.index(given) % self.ends[-1]
            part = bisect.bisect_right(self.ends, index)
            found.setdefault(part, []).append(index - (self.ends[part - 1] if part else 0))
        return [named for part, indices in found.items() for named in self.parts[part](indices)]


class Rows:
    """In-memory tensors, which a script may have sliced by rank before it wrapped them.

    An index then means another sample on each rank, so the content of each that was read is told as well.
    """

    def __init__(self, number: int, tensors: tuple[torch.Tensor, ...]) -> None:
        self._number = number
        self._tensors = tensors
        self._read: set[int] = set()
        self._told: set[int] = set()

    def name(self, batch: Sequence[Any]) -> Named:
        """As every Namer."""
        indices = list(map(operator.index, batch))
        self._read.update(indices)
        return [(self._number, [*indices])]

    def tell(self, recorder: Recorder) -> None:
        """Emit `rows`: a CRC for each row read since the last time."""
        new = sorted(self._read - self._told)
        if new:
            self._told |= self._read
            sums = [0] * len(new)
            for content in map(Content, self._tensors):
                sums = [crc32(row, so_far) for row, so_far in zip(content.rows(new), sums, strict=True)]
            recorder.emit("rows", self._number, new, sums)


def _samples(batch: Sequence[Any]) -> list[Sample]:
    try:
        return list(map(operator.index, batch))
    except TypeError:  # a sampler may give anything that the data set understands
        return list(map(str, batch))


def length(dataset: Any) -> int:
    """Its number of samples, 0 where it has none to tell."""
    try:
        return len(dataset)
    except (TypeError, NotImplementedError):
        return 0


def fingerprint(dataset: Any, tree: str) -> str:
    """A cheap digest of what the data set holds: the same for copies, another for another part of the data.

    Looks at attributes only, at most some dozens of items of each; never reads a sample.
    """
    return digest("\n".join(_features(dataset, tree, _DEPTH)).encode())


def _features(value: Any, tree: str, depth: int) -> Iterator[str]:
    yield type(value).__qualname__
    if isinstance(value, str | os.PathLike):
        yield str(os.fspath(value)).replace(tree, "")
    elif isinstance(value, int | float | bytes | None):
        yield repr(value)
    elif isinstance(value, torch.Tensor):
        yield str(value.shape)
        yield from (tensor_digest(value[row]) for row in _spread(len(value) if value.dim() else 0))
    elif type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "tobytes"):
        yield str(value.shape)
        yield from (digest(value[row].tobytes()) for row in _spread(len(value) if value.ndim else 0))
    elif type(value).__module__.partition(".")[0] == "pandas":
        yield str(value.shape)
        yield repr([value.index[row] for row in _spread(len(value))])
    elif depth:
        for item in _parts(value):
            yield from _features(item, tree, depth - 1)


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, list | tuple):
        return [len(value), *(value[place] for place in _spread(len(value)))]
    if isinstance(value, dict):
        return [len(value), *(part for item in list(value.items())[:_LOOKS] for part in item)]
    if isinstance(value, torch.utils.data.Dataset):
        return [part for item in sorted(vars(value).items()) for part in item]
    return ()


def _spread(size: int) -> range:
    """At most _LOOKS places of a sequence, evenly spread."""
    return range(0, size, max(1, -(-size // _LOOKS)))
