"""What is saved and what `model_fn` loads do not fit: wrapped and bare, or TorchScript and a state_dict.

The endpoint answers `Error(s) in loading state_dict for Net: Missing key(s) ... Unexpected key(s) in
state_dict: "module.conv1.weight"`, or it cannot read the archive at all.

Why it fails:
DistributedDataParallel and DataParallel keep the network as `.module`, so every name in their state_dict
begins with `module.`. `load_state_dict` compares names. TorchScript and pickled state_dicts are different
formats, each with its own load.

Use instead:
`torch.save(model.module.state_dict(), path)` and a `model_fn` that loads into the bare network.

False alarms:
Only a mismatch is reported, where both ends are in sight: a state_dict saved from a wrapper and loaded into
a wrapper fits. A model that is wrapped on some paths only, `strict=False` and names that are changed on the
way are left alone.

Source:
https://docs.pytorch.org/tutorials/beginner/saving_loading_models.html#saving-torch-nn-dataparallel-models
https://github.com/pytorch/pytorch/issues/3805
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_sagemaker.lint.facts.serving import endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_sagemaker.finding import Fault
    from pytest_sagemaker.lint.facts.loading import Load
    from pytest_sagemaker.lint.facts.saving import Save
    from pytest_sagemaker.lint.module import Module

SEVERITY = "E"

BAD = {
    "ddp-saved-bare-loaded": """\
import os
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel as DDP

class Net(nn.Module):
    pass

def model_fn(model_dir):
    model = Net()
    with open(os.path.join(model_dir, "model.pth"), "rb") as f:
        model.load_state_dict(torch.load(f, map_location="cpu"))
    return model

def save(model, model_dir):
    torch.save(model.cpu().state_dict(), os.path.join(model_dir, "model.pth"))  # SM505

def train(args):
    model = DDP(Net())
    save(model, args.model_dir)
""",
    "bare-saved-wrapped-loaded": """\
import torch
from torch import nn

class Net(nn.Module):
    pass

def model_fn(model_dir):
    model = nn.DataParallel(Net())
    model.load_state_dict(torch.load(f"{model_dir}/model.pth", map_location="cpu"))  # SM505
    return model.module

def train(args):
    model = Net()
    ddp = nn.parallel.DistributedDataParallel(model)
    ddp.train()
    torch.save(ddp.module.state_dict(), f"{args.model_dir}/model.pth")
""",
    "checkpoint-key": """\
import torch
from torch import nn
from model import Net

def model_fn(model_dir):
    checkpoint = torch.load(model_dir + "/model.pth", map_location="cpu")
    model = Net()
    model.load_state_dict(checkpoint["model"])
    return model

def train(args):
    model = nn.DataParallel(Net())
    torch.save({"model": model.state_dict(), "epoch": 1}, args.model_dir + "/model.pth")  # SM505
""",
    "torchscript-saved": """\
import torch
from torch import nn

def model_fn(model_dir):
    model = nn.Linear(1, 1)
    model.load_state_dict(torch.load(model_dir + "/model.pt"))  # SM505
    return model

def train(args):
    scripted = torch.jit.script(nn.Linear(1, 1))
    scripted.save(args.model_dir + "/model.pt")
""",
    "state-dict-saved": """\
import torch
from torch import nn

def model_fn(model_dir):
    return torch.jit.load(model_dir + "/model.pt")  # SM505

def train(args):
    torch.save(nn.Linear(1, 1).state_dict(), args.model_dir + "/model.pt")
""",
    "inference-beside": {
        "train.py": """\
import os
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel as DDP

class Net(nn.Module):
    pass

if __name__ == "__main__":
    model = DDP(Net())
    torch.save(model.state_dict(), os.path.join(os.environ["SM_MODEL_DIR"], "model.pth"))  # SM505
""",
        "inference.py": """\
import torch
from train import Net

def model_fn(model_dir):
    model = Net()
    model.load_state_dict(torch.load(model_dir + "/model.pth", map_location="cpu"))
    return model
""",
    },
}

GOOD = {
    "wrapped-on-both-sides": """\
import os
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel as DDP

class Net(nn.Module):
    pass

def model_fn(model_dir):
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = torch.nn.DataParallel(Net())
    with open(os.path.join(model_dir, "model.pth"), "rb") as f:
        model.load_state_dict(torch.load(f))
    return model.to(device)

def train(args):
    model = Net().to("cuda")
    if args.distributed:
        model = DDP(model)
    else:
        model = nn.DataParallel(model)
    torch.save(model.cpu().state_dict(), os.path.join(args.model_dir, "model.pth"))
""",
    "wrapped-on-some-paths": """\
import torch
from torch import nn

class Net(nn.Module):
    pass

def model_fn(model_dir):
    model = Net()
    model.load_state_dict(torch.load(model_dir + "/model.pth"))
    return model

def train(args):
    model = Net()
    if args.gpus > 1:
        model = nn.DataParallel(model)
    state = model.module.state_dict() if args.gpus > 1 else model.state_dict()
    torch.save(state, args.model_dir + "/model.pth")
""",
    "each-path-saves-its-own": """\
import torch
from torch import nn

def model_fn(model_dir):
    model = nn.Linear(1, 1)
    model.load_state_dict(torch.load(model_dir + "/model.pth"))
    return model

def train(args):
    model = nn.Linear(1, 1)
    if args.export:
        torch.save(model.state_dict(), args.model_dir + "/model.pth")
    else:
        torch.save(nn.DataParallel(model).state_dict(), args.model_dir + "/model.pth")
""",
    "unwrapped": """\
import torch
from torch import nn

def model_fn(model_dir):
    model = nn.Linear(1, 1)
    model.load_state_dict(torch.load(model_dir + "/model.pth"))
    return model

def train(args):
    model = nn.DataParallel(nn.Linear(1, 1))
    torch.save(getattr(model, "module", model).state_dict(), args.model_dir + "/model.pth")
""",
    "prefix-removed": """\
import torch
from torch import nn

def model_fn(model_dir):
    model = nn.Linear(1, 1)
    state = torch.load(model_dir + "/model.pth")
    model.load_state_dict({name.replace("module.", ""): value for name, value in state.items()})
    return model

def train(args):
    model = nn.DataParallel(nn.Linear(1, 1))
    torch.save(model.state_dict(), args.model_dir + "/model.pth")
""",
    "another-file": """\
import torch
from torch import nn

def model_fn(model_dir):
    model = nn.Linear(1, 1)
    model.load_state_dict(torch.load(model_dir + "/model.pth"))
    return model

def train(args):
    model = nn.DataParallel(nn.Linear(1, 1))
    torch.save(model.state_dict(), args.checkpoints + "/last.pth")
    torch.save(model.module.state_dict(), args.model_dir + "/model.pth")
""",
    "two-scripts-beside-one-endpoint": {
        "train_ddp.py": """\
import os
import torch
from torch import nn

model = nn.DataParallel(nn.Linear(1, 1))
torch.save(model.state_dict(), os.environ["SM_MODEL_DIR"] + "/model.pth")
""",
        "train.py": """\
import os
import torch
from torch import nn

torch.save(nn.Linear(1, 1).state_dict(), os.environ["SM_MODEL_DIR"] + "/model.pth")
""",
        "inference.py": """\
import torch
from torch import nn

def model_fn(model_dir):
    model = nn.Linear(1, 1)
    model.load_state_dict(torch.load(model_dir + "/model.pth"))
    return model
""",
    },
}


def check(module: Module) -> Iterator[Fault]:
    server = endpoint(module)
    if server is None or not module.saving:
        return
    for load in server.serving.loads:
        saves = _writers(module, server, load)
        if saves:
            yield from _formats(module, server, load, saves)
            yield from _prefixes(module, server, load, saves)


def _writers(module: Module, server: Module, load: Load) -> Sequence[Save]:
    """The saves that write what `model_fn` loads: by file name, else the only one there is."""
    if load.name:
        named = [save for save in module.saving if save.name == load.name]
        if named or all(save.name for save in module.saving):
            return named
    weights = [
        save for save in module.saving if save.in_model_dir is not False and save.content.kind != "other"
    ]
    return weights if len(weights) == len(server.serving.loads) == 1 else []


def _formats(module: Module, server: Module, load: Load, saves: Sequence[Save]) -> Iterator[Fault]:
    scripted = all(save.how == "script" for save in saves)
    pickled = all(save.how == "torch" and save.content.kind in ("state_dict", "checkpoint") for save in saves)
    where = load.node if server is module else saves[-1].node
    if scripted and load.how != "script" and load.into:
        yield module.fault(
            where,
            f"TorchScript is saved, and {_model_fn(module, server)} loads the file as a state_dict",
            help="load it with torch.jit.load, or save the state_dict",
        )
    elif pickled and load.how == "script":
        yield module.fault(
            where,
            f"a state_dict is saved, and {_model_fn(module, server)} loads the file as TorchScript",
            help="build the network and load the state_dict into it, or save torch.jit.script(model)",
        )


def _prefixes(module: Module, server: Module, load: Load, saves: Sequence[Save]) -> Iterator[Fault]:
    """A state_dict with `module.` before its names on one end only."""
    if server.serving.handles_prefix or any(
        save.content.kind not in ("state_dict", "checkpoint") for save in saves
    ):
        return
    takers = [taker for taker in load.networks if server.tree.function(taker) in server.serving.functions]
    loaded = {model.wrapped for taker in takers for model in server.models.of(_receiver(taker))}
    saved = {save.content.wrapped for save in saves}
    if saved == {True} and loaded == {False}:
        yield module.fault(
            saves[-1].node,
            "the names in the saved state_dict begin with `module.`, for the model is wrapped, and "
            f"{_model_fn(module, server)} loads them into the bare network",
            help="save the state_dict of `.module`",
        )
    elif saved == {False} and loaded == {True}:
        yield module.fault(
            takers[0] if server is module else saves[-1].node,
            f"the state_dict is saved from the bare network, and {_model_fn(module, server)} loads it into a "
            "wrapped one, which expects `module.` before every name",
            help="load it into the bare network",
        )


def _receiver(taker: ast.Call) -> ast.expr:
    assert isinstance(taker.func, ast.Attribute)  # found as a method call
    return taker.func.value


def _model_fn(module: Module, server: Module) -> str:
    return "model_fn" if server is module else f"model_fn of {Path(server.source.path).name}"
