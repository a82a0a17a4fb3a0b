"""`torch.load` without `weights_only`, or with `weights_only=False`.

Before torch 2.6 the call runs whatever code the file holds. From 2.6 on it answers
`_pickle.UnpicklingError: Weights only load failed` for every file with more than tensors and plain data in
it, such as a saved `argparse.Namespace`.

Why it fails:
The default changed from False to True in torch 2.6, so the same line does different things in different
images. With False, whoever can write the file can run code on the endpoint.

Use instead:
Save state_dicts and plain data, and load them with `weights_only=True`.

False alarms:
A file that you wrote yourself and that must hold objects needs `weights_only=False`: silence that line with
`# sm-lint: ignore[SM504] reason`.

Source:
https://docs.pytorch.org/docs/stable/generated/torch.load.html
https://docs.pytorch.org/docs/stable/notes/serialization.html#weights-only
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from pytest_sagemaker.finding import Fix
from pytest_sagemaker.lint.edits import set_keyword
from pytest_sagemaker.lint.facts.loading import saved_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.finding import Fault
    from pytest_sagemaker.lint.facts.loading import Load
    from pytest_sagemaker.lint.module import Module

SEVERITY = "W"

BAD = {
    "plain": """\
import torch
from model import Net

def model_fn(model_dir):
    model = Net()
    model.load_state_dict(torch.load(model_dir + "/model.pth", map_location="cpu"))  # SM504
    return model
""",
    "state-dict-in-sight": """\
import os
import torch
from torch import load, nn

def model_fn(model_dir):
    model = nn.Linear(1, 1)
    with open(os.path.join(model_dir, "model.pth"), "rb") as f:
        model.load_state_dict(load(f, weights_only=False))  # SM504
    return model

def train(model_dir):
    model = nn.Linear(1, 1)
    torch.save(model.state_dict(), os.path.join(model_dir, "model.pth"))
""",
    "saved-by-the-script-beside": {
        "inference.py": """\
import torch
from train import Net

def model_fn(model_dir):
    model = Net()
    model.load_state_dict(torch.load(
        model_dir + "/net.pt",  # the weights
        map_location="cpu",
    ))
    return model
""".replace("torch.load(\n", "torch.load(  # SM504\n"),
        "train.py": """\
import os
import torch
from torch import nn

class Net(nn.Module):
    pass

if __name__ == "__main__":
    torch.save(Net().state_dict(), os.environ["SM_MODEL_DIR"] + "/net.pt")
""",
    },
}

GOOD = {
    "said": """\
import torch

state = torch.load("model.pth", map_location="cpu", weights_only=True)
""",
    "chosen": """\
import torch

def load(path, trusted, **options):
    first = torch.load(path, weights_only=not trusted)
    return first or torch.load(path, **options)
""",
    "torchscript": """\
import json
import torch

model = torch.jit.load("model.pt")
config = json.load(open("config.json"))
""",
}


def check(module: Module) -> Iterator[Fault]:
    for load in module.loading:
        given = load.given("weights_only")
        if load.how != "torch" or load.open_ended:
            continue
        if given is None:
            message = (
                "without weights_only, torch.load runs code that the file may hold before torch 2.6, and "
                "refuses all but tensors and plain data since"
            )
        elif isinstance(given, ast.Constant) and given.value is False:
            message = "torch.load(weights_only=False) runs any code that the file may hold"
        else:
            continue
        yield module.fault(
            load.node,
            message,
            help="save a state_dict and plain data only, and pass weights_only=True",
            fix=_fix(module, load),
        )


def _fix(module: Module, load: Load) -> Fix | None:
    """Safe where everything that writes the file is in sight and saves a bare state_dict."""
    saved = saved_by(module, load)
    if not saved or any(save.content.kind != "state_dict" for _, save in saved):
        return None
    return Fix("add weights_only=True", (set_keyword(module, load.node, "weights_only", "True"),))
