"""What in a script trains: backward passes, optimizer steps, frameworks that do both themselves."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pytest_sagemaker.lint.facts.flow import Flow
    from pytest_sagemaker.lint.facts.tree import FunctionNode, Tree

FRAMEWORKS = {
    "accelerate": "Accelerate",
    "composer": "Composer",
    "deepspeed": "DeepSpeed",
    "horovod": "Horovod",
    "ignite": "Ignite",
    "lightning": "Lightning",
    "pytorch_lightning": "Lightning",
    "ray.train": "Ray Train",
    "smdistributed": "smdistributed",
    "transformers.Trainer": "transformers Trainer",
    "transformers.Seq2SeqTrainer": "transformers Trainer",
    "trl": "TRL",
}
"""Packages (or names in them) that make process groups, wrap models and shard data themselves."""


class Training(NamedTuple):
    """The calls that train, and the functions that hold one, directly or through functions of this file."""

    backwards: tuple[ast.Call, ...]
    steps: tuple[ast.Call, ...]
    fits: tuple[ast.Call, ...]
    functions: frozenset[FunctionNode]
    frameworks: frozenset[str]

    @property
    def calls(self) -> tuple[ast.Call, ...]:
        """Every call that trains."""
        return self.backwards + self.steps + self.fits

    def __bool__(self) -> bool:
        """Whether anything trains here."""
        return bool(self.calls)


def training(tree: Tree, flow: Flow) -> Training:
    """Find what trains in a file."""
    frameworks = frozenset(
        label
        for key, label in FRAMEWORKS.items()
        if any(full == key or full.startswith(f"{key}.") for full in tree.imports.values())
    )
    backwards = tuple(call for call in tree.method_calls("backward") if _is_backward(call, tree))
    steps = tuple(call for call in tree.method_calls("step") if _is_optimizer_step(call, tree, flow))
    fits = tuple(tree.method_calls("fit", "train")) if frameworks else ()
    fits = tuple(call for call in fits if _is_framework_fit(call, tree, flow))
    return Training(backwards, steps, fits, _functions(tree, flow, [*backwards, *steps, *fits]), frameworks)


def _is_backward(call: ast.Call, tree: Tree) -> bool:
    """`loss.backward()`, `accelerator.backward(loss)`; not `super().backward()`."""
    receiver = call.func.value if isinstance(call.func, ast.Attribute) else call.func
    return not (isinstance(receiver, ast.Call) and tree.name(receiver.func) == "super")


def _is_optimizer_step(call: ast.Call, tree: Tree, flow: Flow) -> bool:
    """A `.step()` of an optimizer or a gradient scaler, told by its origin, else by its name."""
    if not isinstance(call.func, ast.Attribute):
        return False
    receiver = call.func.value
    for value in flow.origins(receiver):
        if isinstance(value.node, ast.Call):
            name = tree.name(value.node.func)
            if name.startswith("torch.optim.lr_scheduler."):
                return False
            if name.startswith("torch.optim.") or name.endswith("GradScaler"):
                return True
    last = (
        receiver.attr
        if isinstance(receiver, ast.Attribute)
        else receiver.id
        if isinstance(receiver, ast.Name)
        else ""
    )
    return "optim" in last.lower() or last in ("opt", "scaler")


def _is_framework_fit(call: ast.Call, tree: Tree, flow: Flow) -> bool:
    """`Trainer(...).fit()` or `.train()` where the Trainer is an imported one."""
    if not isinstance(call.func, ast.Attribute):
        return False
    return any(
        isinstance(value.node, ast.Call) and tree.name(value.node.func).rpartition(".")[2].endswith("Trainer")
        for value in flow.origins(call.func.value)
    )


def _functions(tree: Tree, flow: Flow, calls: list[ast.Call]) -> frozenset[FunctionNode]:
    found: set[FunctionNode] = set()
    todo = [function for call in calls if (function := tree.function(call))]
    while todo:
        function = todo.pop()
        if function not in found:
            found.add(function)
            todo += [outer for call in flow.calls_to(function) if (outer := tree.function(call))]
    return frozenset(found)
