"""Processes that the script starts through multiprocessing: watched as the rank itself is."""

from __future__ import annotations

from dataclasses import dataclass
from multiprocessing import spawn, util
from typing import TYPE_CHECKING, Any

from pytest_sagemaker.job.observe.patching import wrap
from pytest_sagemaker.job.observe.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sagemaker.job.observe.parameters import Parameters
    from pytest_sagemaker.job.rank import RankTask


def follow(task: RankTask, recorder: Recorder, parameters: Parameters) -> None:
    """Have each such process write evidence of its own: forked ones inherit the hooks, new ones are told."""

    def with_news(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
        def get_preparation_data(name: str) -> dict[str, Any]:
            return original(name) | {"sagemaker": _News(task, recorder.started)}

        return get_preparation_data

    def finish() -> None:
        parameters.snapshot()
        recorder.flush()

    # multiprocessing's children end without atexit, but with finalizers; a forked one forgets its parent's.
    util.Finalize(None, finish, exitpriority=0)
    util.register_after_fork(recorder, lambda _: util.Finalize(None, finish, exitpriority=0))
    wrap(spawn, "get_preparation_data", with_news)


@dataclass
class _News:
    """Watches the process that unpickles it, which multiprocessing does before anything of the script's."""

    task: RankTask
    started: float

    def __reduce__(self) -> tuple[Callable[..., None], tuple[Any, ...]]:
        return _join, (self.task, self.started)


def _join(task: RankTask, started: float) -> None:
    from pytest_sagemaker.job.observe.watch import watch_rank

    watch_rank(task, Recorder(task.evidence, started, own=False))
