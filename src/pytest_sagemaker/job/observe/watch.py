"""Everything that a process is watched by, put in place before the script's code runs."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import torch.distributed
from torch.optim.optimizer import register_optimizer_step_post_hook

from pytest_sagemaker.job.observe import files, logs, names, spawned, world
from pytest_sagemaker.job.observe.parameters import Parameters
from pytest_sagemaker.job.observe.patching import before
from pytest_sagemaker.job.observe.reads import Reads
from pytest_sagemaker.job.observe.training import Training

if TYPE_CHECKING:
    from pytest_sagemaker.job.observe.recorder import Recorder
    from pytest_sagemaker.job.rank import RankTask


def watch_rank(task: RankTask, recorder: Recorder) -> Parameters:
    """Install every hook; the last snapshot of the parameters is the caller's to take."""
    tree = str(task.tree)
    names.redirect(task.hosts, task.host, task.folder)
    world.watch(recorder, task.ranks)
    files.watch(recorder, tree)
    logs.watch(recorder, str(task.place.code))
    parameters = Parameters(recorder, task.folder if task.rank == 0 else None)
    reads = Reads(recorder, tree)
    Training(recorder, reads, parameters)
    for state in (reads, parameters):  # a forked process tells its own story, from the start
        os.register_at_fork(after_in_child=state.forget)
    spawned.follow(task, recorder, parameters)
    return parameters


def watch_endpoint(recorder: Recorder, tree: str) -> None:
    """Note what an import should not do: train, form a process group, write files, open connections."""

    def connecting(event: str, args: tuple[Any, ...]) -> None:
        if event == "socket.connect" and isinstance(args[1], tuple):
            recorder.emit("effect", f"opened a connection to {args[1][0]}:{args[1][1]}")

    def stepped(*_: Any) -> None:
        recorder.emit("step")

    def forming(*_: Any, **__: Any) -> None:
        recorder.emit("effect", "formed a process group")

    sys.addaudithook(connecting)
    register_optimizer_step_post_hook(stepped)
    before(torch.distributed, "init_process_group", forming)
    files.watch(recorder, tree)
