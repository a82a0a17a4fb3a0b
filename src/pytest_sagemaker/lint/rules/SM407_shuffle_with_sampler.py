"""`shuffle=True` beside a sampler: DataLoader refuses both.

The job ends before the first step: `ValueError: sampler option is mutually exclusive with shuffle`. Where
the sampler is only made on several hosts, one host works, and the paid job of two fails.

Why it fails:
`shuffle` asks DataLoader to make a sampler of its own, and there can be one only. DistributedSampler
shuffles by itself, unless it is told not to.

Use instead:
`DataLoader(dataset, sampler=sampler, shuffle=sampler is None)`, or no `shuffle` at all.

False alarms:
None known: only a literal True is reported, beside a sampler that is seen to be made.

Source:
https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.DataLoader
https://github.com/pytorch/pytorch/blob/main/torch/utils/data/dataloader.py
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from pytest_sagemaker.finding import Fix
from pytest_sagemaker.lint.edits import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.finding import Fault
    from pytest_sagemaker.lint.facts.flow import Value
    from pytest_sagemaker.lint.facts.loaders import Loader
    from pytest_sagemaker.lint.module import Module

SEVERITY = "E"

BAD = {
    "plain": """\
from torch.utils.data import DataLoader
from torch.utils.data.distributed import DistributedSampler

def loader(dataset):
    sampler = DistributedSampler(dataset)
    return DataLoader(dataset, batch_size=32, sampler=sampler, shuffle=True)  # SM407
""",
    "only-on-several-hosts": """\
import torch

def loader(dataset, is_distributed):
    sampler = torch.utils.data.distributed.DistributedSampler(dataset) if is_distributed else None
    return torch.utils.data.DataLoader(
        dataset,
        sampler=sampler,
        shuffle=True,  # SM407
    )
""",
    "positional": """\
from torch.utils import data

def loader(dataset):
    return data.DataLoader(dataset, 32, True, data.RandomSampler(dataset))  # SM407
""",
    "through-a-dictionary": """\
from torch.utils.data import DataLoader, DistributedSampler

def loader(dataset):
    kwargs = {"sampler": DistributedSampler(dataset)}
    kwargs.update({"shuffle": True, "num_workers": 2})  # SM407
    return DataLoader(dataset, **kwargs)
""",
}

GOOD = {
    "shuffled-where-there-is-none": """\
from torch.utils.data import DataLoader, DistributedSampler

def loader(dataset, is_distributed):
    sampler = DistributedSampler(dataset) if is_distributed else None
    return DataLoader(dataset, sampler=sampler, shuffle=(sampler is None))
""",
    "decided-together": """\
from torch.utils.data import DataLoader, DistributedSampler

def loader(dataset, is_distributed):
    if is_distributed:
        sampler, shuffle = DistributedSampler(dataset), False
    else:
        sampler, shuffle = None, True
    return DataLoader(dataset, sampler=sampler, shuffle=shuffle)
""",
    "only-where-there-is-none": """\
from torch.utils.data import DataLoader, DistributedSampler

def loader(dataset, is_distributed):
    sampler = DistributedSampler(dataset) if is_distributed else None
    if sampler is None:
        return DataLoader(dataset, sampler=sampler, shuffle=True)
    return DataLoader(dataset, sampler=sampler)
""",
    "never-a-sampler": """\
from torch.utils.data import DataLoader

def loader(dataset, sampler=None):
    return DataLoader(dataset, shuffle=True, sampler=sampler)
""",
}


def check(module: Module) -> Iterator[Fault]:
    for loader in module.loaders:
        made = [value for value in loader.samplers if _is_made(value)]
        if made and len(loader.shuffle) == 1 and not _is_tested(loader, module):
            origins = module.flow.origins(loader.shuffle[0])
            if all(isinstance(value.node, ast.Constant) and value.node.value is True for value in origins):
                yield module.fault(
                    loader.shuffle[0],
                    "DataLoader raises ValueError: shuffle=True and a sampler exclude each other",
                    help="the sampler shuffles; write `shuffle=sampler is None` where it may be missing",
                    fix=_fix(loader, module, always=len(made) == len(loader.samplers)),
                )


def _is_made(value: Value) -> bool:
    return isinstance(value.node, ast.Call) and value.item is None


def _is_tested(loader: Loader, module: Module) -> bool:
    """Whether the call stands below a test of its sampler."""
    names = {node.id for given in loader.sampler for node in ast.walk(given) if isinstance(node, ast.Name)}
    return any(
        isinstance(part, ast.Name) and part.id in names
        for outer in module.tree.ancestors(loader.call)
        if isinstance(outer, (ast.If, ast.IfExp))
        for part in ast.walk(outer.test)
    )


def _fix(loader: Loader, module: Module, *, always: bool) -> Fix | None:
    shuffle, sampler = loader.shuffle[0], loader.sampler[0]
    if not isinstance(shuffle, ast.Constant):
        return None
    if always:
        return Fix("leave the order to the sampler", (replace(module, shuffle, "False"),))
    if len(loader.sampler) > 1 or not isinstance(sampler, ast.Name):
        return None
    if module.tree.function(sampler) is not module.tree.function(shuffle):
        return None
    text = f"{sampler.id} is None"
    return Fix("shuffle only where there is no sampler", (replace(module, shuffle, text),))
