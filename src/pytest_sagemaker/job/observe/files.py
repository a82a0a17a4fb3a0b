"""Which files of the host's tree this process writes."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import torch
from torch.jit._script import RecursiveScriptModule

from pytest_sagemaker.job.observe.patching import before

if TYPE_CHECKING:
    from pytest_sagemaker.job.observe.recorder import Recorder

_WRITES = os.O_WRONLY | os.O_RDWR


def watch(recorder: Recorder, tree: str) -> None:
    """Emit `wrote` once for each file under `tree` that is opened for writing or renamed to.

    Python's own opens raise audit events. torch and safetensors write from C++ and Rust: their functions that
    take a path are watched one by one.
    """
    seen: set[str] = set()
    inside = f"{os.path.realpath(tree)}/"

    def wrote(path: Any) -> None:
        if isinstance(path, str | bytes | os.PathLike):
            found = os.path.realpath(os.fsdecode(path))
            if found.startswith(inside) and found not in seen and "__pycache__" not in found:
                seen.add(found)
                recorder.emit("wrote", found)

    def audit(event: str, args: tuple[Any, ...]) -> None:
        if event == "open" and args[2] & _WRITES:
            wrote(args[0])
        elif event == "os.rename":
            wrote(args[1])

    def saved(*args: Any, **kwargs: Any) -> None:
        wrote(kwargs.get("f", kwargs.get("filename", args[1] if len(args) > 1 else None)))

    sys.addaudithook(audit)
    before(torch, "save", saved)
    before(RecursiveScriptModule, "save", saved)
    if "safetensors.torch" in sys.modules:
        before(sys.modules["safetensors.torch"], "save_file", saved)
