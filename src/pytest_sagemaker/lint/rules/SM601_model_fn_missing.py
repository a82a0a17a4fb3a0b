"""A state_dict is saved for an endpoint, and no `model_fn` can load it.

The endpoint answers `Exactly one .pth or .pt file is required for PyTorch models: []`, or `Failed to load
... Please ensure model is saved using torchscript.` It may say InService before that, and time out with the
first request.

Why it fails:
Without a `model_fn` at the top level of its module, the server loads TorchScript. A state_dict holds the
weights and not the network.

Use instead:
A `model_fn(model_dir)` in this script or in `inference.py` beside it: build the network, load the
state_dict into it, return it.

False alarms:
A job whose model is never deployed needs none: ignore the rule there. TorchScript and save_pretrained need
none either, and a module with a `model_fn` beside the script, or in a folder below, is enough.

Source:
https://sagemaker.readthedocs.io/en/stable/frameworks/pytorch/using_pytorch.html#load-a-model
https://github.com/aws/sagemaker-pytorch-inference-toolkit/issues/86
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from pytest_sagemaker.finding import Fix
from pytest_sagemaker.lint.edits import add_import, insert_after, insert_before
from pytest_sagemaker.lint.facts.paths import Gap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.finding import Fault
    from pytest_sagemaker.lint.facts.saving import Save
    from pytest_sagemaker.lint.module import Module

SEVERITY = "W"

BAD = {
    "ddp": """\
import argparse
import os
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel as DDP

class Net(nn.Module):
    pass

def train(args):
    model = DDP(Net())
    path = os.path.join(args.model_dir, "model.pth")
    torch.save(model.cpu().state_dict(), path)  # SM601

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model-dir", default=os.environ["SM_MODEL_DIR"])
    train(parser.parse_args())
""",
    "pathlib-and-no-guard": """\
from os import environ
from pathlib import Path
import torch
from model import Net

network = Net()
best = {name: value.cpu() for name, value in network.state_dict().items()}
with (Path(environ["SM_MODEL_DIR"]) / "net.pt").open("wb") as file:
    torch.save(best, file)  # SM601
""",
    "helpers-beside": {
        "train.py": """\
import os
import torch
from helpers import build

model = build(10)
torch.save(model.state_dict(), f"{os.environ['SM_MODEL_DIR']}/model.pth")  # SM601
""",
        "helpers.py": """\
def build(classes):
    pass
""",
    },
}

GOOD = {
    "model-fn": """\
import os
import torch
from torch import nn

def model_fn(model_dir):
    model = nn.Linear(1, 1)
    model.load_state_dict(torch.load(model_dir + "/model.pth"))
    return model

def train():
    torch.save(nn.Linear(1, 1).state_dict(), os.environ["SM_MODEL_DIR"] + "/model.pth")
""",
    "inference-below": {
        "train.py": """\
import os
import torch
from torch import nn

torch.save(nn.Linear(1, 1).state_dict(), os.environ["SM_MODEL_DIR"] + "/model.pth")
""",
        "code/inference.py": """\
def model_fn(model_dir):
    return model_dir
""",
    },
    "imported": """\
import os
import torch
from torch import nn
from serve import model_fn

torch.save(nn.Linear(1, 1).state_dict(), os.environ["SM_MODEL_DIR"] + "/model.pth")
""",
    "torchscript-too": """\
import os
import torch
from torch import nn

model_dir = os.environ["SM_MODEL_DIR"]
model = nn.Linear(1, 1)
torch.save(model.state_dict(), model_dir + "/model.pth")
torch.jit.script(model).save(model_dir + "/model.pt")
""",
    "save-pretrained": """\
import os
from transformers import AutoModel

model = AutoModel.from_pretrained("bert")
model.save_pretrained(os.environ["SM_MODEL_DIR"])
""",
    "elsewhere": """\
import torch
from torch import nn

model = nn.Linear(1, 1)
torch.save(model.state_dict(), "/opt/ml/checkpoints/model.pth")
torch.save({"model": model.state_dict()}, "checkpoint.pth")
""",
}


def check(module: Module) -> Iterator[Fault]:
    saves = [
        save
        for save in module.saving
        if save.how == "torch" and save.content.kind == "state_dict" and save.in_model_dir
    ]
    if not saves or _binds_model_fn(module) or module.siblings.serving:
        return
    if any(save.how in ("script", "folder") and save.in_model_dir is not False for save in module.saving):
        return
    last = saves[-1]
    yield module.fault(
        last.node,
        "no model_fn loads the state_dict that is saved here: without one an endpoint takes TorchScript only",
        help="add `def model_fn(model_dir)`, which builds the network and loads the file, or an inference.py",
        fix=_fix(module, last),
    )


def _binds_model_fn(module: Module) -> bool:
    names = {node.id for node in module.tree.all(ast.Name) if isinstance(node.ctx, ast.Store)}
    bound = {*module.handlers, *module.tree.imports, *names}
    return "model_fn" in bound or "*" in module.tree.imports


def _fix(module: Module, save: Save) -> Fix | None:
    """A model_fn, where the network is built without arguments of its own and the file name is written."""
    network = _network(module, save)
    wrapped = save.content.wrapped
    if not network or wrapped is None or not _right_in_model_dir(module, save):
        return None
    lines = [
        "def model_fn(model_dir):",
        '    """Load the model for an endpoint."""',
        f"    model = {network}",
        f'    path = os.path.join(model_dir, "{save.name}")',
        '    state = torch.load(path, map_location="cpu", weights_only=True)',
        "    model.load_state_dict(state)",
        "    return model.eval()",
    ]
    if wrapped:
        strip = '    state = {name.removeprefix("module."): value for name, value in state.items()}'
        lines.insert(-2, strip)
    if module.guard is not None:
        body = insert_before(module, module.guard, *lines, "", "")
    else:
        body = insert_after(module, module.tree.root.body[-1], "", "", *lines)
    edits = (*add_import(module, "import os"), *add_import(module, "import torch"), body)
    return Fix("add a model_fn", edits, safe=False)


def _network(module: Module, save: Save) -> str:
    """How the network is built, where the same text builds it at the top level of the file."""
    makers = {model.maker for model in save.content.models}
    maker = makers.pop() if len(makers) == 1 else None
    if maker is None or not isinstance(maker.func, ast.Name):
        return ""
    constant = all(
        isinstance(value, ast.Constant) for value in [*maker.args, *(k.value for k in maker.keywords)]
    )
    named = maker.func.id in module.models.classes or maker.func.id in module.tree.imports
    return module.text(maker) if constant and named else ""


def _right_in_model_dir(module: Module, save: Save) -> bool:
    """Whether the file stands in the model dir itself, not in a folder of it."""
    assert save.path is not None  # else in_model_dir is None
    spellings = module.paths.spellings(save.path)
    return all(
        isinstance(spelling[0], Gap) and "".join(map(str, spelling[1:])) == f"/{save.name}"
        for spelling in spellings
    )
