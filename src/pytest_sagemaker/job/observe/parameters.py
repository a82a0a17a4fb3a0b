"""Digests of the trained parameters: before training, whenever they are saved or copied, at the end."""

from __future__ import annotations

import copy
import os
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import torch
import torch.distributed
from torch.jit._script import RecursiveScriptModule
from torch.serialization import save

from pytest_sagemaker.job.observe.content import tensor_digest, tensors_in
from pytest_sagemaker.job.observe.patching import before

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pytest_sagemaker.job.observe.recorder import Recorder

_WRAPPERS = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
_ROWS = 4  # of an input that is kept to predict with
_INPUT_BYTES = 1 << 26
_COPIES = 50  # snapshots for copies of weights; then one in twenty steps: some scripts copy at every step


class _Named(Protocol):
    """What has parameters with names."""

    def named_parameters(self) -> Iterable[tuple[str, torch.Tensor]]: ...


@dataclass
class _Loose:
    """The parameters of an optimizer whose modules were not seen: there are none, or they run compiled."""

    optimizer: torch.optim.Optimizer

    def named_parameters(self) -> Iterable[tuple[str, torch.Tensor]]:
        for number, group in enumerate(self.optimizer.param_groups):
            for place, parameter in enumerate(group["params"]):
                yield f"{number}.{place}", parameter


@dataclass(eq=False)
class Root:
    """A module that was called from outside any other."""

    module: weakref.ref[torch.nn.Module]
    trainable: bool
    sharded: bool = False
    met: bool = False
    trained: bool = False
    initial: dict[str, str] = field(default_factory=dict)
    given: Any = None  # the arguments of its first forward, a few rows of them


class Parameters:
    """Knows the modules that are called, and puts digests of the trained ones' parameters into events.

    `inputs` is the folder for one input of each module, None for a rank that keeps none.
    """

    def __init__(self, recorder: Recorder, inputs: Path | None) -> None:
        self._recorder = recorder
        self._inputs = inputs
        self._roots: dict[int, Root] = {}  # by identity
        self._trained: list[_Named] = []  # kept alive: a script may drop its model before the end
        self._changed = False  # since the last snapshot
        self._steps = self._snapshots = 0
        for owner, name in ((torch, "save"), (torch.nn.Module, "load_state_dict")):
            before(owner, name, self.snapshot)
        before(RecursiveScriptModule, "save", self.snapshot)
        before(torch.distributed, "destroy_process_group", self.snapshot)
        before(torch.nn.Module, "state_dict", self._copied)
        before(
            torch.nn.Module, "_apply", self._copied
        )  # to(), half(), cpu(): one rank may do so after training
        before(copy, "deepcopy", self._copied)

    def forget(self) -> None:
        """Start again: no module was called yet."""
        self._roots.clear()
        self._trained.clear()
        self._changed = False

    def root(self, module: torch.nn.Module) -> Root:
        """What is known of a module."""
        identity = id(module)
        root = self._roots.get(identity)
        if root is None:
            alive = weakref.ref(module, lambda _: self._roots.pop(identity, None))
            trainable = next(module.parameters(), None) is not None
            root = self._roots[identity] = Root(alive, trainable)
        return root

    def meet(self, root: Root, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Called before the first forward that gradients may flow through."""
        root.met = True
        module = root.module()
        if module is not None and sharded(module):  # a backward pass has gathered the shards
            root.sharded = True
            root.initial = digests(module)
        if self._inputs:
            root.given = some_rows(args, kwargs)

    def begin(self, root: Root) -> None:
        """Called when a backward pass reaches a module for the first time: before its first step."""
        root.trained = self._changed = True
        module = root.module()
        if module is None:
            return
        self._trained.append(module)
        number, kind = len(self._trained), type(bare(module)).__name__
        self._recorder.emit("initial", number, kind, root.sharded, root.initial or digests(module))
        if self._inputs and root.given is not None:
            draft = self._inputs / f"input-{number}.{os.getpid()}"  # several processes may train for rank 0
            save(root.given, draft)
            draft.replace(draft.with_suffix(".pt"))
        root.given = None

    def stepping(self, optimizer: torch.optim.Optimizer) -> None:
        """Called before the first optimizer step."""
        if not self._trained:
            loose = _Loose(optimizer)
            self._trained.append(loose)
            self._recorder.emit("initial", 1, type(optimizer).__name__, False, digests(loose))

    def stepped(self) -> None:
        """Called after each optimizer step."""
        self._changed = True
        self._steps += 1

    def snapshot(self, *_: Any, **__: Any) -> None:
        """Put the parameters as they are now into events, if they may have changed since the last time."""
        if self._changed:
            self._changed = False
            self._snapshots += 1
            for number, module in enumerate(self._trained, 1):
                self._recorder.emit("snapshot", number, digests(module))
            self._recorder.flush()

    def _copied(self, thing: object, *_: Any, **__: Any) -> None:
        if isinstance(thing, torch.nn.Module) and self._snapshots < _COPIES + self._steps // 20:
            self.snapshot()


def digests(module: _Named) -> dict[str, str]:
    """Type and digest of each parameter, under its name in the bare module."""
    return tensor_digests(dict(module.named_parameters()))


def tensor_digests(tensors: Mapping[str, torch.Tensor]) -> dict[str, str]:
    """The same for the tensors of a state_dict: `float32:3f2a...`."""
    return {
        bare_name(name): f"{str(tensor.dtype).partition('.')[2]}:{tensor_digest(local(tensor))}"
        for name, tensor in tensors.items()
        if not torch.nn.parameter.is_lazy(tensor)
    }


def local(parameter: Any) -> torch.Tensor:
    """This rank's part of a DTensor, or the parameter itself."""
    part: torch.Tensor = parameter.to_local() if hasattr(parameter, "to_local") else parameter
    return part


def sharded(module: torch.nn.Module) -> bool:
    """Whether a rank holds only its part of some parameters (FSDP, DTensor)."""
    return any(type(inner).__name__ == "FullyShardedDataParallel" for inner in module.modules()) or any(
        hasattr(parameter, "to_local") for parameter in module.parameters()
    )


def bare(module: torch.nn.Module) -> torch.nn.Module:
    """The module inside DDP, FSDP, `torch.compile`."""
    while list(module._modules) and set(module._modules) <= set(_WRAPPERS):
        module = next(module.children())
    return module


def bare_name(name: str) -> str:
    """A parameter's name without what wrappers put into it: a leading `module.`, `_orig_mod.` anywhere."""
    parts = name.split(".")
    while parts[0] == "module":
        del parts[0]
    return ".".join(part for part in parts if part not in _WRAPPERS[1:])


def some_rows(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A copy of the first rows of a forward's arguments, as plain containers; None where that cannot be."""
    tensors = list(tensors_in([args, kwargs]))
    lengths = {len(tensor) if tensor.dim() else 0 for tensor in tensors}
    rows = _ROWS if len(lengths) == 1 else None  # else the first dimension is not always that of samples
    size = sum(tensor[:rows].nbytes if tensor.dim() else tensor.nbytes for tensor in tensors)
    if not tensors or size > _INPUT_BYTES:
        return None
    try:
        return _plain((args, kwargs), rows)
    except TypeError:
        return None


def _plain(value: Any, rows: int | None) -> Any:
    if isinstance(value, torch.Tensor):
        return (value[:rows] if value.dim() else value).detach().cpu().clone()
    if isinstance(value, Mapping):
        return {key: _plain(item, rows) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, rows) for item in value]
    if isinstance(value, str | int | float | bool | None):
        return value
    raise TypeError(f"cannot keep a {type(value).__name__}")
