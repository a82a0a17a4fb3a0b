"""Which forwards fed an optimizer step: outermost module calls, backward passes, steps."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from pytest_sagemaker.job.observe.content import row_digests, tensors_in
from pytest_sagemaker.job.observe.patching import wrap

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sagemaker.job.observe.parameters import Parameters
    from pytest_sagemaker.job.observe.reads import Reads
    from pytest_sagemaker.job.observe.recorder import Recorder


class Training:
    """Numbers the forwards of modules with parameters, and says which of them a backward pass reached.

    A hook on the output's graph node tells exactly that; it is no part of the tensor and returns nothing, so
    gradients stay what they are.
    """

    def __init__(self, recorder: Recorder, reads: Reads, parameters: Parameters) -> None:
        self._recorder = recorder
        self._reads = reads
        self._parameters = parameters
        self._inside = (
            False  # a module's forward, or a backward pass, which may repeat forwards (checkpointing)
        )
        self._forwards = 0
        self._reached = 0  # the last forward that a backward pass reached; -1: none since it began
        self._trainable: weakref.WeakKeyDictionary[torch.nn.Module, bool] = weakref.WeakKeyDictionary()
        self._optimizers: weakref.WeakKeyDictionary[torch.optim.Optimizer, int] = weakref.WeakKeyDictionary()
        wrap(torch.nn.Module, "__call__", self._called)
        wrap(torch.autograd, "backward", self._backward)
        register_optimizer_step_post_hook(self._stepped)

    def _called(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def called(module: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
            if self._inside or not self._has_parameters(module):
                return original(module, *args, **kwargs)
            learns = torch.is_grad_enabled()
            self._forwards += 1
            self._recorder.emit("forward", self._forwards, learns)
            if learns:
                self._look(module, args, kwargs)
            self._inside = True
            try:
                output = original(module, *args, **kwargs)
            finally:
                self._inside = False
            if learns:
                self._follow(module, output, self._forwards)
            return output

        return called

    def _has_parameters(self, module: torch.nn.Module) -> bool:
        known = self._trainable.get(module)
        if known is None:
            known = self._trainable[module] = next(module.parameters(), None) is not None
        return known

    def _look(self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Note what a forward that may be trained on is given."""
        self._parameters.forward(module, args, kwargs)
        if not self._reads.open:  # batches made by hand: no loader names their samples
            first = next(tensors_in([args, kwargs]), None)
            if first is not None:
                self._recorder.emit("batch", self._forwards, row_digests(first))

    def _follow(self, module: torch.nn.Module, output: Any, number: int) -> None:
        alive = weakref.ref(
            module
        )  # a module that keeps its output must not keep itself alive through the graph

        def reached(*_: Any) -> None:
            if self._reached != number:
                self._reached = number
                self._recorder.emit("fed", number)
                self._parameters.fed(alive())

        for tensor in tensors_in(output):
            if tensor.grad_fn is not None:
                tensor.grad_fn.register_prehook(reached)

    def _backward(self, original: Callable[..., None]) -> Callable[..., None]:
        def backward(*args: Any, **kwargs: Any) -> None:
            before, self._inside, self._reached = self._inside, True, -1
            try:
                original(*args, **kwargs)
            finally:
                self._inside = before
            if self._reached < 0:
                self._recorder.emit("fed", 0)  # no module was seen: whatever was read last

        return backward

    def _stepped(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        number = self._optimizers.setdefault(optimizer, len(self._optimizers) + 1)
        self._recorder.emit("step", number)
        self._parameters.stepped()
        self._recorder.flush_now_and_then()
