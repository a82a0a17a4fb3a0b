"""Several ranks, and the training DataLoader gives every rank every sample.

Two hosts cost twice as much and train the same epoch as one: each rank reads the whole data set. Nothing in
the log says so.

Why it fails:
A process group averages gradients; it does not divide data. DataLoader knows nothing of ranks.

Use instead:
`sampler = DistributedSampler(dataset)`, `DataLoader(dataset, sampler=sampler)` without `shuffle`, and
`sampler.set_epoch(epoch)` at the start of every epoch.

False alarms:
A channel sent with ShardedByS3Key: each host has its own files already. Silence the line with `# sm-lint:
ignore[SM406] sharded by S3 key`. Evaluation loaders, iterable data sets, data divided by hand with the
rank, and frameworks that divide it are not reported.

Source:
https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.distributed.DistributedSampler
https://github.com/aws/amazon-sagemaker-examples/pull/191
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from pytest_sagemaker.finding import Fix
from pytest_sagemaker.lint.edits import remove_keyword, set_keyword
from pytest_sagemaker.lint.facts.loaders import DISTRIBUTED_SAMPLER
from pytest_sagemaker.lint.facts.mentions import mentions
from pytest_sagemaker.lint.spelling import spell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.finding import Fault
    from pytest_sagemaker.lint.facts.loaders import Loader
    from pytest_sagemaker.lint.module import Module

SEVERITY = "E"

BAD = {
    "plain": """\
import torch
import torch.distributed as dist
from torch.utils.data import DataLoader, TensorDataset

def train(args, x, y):
    dist.init_process_group("gloo")
    dataset = TensorDataset(x, y)
    loader = DataLoader(dataset, batch_size=args.batch_size, shuffle=True)  # SM406
    for features, labels in loader:
        loss(features, labels).backward()
""",
    "helpers-and-epochs": """\
import torch
from torch.distributed import init_process_group
from torchvision import datasets

def make(args):
    return torch.utils.data.DataLoader(  # SM406
        datasets.MNIST(args.data_dir), batch_size=64, **{"num_workers": 2}
    )

def train_epoch(model, loader, optimizer):
    for step, (x, y) in enumerate(loader):
        model(x, y).backward()
        optimizer.step()

def main(args, model, optimizer):
    init_process_group("gloo")
    loader = make(args)
    for epoch in range(args.epochs):
        train_epoch(model, loader, optimizer)
""",
    "random-sampler": """\
import torch.distributed as dist
from torch.utils.data import DataLoader, Dataset, RandomSampler

class Rows(Dataset):
    def __getitem__(self, i):
        return i

dist.init_process_group("gloo")
rows = Rows()
for x in DataLoader(rows, sampler=RandomSampler(rows)):  # SM406
    model(x).backward()
""",
}

GOOD = {
    "sampled-on-several-hosts": """\
import torch.distributed as dist
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

def train(args, x):
    if args.distributed:
        dist.init_process_group("gloo")
    dataset = TensorDataset(x)
    sampler = DistributedSampler(dataset) if args.distributed else None
    for (x,) in DataLoader(dataset, sampler=sampler, shuffle=sampler is None):
        model(x).backward()
""",
    "test-loader": """\
import torch
import torch.distributed as dist
from torch.utils.data import DataLoader, TensorDataset

def test(model, loader):
    with torch.no_grad():
        for x in loader:
            model(x)

def train(x):
    dist.init_process_group("gloo")
    test(model, DataLoader(TensorDataset(x), shuffle=True))
    loss.backward()
""",
    "one-function-for-both": """\
import torch.distributed as dist
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

def run(loader, train):
    for x in loader:
        loss = model(x)
        if train:
            loss.backward()

def main(a, b):
    dist.init_process_group("gloo")
    train_set = TensorDataset(a)
    run(DataLoader(train_set, sampler=DistributedSampler(train_set)), True)
    run(DataLoader(TensorDataset(b)), False)
""",
    "divided-by-hand": """\
import torch.distributed as dist
from torch.utils.data import DataLoader, Subset, TensorDataset

def train(x, rank, world_size):
    dist.init_process_group("gloo")
    part = Subset(TensorDataset(x), range(rank, len(x), world_size))
    for (x,) in DataLoader(part, shuffle=True):
        model(x).backward()
""",
    "divided-by-a-test": """\
import torch.distributed as dist
from torch.utils.data import DataLoader, Subset, TensorDataset

def train(x, rank):
    dist.init_process_group("gloo")
    own = range(100) if rank == 0 else range(100, 200)
    for (x,) in DataLoader(Subset(TensorDataset(x), own), shuffle=True):
        model(x).backward()
""",
    "iterable": """\
import torch.distributed as dist
from torch.utils.data import DataLoader, IterableDataset

class Stream(IterableDataset):
    def __iter__(self):
        yield from open("data")

dist.init_process_group("gloo")
for x in DataLoader(Stream(), batch_size=8):
    model(x).backward()
""",
    "another-loader-where-alone": """\
import torch.distributed as dist
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

def train(args, x):
    dataset = TensorDataset(x)
    if args.world_size > 1:
        dist.init_process_group("gloo")
        loader = DataLoader(dataset, sampler=DistributedSampler(dataset))
    else:
        loader = DataLoader(dataset, shuffle=True)
    for (x,) in loader:
        model(x).backward()
""",
    "options-from-elsewhere": """\
import torch.distributed as dist
from torch.utils.data import DataLoader

def train(dataset, **options):
    dist.init_process_group("gloo")
    for x in DataLoader(dataset, shuffle=True, **options):
        model(x).backward()
""",
}

_PLAIN_SAMPLERS = ("torch.utils.data.RandomSampler", "torch.utils.data.SequentialSampler")
_DIVIDES = re.compile(r"rank|world|shard|replica|split_by_node|process_index|num_hosts|current_host", re.I)
_MAP_STYLE = ("torchvision.datasets.", "torchaudio.datasets.", "torch.utils.data.TensorDataset")


def check(module: Module) -> Iterator[Fault]:
    ranks = module.distributed
    if not ranks.inits or module.training.frameworks or ranks.model_parallel:
        return
    sampled = {
        loop for loader in module.loaders if not _is_unsampled(loader, module) for loop in loader.loops
    }
    for loader in module.loaders:
        if (
            loader.purpose == "training"
            and not sampled.intersection(loader.loops)
            and _is_whole(loader, module)
        ):
            yield module.fault(
                loader.call,
                "every rank trains on all samples: N hosts do, and cost, N times the work of one",
                help="pass sampler=DistributedSampler(dataset), and call its set_epoch(epoch) in every epoch",
                fix=_fix(loader, module),
            )


def _is_unsampled(loader: Loader, module: Module) -> bool:
    return (
        loader.complete
        and not loader.batch_sampler
        and all(
            (isinstance(value.node, ast.Constant) and value.node.value is None)
            or (isinstance(value.node, ast.Call) and module.name(value.node.func) in _PLAIN_SAMPLERS)
            for value in loader.samplers
        )
    )


def _is_whole(loader: Loader, module: Module) -> bool:
    """Whether the data set is seen to be of samples by index, and nothing divides it between ranks."""
    if len(loader.dataset) != 1 or mentions(module.flow, loader.dataset[0], _DIVIDES, depth=5):
        return False
    shuffles = [value.node for given in loader.shuffle for value in module.flow.origins(given)]
    if any(isinstance(node, ast.Constant) and node.value is True for node in shuffles):
        return all(_is_undivided(node, module) for node in _origins(loader, module))
    return all(
        isinstance(node, ast.Call) and _is_map_style(node, module) and _is_undivided(node, module)
        for node in _origins(loader, module)
    )


def _origins(loader: Loader, module: Module) -> list[ast.AST | None]:
    return [value.node for value in module.flow.origins(loader.dataset[0])]


def _is_map_style(node: ast.Call, module: Module) -> bool:
    own = _own_class(node, module)
    if own is not None:
        return any(module.name(base) == "torch.utils.data.Dataset" for base in own.bases)
    return module.name(node.func).startswith(_MAP_STYLE)


def _is_undivided(node: ast.AST | None, module: Module) -> bool:
    """Whether a class of this file, if that is what made the data set, knows nothing of ranks."""
    own = _own_class(node, module) if isinstance(node, ast.Call) else None
    return own is None or not mentions(module.flow, own, _DIVIDES, depth=0)


def _own_class(node: ast.Call, module: Module) -> ast.ClassDef | None:
    classes = {found.name: found for found in module.tree.all(ast.ClassDef)}
    return classes.get(node.func.id) if isinstance(node.func, ast.Name) else None


def _fix(loader: Loader, module: Module) -> Fix | None:
    """A sampler where the call names its data set and every run makes the process group."""
    dataset = loader.dataset[0]
    named = {keyword.arg for keyword in loader.call.keywords}
    if (
        not isinstance(dataset, ast.Name)
        or loader.sampler
        or None in named
        or len(loader.call.args) > 2
        or any(module.distributed.conditional(init) for init in module.distributed.inits)
    ):
        return None
    sampler = spell(module, DISTRIBUTED_SAMPLER, loader.call)
    if sampler is None:
        return None
    edits = [set_keyword(module, loader.call, "sampler", f"{sampler}({dataset.id})")]
    if "shuffle" in named:
        edits.append(remove_keyword(module, loader.call, "shuffle"))
    return Fix("give each rank its part with a DistributedSampler", tuple(edits), safe=False)
