"""One rank: the script as `__main__` in a forked process, watched. Runs in the engine's children only."""

from __future__ import annotations

import atexit
import builtins
import sys
import traceback
from dataclasses import asdict, dataclass
from importlib.machinery import SourceFileLoader
from typing import TYPE_CHECKING, NoReturn

from pytest_sagemaker.job.child import Place, leave, settle
from pytest_sagemaker.job.failures import failure

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from pytest_sagemaker.job.observe.recorder import Recorder


@dataclass(frozen=True)
class RankTask:
    """A rank to run. `tree` is its host's folder, `folder` the job's, where evidence goes."""

    place: Place
    script: Path
    rank: int
    ranks: int
    host: str
    hosts: tuple[str, ...]
    tree: Path
    folder: Path

    @property
    def evidence(self) -> Path:
        """The file for its events."""
        return self.folder / f"rank-{self.rank}.jsonl"

    def run(self, started: float, output: int) -> NoReturn:
        """Never returns: the process ends with the script's exit code. `started` is monotonic time."""
        from pytest_sagemaker.job.observe.recorder import Recorder
        from pytest_sagemaker.job.observe.watch import watch_rank

        main = settle(self.place, output)
        recorder = Recorder(self.evidence, started)
        parameters = watch_rank(self, recorder)
        atexit.register(recorder.flush)  # registered first, so it runs last
        code = execute(self.script, main, recorder)
        parameters.snapshot()
        recorder.flush()
        leave(code)


def execute(script: Path, main: ModuleType, recorder: Recorder) -> int:
    """Run a file as `python FILE` does. Returns the exit code; what ended it goes into a `failure` event."""
    path = str(script)
    vars(main).update(
        __file__=path,
        __builtins__=builtins,
        __loader__=SourceFileLoader("__main__", path),
        __cached__=None,
    )
    try:
        exec(compile(script.read_bytes(), path, "exec", dont_inherit=True), vars(main))
    except SystemExit as error:
        code = _exit_code(error)
        if code:
            recorder.emit("failure", "script", asdict(failure(error, script, recorder.now())))
        return code
    except BaseException as error:
        recorder.emit("failure", "script", asdict(failure(error, script, recorder.now())))
        recorder.flush()
        if sys.excepthook is sys.__excepthook__:
            traceback.print_exception(error)
        else:
            sys.excepthook(type(error), error, error.__traceback__)
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    return 0


def _exit_code(error: SystemExit) -> int:
    if error.code is None or isinstance(error.code, int):
        return (error.code or 0) & 0xFF
    print(error.code, file=sys.stderr)
    return 1
