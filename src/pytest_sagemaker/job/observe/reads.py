"""What each DataLoader reads, pass by pass, whether or not workers read ahead."""

from __future__ import annotations

import weakref
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch.utils.data import DataLoader, IterableDataset, RandomSampler, SubsetRandomSampler
from torch.utils.data.dataloader import _BaseDataLoaderIter

from pytest_sagemaker.job.observe.content import row_digests, tensors_in
from pytest_sagemaker.job.observe.datasets import Roots, Rows, length
from pytest_sagemaker.job.observe.patching import wrap

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sagemaker.job.observe.datasets import Named
    from pytest_sagemaker.job.observe.recorder import Recorder


class Reads:
    """Follows every DataLoader of this process. `open` holds the passes that can go on."""

    def __init__(self, recorder: Recorder, tree: str) -> None:
        self.open: set[int] = set()
        self._recorder = recorder
        self._roots = Roots(recorder, tree)
        self._loaders: weakref.WeakKeyDictionary[DataLoader[Any], _Loader] = weakref.WeakKeyDictionary()
        self._count = self._passes = 0
        wrap(_BaseDataLoaderIter, "__init__", self._made)
        wrap(_BaseDataLoaderIter, "_reset", self._reset)
        wrap(_BaseDataLoaderIter, "_next_index", self._next_index)
        wrap(_BaseDataLoaderIter, "__next__", self._next)

    def forget(self) -> None:
        """Describe every loader and data set again."""
        self.open.clear()
        self._loaders.clear()
        self._roots.forget()

    def _made(self, original: Callable[..., None]) -> Callable[..., None]:
        def made(iterator: Any, loader: DataLoader[Any]) -> None:
            found = self._loaders.get(loader)
            if found is None:
                self._count += 1
                found = self._loaders[loader] = _Loader(self._count, loader, self._roots)
                self._recorder.emit("loader", found.number, *sampling(loader))
            iterator._sagemaker = reading = _Reading(found)
            self._begin(reading)
            original(iterator, loader)
            weakref.finalize(iterator, self._end, reading).atexit = False

        return made

    def _reset(self, original: Callable[..., None]) -> Callable[..., None]:
        """Persistent workers keep their iterator: each further `iter(loader)` resets it."""

        def reset(iterator: Any, loader: DataLoader[Any], first_iter: bool = False) -> None:
            if not first_iter:
                self._begin(iterator._sagemaker)
            original(iterator, loader, first_iter)

        return reset

    def _next_index(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def next_index(iterator: Any) -> Any:
            indices = original(iterator)
            iterator._sagemaker.drawn.append(indices)
            return indices

        return next_index

    def _next(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def following(iterator: Any) -> Any:
            reading: _Reading = iterator._sagemaker
            try:
                batch = original(iterator)
            except StopIteration:
                self._recorder.emit("exhausted", reading.number)
                self._end(reading)
                raise
            drawn = reading.drawn
            while len(drawn) > 1 and not iterator._num_workers:
                drawn.popleft()  # left by a batch that could not be read
            samples = reading.loader.name(drawn.popleft() if drawn else [], batch)
            self._recorder.emit("read", reading.number, samples)
            return batch

        return following

    def _begin(self, reading: _Reading) -> None:
        self._passes += 1
        reading.number = self._passes
        reading.drawn.clear()
        self.open.add(reading.number)
        self._recorder.emit("pass", reading.number, reading.loader.number)

    def _end(self, reading: _Reading) -> None:
        self.open.discard(reading.number)
        for rows in reading.loader.rows:
            rows.tell(self._recorder)


@dataclass
class _Reading:
    """One pass over a loader; `drawn` are the sampler's indices of batches that workers still prepare."""

    loader: _Loader
    number: int = 0
    drawn: deque[Any] = field(default_factory=deque)


class _Loader:
    """One DataLoader: its number, and how the samples of its batches are named."""

    def __init__(self, number: int, loader: DataLoader[Any], roots: Roots) -> None:
        self.number = number
        self.rows: list[Rows] = []
        self._root = 0
        if isinstance(loader.dataset, IterableDataset):
            self._root = roots.number(loader.dataset)
        else:
            self._namer = roots.namer(loader.dataset, self.rows)

    def name(self, drawn: Any, batch: Any) -> Named:
        """The samples of a batch: by what the sampler drew, or by content where there is no sampler."""
        if self._root:
            first = next(tensors_in(batch), None)
            return [(self._root, [*row_digests(first)] if first is not None else [])]
        return self._namer(drawn if isinstance(drawn, (list, tuple)) else [drawn])


def sampling(loader: DataLoader[Any]) -> tuple[int, bool, int]:
    """(padding, shuffles, covers) of a loader.

    `padding` is how many samples the sampler repeats for all ranks to have the same number; `covers` how many
    an epoch of all ranks reaches at the least, 0 where that cannot be told.
    """
    sampler: Any = getattr(loader.batch_sampler, "sampler", loader.sampler)
    if isinstance(loader.dataset, IterableDataset):
        return 0, False, 0
    size, ranks, padding = length(loader.dataset), 1, 0
    if hasattr(sampler, "total_size") and hasattr(
        sampler, "num_replicas"
    ):  # DistributedSampler and its copies
        padding = max(0, sampler.total_size - size)
        size, ranks = min(size, sampler.total_size), sampler.num_replicas
        shuffles = bool(getattr(sampler, "shuffle", True))
    else:
        shuffles = isinstance(sampler, RandomSampler | SubsetRandomSampler)
        if shuffles:
            size = min(size, length(sampler))
    if loader.drop_last and loader.batch_size:
        size -= ranks * (length(sampler) % loader.batch_size)
    return padding, shuffles, max(0, size)
