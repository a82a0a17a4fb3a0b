"""What was observed while a job ran. Plain values: checks read them, tests write them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Failure:
    """An exception that ended a rank or a handler. `line` is the script's own, 0 where none is."""

    kind: str
    message: str
    line: int = 0
    traceback: str = ""
    at: float = 0.0  # seconds since the job started


@dataclass(frozen=True)
class World:
    """A process group as one rank formed it. `asked` is the backend that the script named."""

    backend: str
    rank: int
    size: int
    asked: str = ""


@dataclass(frozen=True)
class Reads:
    """What one rank read of one data set through one loader, epoch by epoch, in order.

    A sample is named the same on every rank: `#12` is index 12 of the root data set (through Subset,
    ConcatDataset, random_split), otherwise a digest of its content. `padding` is how many samples the
    sampler repeats so that all ranks have the same number; `covers` how many samples one epoch of all ranks
    should reach (what `drop_last` leaves out is not counted), 0 where unknown; `whole` whether each epoch ran
    to the loader's end.
    """

    dataset: str  # e.g. "MNIST[60]"; with a suffix where two of that name differ
    size: int  # samples in the root data set, 0 where unknown
    epochs: tuple[tuple[str, ...], ...]
    padding: int = 0
    shuffles: bool = False  # the loader or its sampler was asked to shuffle
    by: Literal["index", "content"] = "index"
    covers: int = 0
    whole: bool = True

    @property
    def samples(self) -> frozenset[str]:
        """All samples, whatever the epoch."""
        return frozenset(sample for epoch in self.epochs for sample in epoch)


@dataclass(frozen=True)
class Parameters:
    """The trained parameters of a rank after its last optimizer step, as digests by name.

    Names are those of the bare module (no `module.` or `_orig_mod.`). `changed` says whether any differs
    from its value before the first step. `sharded` (FSDP, DTensor): a rank holds only its part.
    """

    digests: Mapping[str, str] = field(default_factory=dict)
    changed: bool = False
    sharded: bool = False


@dataclass(frozen=True)
class Rank:
    """One process of the job. `exit_code` is negative for a signal, None when the deadline ended it."""

    rank: int
    host: str
    exit_code: int | None = 0
    ended_at: float = 0.0  # seconds since the job started
    failure: Failure | None = None
    ended_by_us: bool = False  # killed because another rank had failed, or at the deadline
    world: World | None = None
    steps: int = 0
    training: tuple[Reads, ...] = ()
    evaluation: tuple[Reads, ...] = ()
    parameters: Parameters = Parameters()
    logged: int = 0  # log records the script asked for
    visible: int = 0  # of these, how many reached stdout or stderr
    first_logged_line: int = 0  # the script's line of the first record that stayed invisible
    output: str = ""  # the last lines of stdout and stderr
    stack: str = ""  # every thread's stack, taken at the deadline


@dataclass(frozen=True)
class SavedFile:
    """One file of a host's model dir. `writers` are the ranks seen writing it; empty where none was seen."""

    host: str
    path: str  # relative to the model dir
    size: int
    digest: str
    writers: tuple[int, ...] = ()


@dataclass(frozen=True)
class Served:
    """What a fresh process with an endpoint's environment saw.

    `imported` is None when the import worked. `effects` are what the import did besides defining
    (trained, exited, wrote files, opened a connection). `weights` compares what model_fn returned with
    what was trained: `trained`, `initial` (as before the first step), `artifact` (equal to the saved file,
    which is not what was trained), `different`, or `unknown` where there is nothing to compare.
    """

    imported: Failure | None = None
    effects: tuple[str, ...] = ()
    has_model_fn: bool = False
    module: str = ""  # the file that holds the handlers
    model_fn: Failure | None = None
    model_fn_line: int = 0
    returned: str = ""  # the type that model_fn returned
    is_model: bool = False
    weights: Literal["trained", "initial", "artifact", "different", "unknown"] = "unknown"
    differing: tuple[str, ...] = ()  # names of parameters that differ, a few
    predicted: Literal["ok", "failed", "nan", "differs", "not tried"] = "not tried"
    prediction: Failure | None = None


@dataclass(frozen=True)
class JobRecord:
    """One job, whole. `hung` means the deadline passed. `elsewhere` lists files written outside the
    model, output and checkpoint dirs, as `host: path`. `notes` are the choices the runner made."""

    script: str
    hosts: tuple[str, ...]
    processes: int = 1
    launcher: str = "script"
    timeout: float = 120.0
    seconds: float = 0.0
    hung: bool = False
    ranks: tuple[Rank, ...] = ()
    saved: tuple[SavedFile, ...] = ()
    elsewhere: tuple[str, ...] = ()
    served: Served | None = None
    channels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def world_size(self) -> int:
        """Ranks that the job was asked for."""
        return len(self.hosts) * self.processes

    @property
    def failed(self) -> bool:
        """Some rank ended non-zero, or the job hung."""
        return self.hung or any(rank.exit_code != 0 for rank in self.ranks)
