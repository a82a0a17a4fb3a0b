"""Forks the processes of a job and waits for them: one deadline, and nothing left afterwards."""

from __future__ import annotations

import os
import selectors
import signal
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Protocol

from pytest_sagemaker.job.child import STACK_SIGNAL, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

GRACE = 3.0  # seconds for the others to end by themselves once a process has failed
_LEFTOVERS = 0.5  # seconds for what the processes started (Python's resource tracker) to end by itself
_KILLED = 5.0  # seconds for the kernel to take a killed process away
_DUMP = 1.0  # seconds for writing stacks
_QUIET = 0.05
_TAIL = 1 << 16  # bytes of output that are kept
_TURN = 16  # readings at a time
OUR_FAULT = 70  # EX_SOFTWARE: exit code of a child after an error of this package
_SHARED_MEMORY = Path("/dev/shm")


class Task(Protocol):
    """What a forked process is to do."""

    @property
    def place(self) -> Place:
        """Where it does it."""

    def run(self, started: float, output: int) -> NoReturn:
        """Do it, with stdout and stderr on the descriptor `output`, and exit."""


@dataclass(frozen=True)
class Ended:
    """How one process ended, as in `record.Rank`. `output` is the end of its stdout and stderr."""

    exit_code: int | None
    at: float
    by_us: bool
    output: str


class AbandonedError(Exception):
    """The session that asked for the job has gone."""


@dataclass
class _Process:
    pid: int
    place: Place
    pipe: int  # the reading end of its output
    tail: bytearray = field(default_factory=bytearray)
    exit_code: int | None = None
    at: float = 0.0
    living: bool = True
    by_us: bool = False


def launch(tasks: Sequence[Task], timeout: float, client: int) -> tuple[Ended, ...]:
    """Run tasks side by side, each in a forked process, and say how each ended.

    The first failure leaves the others GRACE seconds. `timeout` is in seconds, for all; the exit code of a
    process that it ended is None. `client` is a descriptor that turns readable when nobody waits any more.

    Raises:
        AbandonedError: that has happened; every process is gone.
    """
    job = _Job(client)
    try:
        for task in tasks:
            job.fork(task)
        return job.wait(timeout)
    finally:
        job.close()


class _Job:
    def __init__(self, client: int) -> None:
        self._client = client
        self._started = time.monotonic()
        self._born = time.time()
        self._processes: list[_Process] = []
        self._childless = False
        self._selector = selectors.DefaultSelector()
        self._pipes = list(os.pipe())
        for end in self._pipes:
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._pipes[1])
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(self._pipes[0], selectors.EVENT_READ, self._reap)
        self._selector.register(client, selectors.EVENT_READ, self._abandon)

    def fork(self, task: Task) -> None:
        """Start one process."""
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                task.run(self._started, writing)
            except BaseException:
                os.write(2, traceback.format_exc().encode())
            finally:
                os._exit(OUR_FAULT)
        os.close(writing)
        os.set_blocking(reading, False)
        process = _Process(pid, task.place, reading)
        self._pipes.append(reading)
        self._processes.append(process)
        self._selector.register(reading, selectors.EVENT_READ, lambda: self._read(process))

    def wait(self, timeout: float) -> tuple[Ended, ...]:
        """Wait for all, end those that must be ended, and tell."""
        deadline = self._started + timeout
        self._until(lambda: self._failed() or not self._living(), deadline)
        self._until(lambda: not self._living(), min(deadline, time.monotonic() + GRACE))
        late = time.monotonic() >= deadline
        if living := self._living():
            self._dump_stacks(living)
            for process in self._living():  # some may have ended meanwhile
                process.by_us = True
                os.kill(process.pid, signal.SIGKILL)
            self._until(lambda: not self._living(), time.monotonic() + _KILLED)
        self._until(lambda: self._childless, time.monotonic() + _LEFTOVERS)
        for process in self._processes:
            self._read(process)
        return tuple(
            Ended(
                None if late and process.by_us else process.exit_code,
                process.at,
                process.by_us,
                process.tail.decode(errors="replace"),
            )
            for process in self._processes
        )

    def close(self) -> None:
        """Kill what is left of the job, daemonised grandchildren too, and give everything back."""
        self._selector.unregister(self._client)
        for process in self._processes:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        end = time.monotonic() + _KILLED
        while not self._childless and time.monotonic() < end:
            for child in _children():
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            self._until(lambda: self._childless, time.monotonic() + _QUIET)
        _forget_shared_memory(self._born)
        signal.set_wakeup_fd(-1)
        self._selector.close()
        for pipe in self._pipes:
            os.close(pipe)

    def _living(self) -> list[_Process]:
        return [process for process in self._processes if process.living]

    def _failed(self) -> bool:
        return any(process.exit_code for process in self._processes)

    def _until(self, done: Callable[[], bool], end: float) -> None:
        """Take in output and ends until `done`, or until the clock shows `end`."""
        while not done() and (left := end - time.monotonic()) > 0:
            for key, _ in self._selector.select(left):
                key.data()

    def _abandon(self) -> None:
        raise AbandonedError

    def _read(self, process: _Process) -> None:
        """Take in what a process wrote: a bounded part, so that a flood cannot hold up the deadline."""
        for _ in range(_TURN):
            try:
                written = os.read(process.pipe, _TAIL)
            except BlockingIOError:
                return
            if not written:
                if process.pipe in self._selector.get_map():
                    self._selector.unregister(process.pipe)
                return
            process.tail += written
            del process.tail[:-_TAIL]

    def _reap(self) -> None:
        """Note who has ended, orphans included."""
        with suppress(BlockingIOError):
            os.read(self._pipes[0], _TAIL)
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                for process in self._processes:
                    if process.pid == ended[0]:
                        process.exit_code = os.waitstatus_to_exitcode(ended[1])
                        process.at = time.monotonic() - self._started
                        process.living = False
            return
        self._childless = True

    def _dump_stacks(self, processes: list[_Process]) -> None:
        """Have each process write the stack of each of its threads, and wait until no more is written."""
        for process in processes:
            os.kill(process.pid, STACK_SIGNAL)
        end, before = time.monotonic() + _DUMP, [0]
        while time.monotonic() < end:
            self._until(lambda: False, time.monotonic() + _QUIET)
            sizes = [process.place.stack.stat().st_size for process in processes]
            if all(sizes) and sizes == before:
                return
            before = sizes


def _children() -> list[int]:
    """The process ids of our children, where the kernel tells (Linux)."""
    listed = Path(f"/proc/self/task/{os.getpid()}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


def _forget_shared_memory(born: float) -> None:
    """Remove tensors in shared memory whose process was killed before it could (`torch_<pid>_...`)."""
    for path in _SHARED_MEMORY.glob("torch_*_*"):
        owner = path.name.split("_")[1]
        with suppress(OSError):  # another job's process may remove its own at this moment
            if path.stat().st_mtime >= born and not Path("/proc", owner).exists():
                path.unlink()
