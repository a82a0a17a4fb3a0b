"""Which forwards fed an optimizer step: outermost module calls, backward passes, steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch._dynamo
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from pytest_sagemaker.job.observe.content import row_digests, tensors_in
from pytest_sagemaker.job.observe.patching import wrap

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sagemaker.job.observe.parameters import Parameters, Root
    from pytest_sagemaker.job.observe.reads import Reads
    from pytest_sagemaker.job.observe.recorder import Recorder


_Forward = tuple["Root", int, Any]  # a module, the number of its call, what it returned


class Training:
    """Numbers the forwards of modules with parameters, and says which of them a backward pass reached.

    One forward before a backward pass is taken for its cause. Where there were several, hooks on the graph
    nodes of their outputs tell exactly: they are no part of the tensors and return nothing, so gradients stay
    what they are.
    """

    def __init__(self, recorder: Recorder, reads: Reads, parameters: Parameters) -> None:
        self._recorder = recorder
        self._reads = reads
        self._parameters = parameters
        self._inside = (
            False  # a module's forward, or a backward pass, which may repeat forwards (checkpointing)
        )
        self._forwards = 0
        self._last: _Forward | None = None  # not followed by a backward pass yet
        self._hooked = False  # forwards before the last one have hooks
        self._reached = 0  # the last forward known to be reached; -1: none since a backward pass began
        wrap(torch.nn.Module, "__call__", self._called)
        wrap(torch.autograd, "backward", self._backward)
        wrap(torch.autograd, "grad", self._backward)
        register_optimizer_step_pre_hook(lambda optimizer, *_: parameters.stepping(optimizer))
        register_optimizer_step_post_hook(self._stepped)

    def _called(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def called(module: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
            if self._inside or not (module._parameters or module._modules) or _is_traced():
                return original(module, *args, **kwargs)
            root = self._parameters.root(module)
            if not root.trainable:
                return original(module, *args, **kwargs)
            self._forwards = number = self._forwards + 1
            learns = torch.is_grad_enabled()
            self._recorder.emit("forward", number, learns)
            if learns and not (root.met and self._reads.open):
                self._look(root, number, args, kwargs)
            self._inside = True
            try:
                output = original(module, *args, **kwargs)
            finally:
                self._inside = False
            if learns:
                if self._last:
                    self._hook(self._last)
                self._last = (root, number, output)
            return output

        return called

    def _look(self, root: Root, number: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Note what a forward that may be trained on is given."""
        if not root.met:
            self._parameters.meet(root, args, kwargs)
        if not self._reads.open:  # batches made by hand: no loader names their samples
            first = next(tensors_in([args, kwargs]), None)
            if first is not None:
                self._recorder.emit("batch", number, row_digests(first))

    def _hook(self, forward: _Forward) -> None:
        root, number, output = forward
        self._hooked = True
        for tensor in tensors_in(output):
            if tensor.grad_fn is not None:
                tensor.grad_fn.register_prehook(lambda *_: self._feed(root, number))

    def _feed(self, root: Root, number: int) -> None:
        if self._reached != number:
            self._reached = number
            self._recorder.emit("fed", number)
            if not root.trained:
                self._parameters.begin(root)

    def _backward(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def backward(*args: Any, **kwargs: Any) -> Any:
            before, last, self._last = self._inside, self._last, None
            self._inside, self._reached = True, -1
            if last and self._hooked:
                self._hook(last)
            elif last and any(tensor.requires_grad for tensor in tensors_in(last[2])):
                self._feed(last[0], last[1])
            try:
                result = original(*args, **kwargs)
            finally:
                self._inside = before
            if self._reached < 0:
                self._recorder.emit("fed", 0)  # no module was seen: whatever was read last
            self._hooked = False
            return result

        return backward

    def _stepped(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        self._recorder.emit("step", id(optimizer))
        self._parameters.stepped()
        self._recorder.flush_now_and_then()


def _is_traced() -> bool:
    """Whether a call only shows its operations, to a compiler or a tracer: its tensors may hold nothing."""
    return torch._dynamo.is_compiling() or torch._C._is_tracing() or torch._C._len_torch_dispatch_stack() > 0
