"""The process that has imported torch once and forks every rank: both ends of it.

    session -- Launch --> engine -- fork --> ranks
    session <-- Ended --- engine

One engine serves one pytest session, one job at a time. It stays single-threaded and runs no torch operation,
so that each fork is as good as a new interpreter.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_sagemaker.job.launch import AbandonedError, Ended, Task, launch

if TYPE_CHECKING:
    from collections.abc import Mapping

_PRELOADED = (
    "torch",
    "torch.distributed",
    "torch.nn.parallel",
    "torch.optim.lr_scheduler",
    "torch.utils.data.distributed",
    "torch._dynamo",  # what the first optimizer imports: as long again as torch itself
    "pytest_sagemaker.job.rank",
    "pytest_sagemaker.job.serve",
    "pytest_sagemaker.job.observe.watch",
)
_PRELOADED_IF_THERE = ("safetensors.torch",)
_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h: orphaned grandchildren come to us
_PATIENCE = 5.0  # seconds for an engine that was told to end


class EngineError(RuntimeError):
    """The engine cannot run jobs; the message says what to do."""


@dataclass(frozen=True)
class Launch:
    """What the session asks: processes to run side by side, `timeout` seconds in all.

    `folder` is the job's own, which the engine removes if the session is killed meanwhile.
    """

    tasks: tuple[Task, ...]
    timeout: float
    folder: Path


class Engine:
    """The session's end. Starts the process at once, so that its imports go on while pytest starts."""

    def __init__(self) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 -- lives as long as the process
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                env=_environ(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._connection = Connection(ours.detach())
        self._greeted = False

    def ask(self, request: Launch) -> tuple[Ended, ...]:
        """Run tasks. Whatever interrupts the wait (Ctrl-C) ends the engine and all it started.

        Raises:
            EngineError: torch cannot be imported, or the engine died.
        """
        try:
            if not self._greeted:
                problem = self._connection.recv()
                if problem:
                    raise EngineError(problem)
                self._greeted = True
            self._connection.send(request)
            ended: tuple[Ended, ...] = self._connection.recv()
        except (EOFError, OSError) as error:
            raise EngineError(self._last_words()) from error
        except BaseException:
            self.close()
            raise
        return ended

    @property
    def alive(self) -> bool:
        """Whether it can take another job."""
        return not self._connection.closed and self._process.poll() is None

    def close(self) -> None:
        """End the process, and with it every rank."""
        self._connection.close()
        if not self._greeted:
            self._process.kill()  # still importing: no rank was started
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _last_words(self) -> str:
        """What to say of an engine that died."""
        self._process.wait()
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        self.close()
        return (
            f"the process that runs the ranks died (exit code {self._process.returncode}): "
            f"{lines[-1] if lines else 'it left no message'}"
        )


def _environ(machine: Mapping[str, str]) -> dict[str, str]:
    """The user's environment, without what would change how Python behaves, and with one thread a process."""
    kept = {
        name: value
        for name, value in machine.items()
        if not name.startswith("PYTHON") or name in ("PYTHONPATH", "PYTHONHOME")
    }
    if paths := kept.get("PYTHONPATH"):  # processes that a rank spawns start in another folder
        kept["PYTHONPATH"] = os.pathsep.join(str(Path(path).absolute()) for path in paths.split(os.pathsep))
    return kept | {
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES",  # macOS refuses to fork a process with frameworks
    }


def main(descriptor: int) -> None:
    """The engine's end: import, then run one job after another until the session closes the connection."""
    del sys.path[0]  # the folder pytest was started in, which no host has
    connection = Connection(descriptor)
    connection.send(_import_all())
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    gc.collect()
    gc.freeze()  # ranks share these pages, and find only their own objects
    with suppress(EOFError):
        while True:
            request: Launch = connection.recv()
            try:
                connection.send(launch(request.tasks, request.timeout, connection.fileno()))
            except AbandonedError:
                shutil.rmtree(request.folder, ignore_errors=True)
                return


def _import_all() -> str:
    """Import what ranks need; the message for the user where torch is missing or broken, else nothing."""
    try:
        importlib.import_module("torch")
    except ModuleNotFoundError as error:
        if error.name == "torch":
            return (
                'running a script needs torch: pip install "pytest-sagemaker[torch]", or your own build of it'
            )
        return f"torch cannot be imported: {error}"
    except (ImportError, OSError) as error:
        return f"torch cannot be imported: {error}"
    for name in _PRELOADED:
        importlib.import_module(name)
    for name in _PRELOADED_IF_THERE:
        if importlib.util.find_spec(name.partition(".")[0]):
            importlib.import_module(name)
    return ""


if __name__ == "__main__":
    main(int(sys.argv[1]))
