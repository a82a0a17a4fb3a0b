"""Which data set a loader reads, and what a sample of it is called on every rank."""

from __future__ import annotations

import bisect
import operator
import os
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import ConcatDataset, Subset, TensorDataset

from pytest_sagemaker.job.observe.content import digest, tensor_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pytest_sagemaker.job.observe.recorder import Recorder

Sample = int | str  # an index of the root data set, or a digest of the content
Named = list[tuple[int, list[Sample]]]  # samples by root data set

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

    def number(self, dataset: Any, by: str) -> int:
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
            self._recorder.emit("dataset", self._count, kind, length(dataset), mark, by)
        return self._known[identity][0]

    def namer(self, dataset: Any) -> Callable[[Sequence[Any]], Named]:
        """A function from the indices that a sampler gave to samples of the root data sets."""
        if isinstance(dataset, Subset):
            inner, indices = self.namer(dataset.dataset), dataset.indices
            return lambda batch: inner([indices[index] for index in batch])
        if isinstance(dataset, ConcatDataset):
            return _Concat([self.namer(part) for part in dataset.datasets], dataset.cumulative_sizes)
        if isinstance(dataset, TensorDataset):
            return _Rows(self.number(dataset, "content"), dataset.tensors)
        number = self.number(dataset, "index")
        return lambda batch: [(number, _samples(batch))]


@dataclass
class _Concat:
    """Names samples of data sets laid end to end; `ends` are their summed lengths."""

    parts: list[Callable[[Sequence[Any]], Named]]
    ends: list[int]

    def __call__(self, batch: Sequence[Any]) -> Named:
        found: dict[int, list[int]] = {}
        for given in batch:
            index = operator.index(given) % self.ends[-1]
            part = bisect.bisect_right(self.ends, index)
            found.setdefault(part, []).append(index - (self.ends[part - 1] if part else 0))
        return [named for part, indices in found.items() for named in self.parts[part](indices)]


class _Rows:
    """Names samples of in-memory tensors by their content: they may have been sliced by rank before."""

    def __init__(self, number: int, tensors: tuple[torch.Tensor, ...]) -> None:
        self._number = number
        self._tensors = tensors
        self._names: dict[int, Sample] = {}

    def __call__(self, batch: Sequence[Any]) -> Named:
        names = self._names
        indices = [operator.index(index) for index in batch]
        for index in indices:
            if index not in names:
                names[index] = digest(b"".join(tensor_bytes(tensor[index]) for tensor in self._tensors))
        return [(self._number, [names[index] for index in indices])]


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
        yield from (digest(tensor_bytes(value[row])) for row in _spread(len(value) if value.dim() else 0))
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
