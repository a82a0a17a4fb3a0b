"""`set_epoch` is never called on the DistributedSampler: the same order in every epoch.

Training works, and converges worse than it could: every rank sees its samples in the order of the first
epoch, again and again, and never those of another rank.

Why it fails:
DistributedSampler shuffles with `seed + epoch`, so that all ranks shuffle alike, and its epoch stays 0
until somebody sets it.

Use instead:
`sampler.set_epoch(epoch)` as the first line of the loop over epochs. `loader.sampler` is the sampler, where
only the loader is at hand.

False alarms:
A single epoch, `shuffle=False`, evaluation, and frameworks that set the epoch are not reported; nor is a
sampler that is handed to a function of another file.

Source:
https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.distributed.DistributedSampler
https://github.com/pytorch/pytorch/issues/31771
"""

from __future__ import annotations

import ast
import builtins
from typing import TYPE_CHECKING

from pytest_sagemaker.finding import Fix
from pytest_sagemaker.lint.edits import insert_before
from pytest_sagemaker.lint.facts.epochs import loop_over_epochs, rebinds, repeats
from pytest_sagemaker.lint.facts.loaders import DISTRIBUTED_SAMPLER
from pytest_sagemaker.lint.spelling import spell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.finding import Fault
    from pytest_sagemaker.lint.facts.loaders import Loader
    from pytest_sagemaker.lint.module import Module

SEVERITY = "W"

BAD = {
    "plain": """\
from torch.utils.data import DataLoader
from torch.utils.data.distributed import DistributedSampler

def train(args, dataset):
    sampler = DistributedSampler(dataset)  # SM408
    loader = DataLoader(dataset, sampler=sampler)
    for epoch in range(args.epochs):
        for x in loader:
            model(x).backward()
""",
    "made-by-a-helper": """\
import torch

def make(dataset, is_distributed, **kwargs):
    sampler = (
        torch.utils.data.distributed.DistributedSampler(dataset) if is_distributed else None  # SM408
    )
    return torch.utils.data.DataLoader(dataset, sampler=sampler, shuffle=sampler is None, **kwargs)

def train(args, dataset):
    train_loader = make(dataset, args.distributed, batch_size=8)
    for epoch in range(1, args.epochs + 1):
        model.train()
        for batch, x in enumerate(train_loader, 1):
            model(x).backward()
""",
    "only-the-test-sampler": """\
from torch.utils.data import DataLoader, DistributedSampler

def run(loader):
    for x in loader:
        model(x).backward()

def main(train_set, test_set):
    train_sampler, test_sampler = DistributedSampler(train_set), DistributedSampler(test_set)  # SM408
    loader = DataLoader(train_set, sampler=train_sampler)
    epoch = 0
    while epoch < 5:
        test_sampler.set_epoch(epoch)
        run(loader)
        epoch += 1
""",
}

GOOD = {
    "set": """\
from torch.utils.data import DataLoader, DistributedSampler

def train(args, dataset):
    sampler = DistributedSampler(dataset)
    loader = DataLoader(dataset, sampler=sampler)
    for epoch in range(args.epochs):
        sampler.set_epoch(epoch)
        for x in loader:
            model(x).backward()
""",
    "set-through-the-loader": """\
from torch.utils.data import DataLoader, DistributedSampler

class Trainer:
    def __init__(self, dataset):
        self.loader = DataLoader(dataset, sampler=DistributedSampler(dataset))

    def epoch(self, number):
        self.loader.sampler.set_epoch(number)
        for x in self.loader:
            model(x).backward()

    def train(self):
        for number in range(9):
            self.epoch(number)
""",
    "in-order-on-purpose": """\
from torch.utils.data import DataLoader, DistributedSampler

def train(dataset):
    loader = DataLoader(dataset, sampler=DistributedSampler(dataset, shuffle=False))
    for epoch in range(9):
        for x in loader:
            model(x).backward()
""",
    "one-epoch": """\
from torch.utils.data import DataLoader, DistributedSampler

def train(dataset):
    for x in DataLoader(dataset, sampler=DistributedSampler(dataset)):
        model(x).backward()
""",
    "handed-on": """\
from engine import fit
from torch.utils.data import DataLoader, DistributedSampler

def train(dataset):
    sampler = DistributedSampler(dataset)
    loader = DataLoader(dataset, sampler=sampler)
    for epoch in range(9):
        prepare(epoch, sampler=sampler)
        for x in loader:
            model(x).backward()

prepare = fit
""",
    "evaluation": """\
from torch.utils.data import DataLoader, DistributedSampler

def evaluate(dataset):
    loader = DataLoader(dataset, sampler=DistributedSampler(dataset))
    for epoch in range(2):
        for x in loader:
            model(x)
""",
}

_SET_NO_EPOCH = {"DeepSpeed", "Horovod", "smdistributed"}
"""Frameworks that leave the sampler to the script."""


def check(module: Module) -> Iterator[Fault]:
    if module.training.frameworks - _SET_NO_EPOCH:
        return
    for loader in module.loaders:
        samplers = [
            value.node
            for value in loader.samplers
            if isinstance(value.node, ast.Call) and module.name(value.node.func) == DISTRIBUTED_SAMPLER
        ]
        if loader.purpose != "training" or not any(repeats(module, loop) for loop in loader.loops):
            continue
        for sampler in samplers:
            if _shuffles(sampler) and not _is_set(sampler, loader, module):
                yield module.fault(
                    sampler,
                    "set_epoch is never called: every epoch has the same order, each rank the same samples",
                    help="call sampler.set_epoch(epoch) at the start of every epoch",
                    fix=_fix(sampler, loader, module),
                )


def _shuffles(sampler: ast.Call) -> bool:
    return len(sampler.args) < 4 and not any(
        keyword.arg is None
        or (
            keyword.arg == "shuffle"
            and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is True)
        )
        for keyword in sampler.keywords
    )


def _is_set(sampler: ast.Call, loader: Loader, module: Module) -> bool:
    """Whether set_epoch may be called on a sampler: on it, on its loader's, or somewhere out of sight."""
    for call in module.method_calls("set_epoch"):
        assert isinstance(call.func, ast.Attribute)
        owner = call.func.value
        while isinstance(owner, ast.Attribute) and owner.attr in ("sampler", "batch_sampler", "dataset"):
            owner = owner.value
        made = {value.node for value in module.flow.origins(owner)}
        if made & {sampler, loader.call} or not all(isinstance(node, ast.Call) for node in made):
            return True
    return any(
        value.node in (sampler, loader.call)
        for call in module.tree.all(ast.Call)
        if not _is_harmless(call, module)
        for given in [*call.args, *(keyword.value for keyword in call.keywords)]
        if isinstance(given, (ast.Name, ast.Attribute))
        for value in module.flow.origins(given)
    )


def _is_harmless(call: ast.Call, module: Module) -> bool:
    """Whether a call does nothing to a sampler that is passed: of this file, of torch, of Python."""
    name = module.name(call.func)
    if name.startswith(("torch.", "tqdm.", "itertools.")) or hasattr(builtins, name):
        return True
    if module.flow.local_function(call):
        return True
    return isinstance(call.func, ast.Name) and any(
        found.name == call.func.id for found in module.tree.all(ast.ClassDef)
    )


def _fix(sampler: ast.Call, loader: Loader, module: Module) -> Fix | None:
    """The call as first line of the loop over epochs, where the sampler or the loader has a name."""
    for loop in loader.loops:
        epochs = loop_over_epochs(module, loop)
        if epochs is not None and isinstance(epochs.target, ast.Name):
            line = _line(sampler, loader, epochs, epochs.target.id, module)
            if line is not None:
                return Fix("set the epoch", (insert_before(module, epochs.body[0], *line),))
    return None


def _line(
    sampler: ast.Call, loader: Loader, epochs: ast.For, epoch: str, module: Module
) -> tuple[str, ...] | None:
    """`sampler.set_epoch(epoch)`, guarded where the sampler may be another one or None."""
    home = module.tree.function(epochs)
    others = [value.node for value in loader.samplers if value.node is not sampler]
    given = loader.sampler[0]
    if isinstance(given, ast.Name) and module.tree.function(given) is home:
        if loader.call.lineno > epochs.lineno or rebinds(epochs, given.id):
            return None
        call = f"{given.id}.set_epoch({epoch})"
        if all(isinstance(node, ast.Constant) and node.value is None for node in others):
            return (f"if {given.id} is not None:", f"    {call}") if others else (call,)
    name = _name_of_loader(loader, epochs, module)
    kind = spell(module, DISTRIBUTED_SAMPLER, epochs)
    if name is None or kind is None:
        return None
    call = f"{name}.sampler.set_epoch({epoch})"
    return (f"if isinstance({name}.sampler, {kind}):", f"    {call}") if others else (call,)


def _name_of_loader(loader: Loader, epochs: ast.For, module: Module) -> str | None:
    """How the loop over epochs calls the loader that was made before it."""
    home = module.tree.function(epochs)
    for node in ast.walk(epochs):
        if not isinstance(node, (ast.Name, ast.Attribute)) or module.tree.function(node) is not home:
            continue
        if [value.node for value in module.flow.origins(node)] == [loader.call]:
            name = module.text(node)
            return None if rebinds(epochs, name.rpartition(".")[2]) else name
    return None
