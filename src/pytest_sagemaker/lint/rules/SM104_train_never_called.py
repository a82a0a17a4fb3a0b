"""A function trains, and nothing that runs ever calls it.

The job starts, defines its functions, exits 0 and is reported as Completed in a minute, with an empty
model.tar.gz.

Why it fails:
The container runs `python train.py`. A function that stood in a notebook, where a cell called it, has no
caller left.

Use instead:
`if __name__ == "__main__":` at the end, with the call under it.

False alarms:
A file that others import, exports names by `__all__`, hands the function on (decorators, `fire.Fire`,
callbacks), or is a test, is left alone. So is a file without any sign of a script: a guard, arguments, or
one function that loads data, trains and saves.

Source:
https://docs.python.org/3/library/__main__.html
https://github.com/aydin-utting/upgrade-pytorch-to-sagemaker-article
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.finding import Fault
    from pytest_sagemaker.lint.facts.tree import FunctionNode
    from pytest_sagemaker.lint.module import Module

SEVERITY = "E"

BAD = {
    "left-from-a-notebook": """\
import torch
from torch.utils.data import DataLoader

def train(epochs=3):  # SM104
    loader = DataLoader([1.0, 2.0])
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for batch in loader:
        model(batch).backward()
        optimizer.step()
    torch.save(model.state_dict(), "model.pth")
""",
    "guard-that-forgets": """\
import argparse

def step(loss):
    loss.backward()

def main(args):  # SM104
    for loss in args.losses:
        step(loss)

if __name__ == "__main__":
    args = argparse.ArgumentParser().parse_args()
""",
    "called-by-the-uncalled-only": """\
import argparse

def train_epoch(loss):
    loss.backward()

def run():  # SM104
    train_epoch(None)

parser = argparse.ArgumentParser()
parser.add_argument("--lr")
""",
}

GOOD = {
    "called": """\
import argparse

def train(args):
    args.loss.backward()

def main():
    train(argparse.ArgumentParser().parse_args())

if __name__ == "__main__":
    main()
""",
    "one-of-two": """\
import argparse

def train(args):
    args.loss.backward()

def train_slowly(args):
    args.loss.backward()

if __name__ == "__main__":
    train(argparse.ArgumentParser().parse_args())
""",
    "method": """\
import argparse

class Trainer:
    def fit(self):
        self.loss.backward()

if __name__ == "__main__":
    Trainer().fit()
""",
    "handed-on": """\
import argparse
import torch.multiprocessing as mp

def train(rank):
    torch.ones(1).backward()

def choose(name):
    return {"train": train}[name]

if __name__ == "__main__":
    mp.spawn(choose("train"), nprocs=2)
""",
    "command": """\
import argparse
import hydra

@hydra.main(config_path="conf")
def main(config):
    config.loss.backward()

if __name__ == "__main__":
    print("see conf")
""",
    "library": """\
import torch

def train_epoch(model, loader, optimizer):
    for batch in loader:
        model(batch).backward()
        optimizer.step()
""",
    "imported-beside-it": {
        "training.py": """\
import argparse

def train(loss):
    loss.backward()

if __name__ == "__main__":
    print(argparse.ArgumentParser())
""",
        "main.py": """\
from training import train

train(None)
""",
    },
    "imported-by-a-notebook": {
        "training.py": """\
def train(loss):
    loss.backward()

if __name__ == "__main__":
    print("see the notebook")
""",
        "explore.ipynb": """{"cells": [{"source": ["import training\\n", "training.train()"]}]}""",
    },
    "trains-at-module-level": """\
import argparse

def closure(loss):
    loss.backward()

args = argparse.ArgumentParser().parse_args()
args.loss.backward()
""",
    "by-name": """\
import argparse

def train(args):
    args.loss.backward()

if __name__ == "__main__":
    globals()["train"](argparse.ArgumentParser().parse_args())
""",
}


def check(module: Module) -> Iterator[Fault]:
    functions = module.training.functions
    uncalled = [node for node in module.tree.functions.values() if node in functions]
    if not uncalled or any(module.tree.function(call) is None for call in module.training.calls):
        return
    if functions & module.started or not module.script.looks_like_one or module.script.is_imported:
        return
    first = next((node for node in uncalled if not _called_by(module, node, functions)), uncalled[-1])
    yield module.fault(
        first,
        f"{first.name}() trains, and nothing calls it: the job ends at once, and says Completed",
        help='call it at the end of the file, under `if __name__ == "__main__":`',
    )


def _called_by(module: Module, function: FunctionNode, others: frozenset[FunctionNode]) -> bool:
    return any(
        outer in others and outer is not function
        for call in module.flow.calls_to(function)
        if (outer := module.tree.function(call))
    )
