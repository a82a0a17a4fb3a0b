"""What an expression that stands for a model is: a network, wrapped or bare, TorchScript, or unknown."""

from __future__ import annotations

import ast
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.lint.facts.flow import Flow
    from pytest_sagemaker.lint.facts.tree import Tree

WRAPPERS = {
    "torch.nn.parallel.DistributedDataParallel",
    "torch.nn.DataParallel",
    "apex.parallel.DistributedDataParallel",
    "smdistributed.dataparallel.torch.parallel.distributed.DistributedDataParallel",
}
"""Classes that keep the network as `.module`: every name in their state_dict begins with `module.`."""

_SHARDERS = {"torch.distributed.fsdp.FullyShardedDataParallel", "torch.compile"}
"""Wrappers whose names depend on more than the script shows."""

_SCRIPTING = {"torch.jit.script", "torch.jit.trace", "torch.jit.freeze", "torch.jit.optimize_for_inference"}
_COPIES = {"copy.copy", "copy.deepcopy"}
_PASSING = {
    "to", "cpu", "cuda", "eval", "train", "half", "float", "double", "bfloat16", "type", "apply",
    "requires_grad_", "share_memory", "to_empty", "xpu",
}  # fmt: skip
"""Methods of a network that return the network itself."""

_NO_NETWORKS = ("optim", "sched", "scaler", "lr_", "loader", "sampler")

_MOVING = {"to", "cpu", "cuda", "to_empty", "xpu"}


class Model(NamedTuple):
    """One thing that a model expression can be.

    `maker` is the call that made it. `wrapped`: whether the names in its state_dict begin with
    `module.`; None where that cannot be told. `on_cpu`: whether it was moved to the CPU on its way here.
    """

    kind: Literal["module", "script", "unknown"]
    maker: ast.Call | None = None
    wrapped: bool | None = None
    on_cpu: bool = False


UNKNOWN_MODEL = Model("unknown")


class Models:
    """Follows models through wrappers, moves and copies."""

    def __init__(self, tree: Tree, flow: Flow) -> None:
        """Look into `tree` on demand."""
        self._tree = tree
        self._flow = flow
        self._cache: dict[tuple[ast.expr, tuple[ast.Call, ...]], tuple[Model, ...]] = {}

    def of(self, node: ast.expr, frame: tuple[ast.Call, ...] = ()) -> tuple[Model, ...]:
        """Every model that an expression can be."""
        key = (node, frame)
        if key not in self._cache:
            self._cache[key] = ()  # what a loop finds when it comes back here: nothing new
            self._cache[key] = tuple(dict.fromkeys(self._of(node, frame)))
        return self._cache[key]

    @cached_property
    def classes(self) -> dict[str, ast.ClassDef]:
        """The networks that this file defines at its top level, by name."""
        defined = {node.name: node for node in self._tree.root.body if isinstance(node, ast.ClassDef)}
        found: dict[str, ast.ClassDef] = {}
        for _ in range(3):  # a network that derives from another one of this file, and from a third
            found |= {
                name: node
                for name, node in defined.items()
                if any(self._is_base(base, found) for base in node.bases)
            }
        return found

    def _is_base(self, base: ast.expr, known: dict[str, ast.ClassDef]) -> bool:
        full = self._tree.name(base)
        if isinstance(base, ast.Name) and base.id in known:
            return True
        return _is_torch_module(full) or full.endswith((".LightningModule", ".PreTrainedModel"))

    def _of(self, node: ast.expr, frame: tuple[ast.Call, ...]) -> Iterator[Model]:
        for value in self._flow.origins(node, frame):
            if isinstance(value.node, ast.Call) and value.item is None:
                yield from self._call(value.node, value.frame)
            elif isinstance(value.node, ast.Attribute) and value.node.attr == "module":
                yield from self._bare(value.node.value, value.frame)
            elif isinstance(value.node, ast.Attribute) and value.node.attr == "_orig_mod":
                yield from self.of(value.node.value, value.frame)
            elif not (isinstance(value.node, ast.Constant) and value.node.value is None):
                yield UNKNOWN_MODEL

    def _call(self, node: ast.Call, frame: tuple[ast.Call, ...]) -> Iterator[Model]:
        name = self._tree.name(node.func)
        inner = node.args[0] if node.args else next((k.value for k in node.keywords if k.arg), None)
        if inner is not None and name in WRAPPERS:
            yield from (model._replace(wrapped=True) for model in self.of(inner, frame))
        elif inner is not None and name in _SHARDERS:
            yield from (model._replace(wrapped=None) for model in self.of(inner, frame))
        elif name in _SCRIPTING:
            yield Model("script", node)
        elif inner is not None and name in _COPIES:
            yield from self.of(inner, frame)
        elif inner is not None and (name == "getattr" or _last(node.func) == "unwrap_model"):
            yield from self._getattr(node, inner, frame)
        elif isinstance(node.func, ast.Attribute) and node.func.attr in _PASSING and not name:
            yield from self._passed(node, node.func, frame)
        elif self._makes_module(node, name):
            yield Model("module", node, wrapped=False)
        else:
            yield Model("unknown", node, wrapped=False if _is_class_name(name) else None)

    def _getattr(self, node: ast.Call, inner: ast.expr, frame: tuple[ast.Call, ...]) -> Iterator[Model]:
        """`getattr(model, "module", model)`, `accelerator.unwrap_model(model)`."""
        named = node.args[1] if len(node.args) > 1 else None
        if self._tree.name(node.func) != "getattr" or (
            isinstance(named, ast.Constant) and named.value == "module"
        ):
            yield from self._bare(inner, frame)
        else:
            yield UNKNOWN_MODEL

    def _bare(self, node: ast.expr, frame: tuple[ast.Call, ...]) -> Iterator[Model]:
        yield from (model._replace(wrapped=False) for model in self.of(node, frame))

    def _passed(self, call: ast.Call, method: ast.Attribute, frame: tuple[ast.Call, ...]) -> Iterator[Model]:
        for model in self.of(method.value, frame):
            moved = method.attr in _MOVING
            yield model._replace(on_cpu=self.moves_to_cpu(call) if moved else model.on_cpu)

    def moves_to_cpu(self, call: ast.Call) -> bool:
        """Whether a call is `x.cpu()`, `x.to("cpu")` or `x.to(torch.device("cpu"))`."""
        if _last(call.func) == "cpu":
            return True
        if _last(call.func) != "to":
            return False
        given = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "device")]
        for target in given[:1]:
            inner = target.args[0] if isinstance(target, ast.Call) and target.args else target
            return isinstance(inner, ast.Constant) and inner.value == "cpu"
        return False

    def _makes_module(self, node: ast.Call, name: str) -> bool:
        if isinstance(node.func, ast.Name) and node.func.id in self.classes:
            return True
        if name.startswith("transformers.") and name.endswith((".from_pretrained", ".from_config")):
            return "Model" in name
        return (
            _is_torch_module(name)
            or name == "timm.create_model"
            or (name.startswith("torchvision.models.") and not name.endswith("Weights"))
        )


def is_network(node: ast.expr) -> bool:
    """Whether what has a state_dict can be a network by its name: no optimizer, no scheduler, no loader."""
    written = ast.unparse(node).lower()
    return not any(word in written for word in _NO_NETWORKS)


def _is_torch_module(name: str) -> bool:
    """Whether a full name is a class of torch.nn (`torch.nn.Sequential`), loss or layer."""
    head, _, last = name.rpartition(".")
    return (head == "torch.nn" or head.startswith("torch.nn.modules")) and last[:1].isupper()


def _is_class_name(name: str) -> bool:
    """Whether a full name looks like the class of a network (`model.Net`), not like a wrapper's."""
    last = name.rpartition(".")[2]
    camel = last[:1].isupper() and any(letter.islower() for letter in last)
    return camel and not any(word in last for word in ("Parallel", "DDP", "FSDP", "Wrap", "Engine"))


def _last(func: ast.expr) -> str:
    return func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""
