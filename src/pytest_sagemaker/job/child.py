"""What a freshly forked process does first and last, whether it runs the script or serves the model."""

from __future__ import annotations

import atexit
import ctypes
import faulthandler
import gc
import io
import os
import signal
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

STACK_SIGNAL = getattr(signal, "SIGRTMAX", signal.SIGUSR2)  # one that scripts have no use for
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_DESCRIPTORS = 1024  # more than the engine ever has open
_MACHINE = ("HOME", "PATH")  # where the container has its own, which would be wrong here
_LOOPBACK = "lo0" if sys.platform == "darwin" else "lo"
_UNSEEN = {  # for native code only: the script's os.environ has what its container has
    "GLOO_SOCKET_IFNAME": _LOOPBACK,
    "NCCL_SOCKET_IFNAME": _LOOPBACK,
    "OMP_NUM_THREADS": "1",
}


@dataclass(frozen=True)
class Place:
    """Where a process finds itself.

    `code` comes first on its path; `temporary` takes its temporary files, `stack` the stacks of its end.
    """

    environ: Mapping[str, str]
    argv: tuple[str, ...]
    cwd: Path
    code: Path
    temporary: Path
    stack: Path


def settle(place: Place, output: int) -> ModuleType:
    """Become a process as the container starts it, and return its empty `__main__`.

    `output` is the pipe for stdout and stderr; the engine's other descriptors are closed.
    """
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job has it ignored
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.closerange(3, _DESCRIPTORS)
    for descriptor, name, errors in ((1, "stdout", "strict"), (2, "stderr", "backslashreplace")):
        stream = _stream(descriptor, errors)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    stack = os.open(place.stack, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    faulthandler.enable(stack)
    faulthandler.register(STACK_SIGNAL, stack)

    kept = {name: value for name, value in os.environ.items() if name in _MACHINE}
    unseen = {name: value for name, value in os.environ.items() if name.startswith("CUDA_")}
    unseen |= _UNSEEN | {"TMPDIR": str(place.temporary)}
    paths = [place.environ.get("PYTHONPATH"), os.environ.get("PYTHONPATH")]
    unseen["PYTHONPATH"] = os.pathsep.join(filter(None, paths))  # a spawned process imports what we can
    os.environ.clear()
    os.environ.update(kept | dict(place.environ))
    for name, value in unseen.items():
        os.putenv(name, value)
    tempfile.tempdir = str(place.temporary)
    os.chdir(place.cwd)
    sys.argv = list(place.argv)
    sys.path[:0] = [str(place.code), *filter(None, place.environ.get("PYTHONPATH", "").split(os.pathsep))]
    sys.dont_write_bytecode = bool(place.environ.get("PYTHONDONTWRITEBYTECODE"))
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()  # as in a new process; Python's own random does so at each fork
    main = sys.modules["__main__"] = ModuleType("__main__")
    return main


def _stream(descriptor: int, errors: str) -> io.TextIOWrapper:
    """Standard output or error as under PYTHONUNBUFFERED and PYTHONIOENCODING=UTF-8."""
    raw = io.FileIO(descriptor, "w", closefd=False)
    return io.TextIOWrapper(raw, "utf-8", errors, write_through=True)


def leave(code: int) -> NoReturn:
    """End as the interpreter does: threads joined, atexit callbacks run, files flushed."""
    threading._shutdown()  # type: ignore[attr-defined]  # what Py_Finalize calls has no public name
    atexit._run_exitfuncs()
    for thing in gc.get_objects():  # files left open: the interpreter would close them
        if issubclass(type(thing), io.IOBase) and not thing.closed:  # a proxy may refuse isinstance
            with suppress(OSError, ValueError):  # a pipe whose other end has gone
                thing.flush()
    ctypes.CDLL(None).fflush(None)
    os._exit(code)
