"""From the events of one rank to what it did. Pure: no torch, no process.

| event | values |
|---|---|
| world | backend, asked, rank, size |
| dataset | number, type, length, fingerprint, by |
| rows | data set, indices, what is in them: of tensors in memory |
| loader | number, padding, shuffles, covers |
| pass | number, loader: `iter(loader)` |
| read | pass, [[dataset, samples], ...]: a batch was handed out |
| exhausted | pass: its iterator came to the end |
| forward | number, whether gradients may flow: an outermost module with parameters was called |
| batch | forward, samples: what it was given, when no loader was being read |
| fed | forward, which a backward pass reached (0: no module seen, whatever was read last) |
| step | optimizer |
| initial | module, type, sharded, digests: its parameters when a backward pass first reached it |
| snapshot | module, digests |
| wrote | path |
| logged, shown | the line that logged; nothing: that record reached a stream |
| note | text for the user |
| failure | stage, fields of record.Failure |
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pytest_sagemaker.job.record import Failure, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Sample = int | str
By = Literal["index", "content", "rows"]


@dataclass(frozen=True)
class Dataset:
    """A root data set as one rank describes it; equal on two ranks where it holds the same.

    Its samples go by index, by content (no index), or by `rows`: by index where every rank has it, otherwise
    by the content that `Evidence.rows` tells.
    """

    kind: str
    size: int
    fingerprint: str
    by: By


HAND_MADE = Dataset("batches", 0, "", "content")


@dataclass(frozen=True)
class Loader:
    """Facts of a DataLoader, as in `record.Reads`."""

    padding: int = 0
    shuffles: bool = False
    covers: int = 0


@dataclass(frozen=True)
class RawReads:
    """`record.Reads` before data sets have got names that hold on every rank."""

    dataset: Dataset
    loader: Loader
    epochs: tuple[tuple[Sample, ...], ...]
    whole: bool = True


@dataclass
class Module:
    """A module that was trained: its type and digests by parameter, before training and whenever taken."""

    kind: str
    sharded: bool
    initial: Mapping[str, str]
    snapshots: list[Mapping[str, str]] = field(default_factory=list)

    @property
    def last(self) -> Mapping[str, str]:
        """As it was when last seen."""
        return self.snapshots[-1] if self.snapshots else self.initial


@dataclass
class Evidence:
    """What one rank did."""

    world: World | None = None
    steps: int = 0
    training: tuple[RawReads, ...] = ()
    evaluation: tuple[RawReads, ...] = ()
    rows: dict[Dataset, dict[int, int]] = field(default_factory=dict)
    modules: dict[int, Module] = field(default_factory=dict)
    wrote: list[str] = field(default_factory=list)
    logged: int = 0
    visible: int = 0
    first_hidden_line: int = 0
    notes: list[str] = field(default_factory=list)
    failures: dict[str, Failure] = field(default_factory=dict)  # by stage


@dataclass(eq=False)
class _Read:
    """One batch: what became of it decides whether it was trained on."""

    samples: Sequence[tuple[int, Sequence[Sample]]]
    order: int = 0
    seen: bool = False  # by a forward
    fed: bool = False  # by a backward pass
    stepped: bool = False  # and by the optimizer


@dataclass(eq=False)
class _Pass:
    """One `iter(loader)`."""

    loader: int
    reads: list[_Read] = field(default_factory=list)
    exhausted: bool = False


def gather(events: Iterable[Sequence[Any]]) -> Evidence:
    """What a rank did, from its events in order."""
    fold = _Fold()
    for name, *values in events:
        getattr(fold, f"on_{name}")(*values)
    return fold.result()


class _Fold:
    """Takes events in, one method each, and ties reads to the optimizer steps that they fed.

    A forward sees the batch that each loader handed out last. A batch gives way to the next one of its
    loader, or to another loader's once a forward has seen it.
    """

    def __init__(self) -> None:
        self._evidence = Evidence()
        self._datasets: dict[int, Dataset] = {0: HAND_MADE}
        self._loaders: dict[int, Loader] = {0: Loader()}
        self._passes: dict[int, _Pass] = {}
        self._current: dict[int, tuple[_Pass, _Read]] = {}  # by loader
        self._forwards: dict[int, list[_Read]] = defaultdict(list)
        self._by_hand = _Pass(loader=0, exhausted=True)
        self._waiting: list[_Read] = []  # fed, not stepped yet
        self._steps: dict[int, int] = defaultdict(int)
        self._order = itertools.count(1)
        self._hidden: list[int] = []  # lines whose record has reached no stream

    def on_world(self, backend: str, asked: str, rank: int, size: int) -> None:
        self._evidence.world = World(backend, rank, size, asked)

    def on_dataset(self, number: int, kind: str, size: int, fingerprint: str, by: By) -> None:
        self._datasets[number] = Dataset(kind, size, fingerprint, by)

    def on_rows(self, number: int, indices: Sequence[int], contents: Sequence[int]) -> None:
        known = self._evidence.rows.setdefault(self._datasets[number], {})
        known.update(zip(indices, contents, strict=True))

    def on_loader(self, number: int, padding: int, shuffles: bool, covers: int) -> None:
        self._loaders[number] = Loader(padding, shuffles, covers)

    def on_pass(self, number: int, loader: int) -> None:
        self._passes[number] = _Pass(loader)
        self._current.pop(loader, None)

    def on_read(self, number: int, samples: Sequence[tuple[int, Sequence[Sample]]]) -> None:
        reading = self._passes.get(number)
        if reading is None:
            return  # a forked process goes on with an iterator of its parent
        for loader, (other, last) in list(self._current.items()):
            if loader != reading.loader and (last.seen or other.exhausted):
                del self._current[loader]
        read = _Read(samples, next(self._order))
        reading.reads.append(read)
        self._current[reading.loader] = (reading, read)

    def on_exhausted(self, number: int) -> None:
        if number in self._passes:
            self._passes[number].exhausted = True

    def on_forward(self, number: int, learns: bool) -> None:
        tied = self._last_reads()
        for read in tied:
            read.seen = True
        if learns:
            self._forwards[number] = tied

    def on_batch(self, forward: int, samples: Sequence[int]) -> None:
        read = _Read([(0, samples)], next(self._order))
        self._by_hand.reads.append(read)
        self._forwards[forward].append(read)

    def on_fed(self, forward: int) -> None:
        for read in self._forwards[forward] if forward else self._last_reads():
            if not read.fed:
                read.fed = True
                self._waiting.append(read)

    def on_step(self, optimizer: int) -> None:
        self._steps[optimizer] += 1
        for read in self._waiting:
            read.stepped = True
        self._waiting.clear()

    def on_initial(self, number: int, kind: str, sharded: bool, digests: Mapping[str, str]) -> None:
        self._evidence.modules[number] = Module(kind, sharded, digests)

    def on_snapshot(self, number: int, digests: Mapping[str, str]) -> None:
        self._evidence.modules[number].snapshots.append(digests)

    def on_wrote(self, path: str) -> None:
        self._evidence.wrote.append(path)

    def on_logged(self, line: int) -> None:
        self._evidence.logged += 1
        self._hidden.append(line)

    def on_shown(self) -> None:
        self._evidence.visible += 1
        self._hidden.pop()

    def on_note(self, text: str) -> None:
        self._evidence.notes.append(text)

    def on_failure(self, stage: str, fields: Mapping[str, Any]) -> None:
        self._evidence.failures[stage] = Failure(**fields)

    def result(self) -> Evidence:
        """What has come together."""
        passes = list(self._passes.values())
        by_loader = self._reads(passes, lambda read: read.stepped)
        by_hand = self._reads([self._by_hand], lambda read: read.stepped)
        trained = sum(read.stepped for reading in passes for read in reading.reads)
        more_by_hand = sum(read.stepped for read in self._by_hand.reads) > trained
        self._evidence.training = by_hand if more_by_hand else by_loader
        self._evidence.evaluation = self._reads(
            [reading for reading in passes if not any(read.fed for read in reading.reads)], lambda _: True
        )
        self._evidence.steps = max(self._steps.values(), default=0)
        self._evidence.first_hidden_line = self._hidden[0] if self._hidden else 0
        return self._evidence

    def _last_reads(self) -> list[_Read]:
        return [read for _, read in self._current.values()]

    def _reads(self, passes: list[_Pass], wanted: Callable[[_Read], bool]) -> tuple[RawReads, ...]:
        """The wanted batches by loader and data set; a loader that follows another continues its epochs."""
        found: list[_Stretch] = []
        for stretch in sorted(self._stretches(passes, wanted), key=lambda stretch: stretch.first):
            for before in found:
                if before.last < stretch.first and before.key == stretch.key:
                    before.extend(stretch)
                    break
            else:
                found.append(stretch)
        return tuple(stretch.reads() for stretch in found)

    def _stretches(self, passes: list[_Pass], wanted: Callable[[_Read], bool]) -> Iterable[_Stretch]:
        """The wanted batches of each loader and data set."""
        stretches: dict[tuple[int, int], _Stretch] = {}
        for reading in passes:
            epochs: dict[int, list[Sample]] = defaultdict(list)
            for read in filter(wanted, reading.reads):
                for number, samples in read.samples:
                    key = (reading.loader, number)
                    if key not in stretches:
                        stretches[key] = _Stretch(self._datasets[number], self._loaders[key[0]], read.order)
                    stretches[key].last = read.order
                    epochs[number] += samples
            for number, samples in epochs.items():
                stretches[reading.loader, number].epochs.append(tuple(samples))
                stretches[reading.loader, number].whole &= reading.exhausted
        return stretches.values()


@dataclass(eq=False)
class _Stretch:
    """What was read of a data set through a loader, or through several that followed each other."""

    dataset: Dataset
    loader: Loader
    first: int
    last: int = 0
    epochs: list[tuple[Sample, ...]] = field(default_factory=list)
    whole: bool = True

    @property
    def key(self) -> tuple[Dataset, Loader]:
        return self.dataset, self.loader

    def extend(self, other: _Stretch) -> None:
        self.last = other.last
        self.epochs += other.epochs
        self.whole &= other.whole

    def reads(self) -> RawReads:
        return RawReads(self.dataset, self.loader, tuple(self.epochs), self.whole)
