"""One process's evidence: events in order, as JSON arrays, on disk while it works."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False, default=str).encode
_FULL = 4096  # events kept in memory, also where nothing steps: a long evaluation
_PAUSE = 0.05  # seconds between writings: the most that is lost of a rank that is killed
_AT_ONCE = 256  # writings before there is a pause: a short job loses nothing


class Recorder:
    """Collects events and appends them to a file, so that a killed rank leaves what it did before.

    An event is a name and plain values: `evidence.py` lists them. `started` is when the job began, on the
    monotonic clock. A process that another one's script started, by fork or otherwise (`own` is then False),
    writes a file of its own beside: see `descendants`.
    """

    def __init__(self, path: Path, started: float, own: bool = True) -> None:
        self.started = started
        self._events: list[tuple[Any, ...]] = []
        self._file = -1
        self._written = 0.0
        self._writings = 0
        self._path = self._family = path
        if not own:
            self._branch_off()
        os.register_at_fork(after_in_child=self._branch_off)

    def now(self) -> float:
        """Seconds since the job started."""
        return time.monotonic() - self.started

    def emit(self, *event: Any) -> None:
        """Note one event."""
        self._events.append(event)
        if len(self._events) > _FULL:
            self.flush()

    def flush_now_and_then(self) -> None:
        """Put what was noted on disk, unless that has just been done."""
        if self._writings < _AT_ONCE or time.monotonic() - self._written > _PAUSE:
            self.flush()

    def flush(self) -> None:
        """Put what was noted on disk. A full disk ends the recording, never the script."""
        self._written = time.monotonic()
        self._writings += 1
        count = len(self._events)  # another thread may add while this one writes
        if not count:
            return
        with suppress(OSError):
            if self._file < 0:
                self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.write(self._file, f"{_encode(self._events[:count])}\n".encode())
        del self._events[:count]

    def _branch_off(self) -> None:
        self._events.clear()
        self._file = -1
        self._path = self._family.with_suffix(f".{os.getpid()}.jsonl")


def descendants(path: Path) -> list[Path]:
    """The files of the processes that the one with this file started."""
    return sorted(path.parent.glob(f"{path.stem}.*.jsonl"))


def replay(path: Path) -> Iterator[list[Any]]:
    """The events of a file in order; a last line that a kill cut short is left out."""
    if not path.exists():
        return
    with suppress(json.JSONDecodeError):
        for line in path.read_text(encoding="utf-8").splitlines():
            yield from json.loads(line)
