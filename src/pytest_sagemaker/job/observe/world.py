"""The process group as each rank forms it, with gloo where the machine cannot do what was asked."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist

from pytest_sagemaker.job.observe.patching import replace_everywhere

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sagemaker.job.observe.recorder import Recorder

_NEED_GPUS = ("nccl", "smddp")
_DEFAULT = "cpu:gloo,cuda:nccl"  # what torch built for CUDA makes of None, also where there is no GPU


def watch(recorder: Recorder, ranks: int) -> None:
    """Emit `world` once a process group is formed. `ranks` is how many share this machine's GPUs."""

    def possible(backend: Any) -> Any:
        """The backend that is asked for, or gloo."""
        asked = str(backend or (_DEFAULT if dist.is_nccl_available() else "")).lower()
        lacking = any(name in asked for name in _NEED_GPUS) and torch.cuda.device_count() < ranks
        if not lacking and not ("mpi" in asked and not dist.is_mpi_available()):
            return backend
        if backend is not None:
            recorder.emit("note", f"the script asked for the {asked} backend; this machine ran it on gloo")
        return "gloo"

    def substituting(original: Callable[..., Any], formed: Callable[[str], None]) -> Callable[..., Any]:
        signature = inspect.signature(original)

        @functools.wraps(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            given = signature.bind(*args, **kwargs).arguments
            asked = given.get("backend")
            if (backend := possible(asked)) is not None:
                given["backend"] = backend
            group = original(**given)
            formed(str(asked or ""))
            return group

        return call

    def formed(asked: str) -> None:
        backend = str(dist.get_backend())
        if backend == "undefined":  # one for each kind of device
            backend = dist.get_backend_config()
        recorder.emit("world", backend, asked, dist.get_rank(), dist.get_world_size())
        recorder.flush()

    for original, then in ((dist.init_process_group, formed), (dist.new_group, lambda _: None)):
        replace_everywhere("torch.distributed", original, substituting(original, then))
