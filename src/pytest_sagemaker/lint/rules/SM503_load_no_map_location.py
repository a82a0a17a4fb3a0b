"""`torch.load` without `map_location`: what was trained on a GPU does not load on a CPU.

The endpoint answers `RuntimeError: Attempting to deserialize object on a CUDA device but
torch.cuda.is_available() is False`, or the job dies when it resumes on another kind of instance.

Why it fails:
A tensor is saved with its device, and `torch.load` puts it back there. A CPU endpoint has no `cuda:0`; on a
host with several GPUs, every rank puts its copy on the same one.

Use instead:
`torch.load(path, map_location="cpu")`. `load_state_dict` copies the values to where the model is, on a GPU
too.

False alarms:
Files of tensors that were on the CPU: where the save is in sight and moves the model there first, or its
script never uses a GPU, nothing is said. Data sets, and whatever does not become the weights of a model,
are left alone. In training code it is a warning: the same instance type can load its own checkpoint.

Source:
https://docs.pytorch.org/docs/stable/generated/torch.load.html
https://github.com/open-mmlab/mmdetection/issues/5274
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from pytest_sagemaker.finding import Fix
from pytest_sagemaker.lint.edits import set_keyword
from pytest_sagemaker.lint.facts.loading import saved_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.finding import Fault
    from pytest_sagemaker.lint.facts.loading import Load
    from pytest_sagemaker.lint.module import Module

SEVERITY = "E"

BAD = {
    "model-fn": """\
import torch
from model import Net

def model_fn(model_dir):
    model = Net()
    model.load_state_dict(torch.load(model_dir + "/model.pth"))  # SM503
    return model
""",
    "opened-file-in-a-helper": """\
import os
import torch
from model import Net

def load_weights(model, path):
    with open(path, "rb") as f:
        state = torch.load(f, map_location=None)  # SM503
    model.load_state_dict(state["model"], strict=False)
    return model

def model_fn(model_dir):
    return load_weights(Net(), os.path.join(model_dir, "model.pth"))
""",
    "whole-model": """\
import torch

def model_fn(model_dir):
    model = torch.load(f"{model_dir}/model.pt", weights_only=False)  # SM503
    model.eval()
    return model.to("cpu")
""",
    "saved-on-gpu": """\
import os
import torch
from torch import nn

class Net(nn.Module):
    pass

def model_fn(model_dir):
    model = Net()
    model.load_state_dict(torch.load(os.path.join(model_dir, "model.pth")))  # SM503
    return model

def save_model(model, model_dir):
    torch.save(model.state_dict(), os.path.join(model_dir, "model.pth"))

if __name__ == "__main__":
    save_model(Net().to("cuda"), os.environ["SM_MODEL_DIR"])
""",
    "resume": """\
import torch

def resume(model, optimizer, path):
    checkpoint = torch.load(path)  # SM503
    model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    return checkpoint["epoch"]
""",
}

GOOD = {
    "mapped": """\
import torch
from model import Net

def model_fn(model_dir):
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = Net()
    model.load_state_dict(torch.load(model_dir + "/model.pth", map_location=device))
    model.load_state_dict(torch.load(model_dir + "/model.pth", "cpu"))
    return model
""",
    "data": """\
import os
import torch

def get_data(folder):
    images, labels = torch.load(os.path.join(folder, "training.pt"))
    return torch.utils.data.TensorDataset(images, labels)
""",
    "parameters-of-the-network": """\
import os
import torch
from model import Net

def model_fn(model_dir):
    info = torch.load(os.path.join(model_dir, "model_info.pth"))
    model = Net(info["inputs"], info["hidden"])
    model.load_state_dict(torch.load(os.path.join(model_dir, "model.pth"), map_location="cpu"))
    return model
""",
    "saved-on-cpu": """\
import os
import torch
from torch import nn

class Net(nn.Module):
    pass

def model_fn(model_dir):
    model = nn.DataParallel(Net())
    with open(os.path.join(model_dir, "model.pth"), "rb") as f:
        model.load_state_dict(torch.load(f))
    return model.to("cuda")

def save_model(model, model_dir):
    path = os.path.join(model_dir, "model.pth")
    # recommended: https://pytorch.org/docs/master/notes/serialization.html
    torch.save(model.cpu().state_dict(), path)

if __name__ == "__main__":
    save_model(nn.DataParallel(Net().to("cuda")), os.environ["SM_MODEL_DIR"])
""",
    "moved-by-a-statement": """\
import torch
from torch import nn

def model_fn(model_dir):
    model = nn.Linear(1, 1)
    model.load_state_dict(torch.load(model_dir + "/model.pth"))
    return model

def train(args):
    model = nn.Linear(1, 1).cuda()
    model.cpu()
    torch.save(model.state_dict(), args.model_dir + "/model.pth")
""",
    "trained-on-cpu-by-the-script-beside": {
        "inference.py": """\
import torch
from model import Net

def model_fn(model_dir):
    model = Net()
    model.load_state_dict(torch.load(model_dir + "/model.pth"))
    return model
""",
        "train.py": """\
import os
import torch
from model import Net

model = Net()
torch.save(model.state_dict(), os.environ["SM_MODEL_DIR"] + "/model.pth")
""",
    },
    "both-ways": """\
import torch

def resume(model, path):
    if torch.cuda.is_available():
        state = torch.load(path)
    else:
        state = torch.load(path, map_location="cpu")
    model.load_state_dict(state)
""",
    "state-of-a-loader": """\
import torch

def resume(train_loader, path):
    train_loader.load_state_dict(torch.load(path))
""",
    "passed-on": """\
import torch

def load(model, path, **kwargs):
    model.load_state_dict(torch.load(path, **kwargs))
""",
}

_ACCELERATED = re.compile(r"cuda|gpu|accelerat|\bmps\b|xla|Trainer|[Ff]abric", re.I)


def check(module: Module) -> Iterator[Fault]:
    for load in module.loading:
        serves = load in module.serving.loads
        if load.how != "torch" or load.open_ended or _mapped(load):
            continue
        if not load.networks and not (serves and _returned(module, load)):
            continue
        if _other_way(module, load) or _saved_on_cpu(module, load):
            continue
        safe = _only_loaded(module, load)
        fix = Fix('add map_location="cpu"', (set_keyword(module, load.node, "map_location", '"cpu"'),), safe)
        where = "endpoint" if serves else "instance"
        yield module.fault(
            load.node,
            f"without map_location, tensors that were saved on a GPU do not load on a CPU {where}",
            help='pass map_location="cpu"; load_state_dict copies the values to where the model is',
            fix=fix,
            severity=None if serves else "W",
        )


def _mapped(load: Load) -> bool:
    given = load.node.args[1] if len(load.node.args) > 1 else load.given("map_location")
    return given is not None and not (isinstance(given, ast.Constant) and given.value is None)


def _returned(module: Module, load: Load) -> bool:
    """Whether what is loaded is the model that model_fn returns."""
    return any(
        model.maker is load.node
        for node in module.tree.all(ast.Return)
        if node.value is not None and module.tree.function(node) is module.serving.model_fn
        for model in module.models.of(node.value)
    )


def _other_way(module: Module, load: Load) -> bool:
    """Whether the same function loads the same path with a map_location, in another branch."""
    return load.path is not None and any(
        other.path is not None
        and _mapped(other)
        and ast.dump(other.path) == ast.dump(load.path)
        and module.tree.function(other.node) is module.tree.function(load.node)
        for other in module.loading
    )


def _saved_on_cpu(module: Module, load: Load) -> bool:
    """Whether every save of this file, as far as they are in sight, is of tensors on the CPU."""
    saved = saved_by(module, load)
    if not saved:
        return False
    without_gpu = not any(_ACCELERATED.search(home.source.text) for home, _ in saved)
    return without_gpu or all(save.content.on_cpu for _, save in saved)


def _only_loaded(module: Module, load: Load) -> bool:
    """Whether all that is loaded ends in load_state_dict, which copies it."""
    outer = module.tree.parents[load.node]
    if outer in load.into:
        return True
    if not (
        isinstance(outer, ast.Assign) and len(outer.targets) == 1 and isinstance(outer.targets[0], ast.Name)
    ):
        return False
    home = module.tree.function(load.node)
    return all(
        any(module.tree.inside(node, taker) for taker in load.into)
        for node in module.tree.references(outer.targets[0].id)
        if module.tree.function(node) is home
    )
