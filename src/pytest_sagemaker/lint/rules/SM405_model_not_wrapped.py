"""A process group is made, and nothing keeps the ranks' models equal.

Each rank trains a model of its own on its part of the data. The one that is saved has learned from a part
only, as if the other hosts had not been paid for.

Why it fails:
`init_process_group` only connects the ranks. Gradients are averaged by DistributedDataParallel, by FSDP, or
by calls of `all_reduce` that the script makes itself.

Use instead:
`model = DistributedDataParallel(model)`, below `model.to(device)` and above the optimizer.

False alarms:
Wrapping in one branch only, averaging by hand, model parallelism and frameworks count as right. A model
that comes from or goes to a function of another file is not judged.

Source:
https://docs.pytorch.org/docs/stable/notes/ddp.html
https://docs.pytorch.org/tutorials/intermediate/ddp_tutorial.html
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from pytest_sagemaker.finding import Fix
from pytest_sagemaker.lint.edits import insert_before
from pytest_sagemaker.lint.spelling import spell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.finding import Fault
    from pytest_sagemaker.lint.module import Module

SEVERITY = "E"

BAD = {
    "plain": """\
import torch
import torch.distributed as dist
from torch import nn

def train(args, loader):
    dist.init_process_group("gloo")
    model = nn.Linear(8, 2).to(args.device)  # SM405
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x in loader:
        model(x).sum().backward()
        optimizer.step()
""",
    "data-parallel-is-of-one-host": """\
import torch
from torch import nn, optim
from torch.distributed import init_process_group

class Net(nn.Module):
    pass

def main():
    init_process_group("gloo")
    model = torch.nn.DataParallel(Net())  # SM405
    optimizer = optim.Adam(model.parameters())
    model(x).backward()
    optimizer.step()
""",
    "loss-averaged-for-the-log": """\
import torch
import torch.distributed as dist

model = torch.nn.Linear(2, 2)  # SM405
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
dist.init_process_group("gloo")
for x in loader:
    loss = model(x).sum()
    loss.backward()
    optimizer.step()
    dist.all_reduce(loss)
""",
}

GOOD = {
    "wrapped": """\
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel as DDP

dist.init_process_group("gloo")
model = DDP(torch.nn.Linear(2, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model(x).backward()
""",
    "wrapped-on-several-hosts": """\
import torch
import torch.distributed as dist

def main(args):
    if args.distributed:
        dist.init_process_group("gloo")
    model = torch.nn.Linear(2, 2)
    model = torch.nn.parallel.DistributedDataParallel(model) if args.distributed else model
    model(x).backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
""",
    "averaged-by-hand": """\
import torch
import torch.distributed as dist

def average(model):
    for parameter in model.parameters():
        dist.all_reduce(parameter.grad)
        parameter.grad /= dist.get_world_size()

dist.init_process_group("gloo")
model = torch.nn.Linear(2, 2)
model(x).backward()
average(model)
""",
    "made-in-another-file": """\
import torch
import torch.distributed as dist
from models import build

dist.init_process_group("gloo")
model = build("resnet")
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model(x).backward()
""",
    "wrapped-in-another-file": """\
import torch
import torch.distributed as dist
from ranks import prepare

dist.init_process_group("gloo")
model = torch.nn.Linear(2, 2)
prepare(model)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
model(x).backward()
""",
    "framework": """\
import torch
import torch.distributed as dist
from accelerate import Accelerator

dist.init_process_group("gloo")
model = Accelerator().prepare(torch.nn.Linear(2, 2))
model.parameters()
loss.backward()
""",
    "trains-nothing": """\
import torch
import torch.distributed as dist

dist.init_process_group("gloo")
model = torch.nn.Linear(2, 2)
print(sum(p.numel() for p in model.parameters()))
""",
}

WRAPPER = "torch.nn.parallel.DistributedDataParallel"


def check(module: Module) -> Iterator[Fault]:
    ranks = module.distributed
    if not ranks.inits or not module.training or module.training.frameworks:
        return
    if ranks.wraps or ranks.averages or ranks.model_parallel:
        return
    made = _models(module)
    if made:
        yield module.fault(
            made[0],
            "every rank trains a model of its own: nothing averages gradients between ranks",
            help="wrap the model above the optimizer: model = DistributedDataParallel(model)",
            fix=_fix(module),
        )


def _models(module: Module) -> list[ast.Call]:
    """The calls that make what is trained, in document order; empty if one of them is out of sight."""
    receivers = [
        call.func.value
        for call in module.method_calls("parameters")
        if isinstance(call.func, ast.Attribute)
        and not (isinstance(call.func.value, ast.Name) and call.func.value.id in ("self", "cls"))
    ]
    origins = [value.node for receiver in receivers for value in module.flow.origins(receiver)]
    calls = [node for node in origins if isinstance(node, ast.Call)]
    if len(calls) < len(origins):
        return []
    if any(_is_strange(call, module) for call in [*calls, *_takers(receivers, module)]):
        return []
    return sorted(calls, key=lambda call: call.lineno)


def _takers(receivers: list[ast.expr], module: Module) -> list[ast.Call]:
    """The calls that a model is passed to."""
    names = {receiver.id for receiver in receivers if isinstance(receiver, ast.Name)}
    return [
        call
        for name in names
        for reference in module.tree.references(name)
        if isinstance(call := module.tree.parents[reference], ast.Call) and call.func is not reference
    ]


def _is_strange(call: ast.Call, module: Module) -> bool:
    """Whether a call is of a function of another file or package, which may wrap a model.

    `build().to(device)` is a call of `build`. A class that is merely imported makes a bare model.
    """
    made: ast.expr = call
    while isinstance(made, ast.Call) and isinstance(made.func, ast.Attribute) and not module.name(made.func):
        made = made.func.value
    name = module.name(made.func) if isinstance(made, ast.Call) else ""
    return name in module.strangers and not name.rpartition(".")[2][:1].isupper()


def _fix(module: Module) -> Fix | None:
    """The wrapper above the optimizer, where the group is made earlier in the same function."""
    if module.calls("torch.nn.DataParallel"):
        return None
    for call in module.tree.all(ast.Call):
        if not module.name(call.func).startswith("torch.optim.") or not call.args:
            continue
        passed = call.args[0]
        if not isinstance(passed, ast.Call) or not isinstance(passed.func, ast.Attribute):
            continue
        statement = module.tree.statement(call)
        model = passed.func.value
        wrapper = spell(module, WRAPPER, call)
        before = [init for init in module.distributed.inits if init.lineno < statement.lineno]
        if (
            isinstance(model, ast.Name)
            and wrapper is not None
            and before
            and module.tree.function(before[0]) is module.tree.function(call)
            and not module.distributed.conditional(before[0])
        ):
            line = f"{model.id} = {wrapper}({model.id})"
            return Fix("wrap the model", (insert_before(module, statement, line),), safe=False)
    return None
