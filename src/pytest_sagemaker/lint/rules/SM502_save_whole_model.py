"""`torch.save(model)` pickles the whole network in place of its state_dict.

The endpoint answers `AttributeError: Can't get attribute 'Net' on <module '__main__' ...>`, and with torch
2.6 or newer `Weights only load failed`. The file holds the name of the class, not the class.

Why it fails:
pickle stores a class as module and name. The training script is `__main__`, the server's `__main__` is
another program, so the class is not found. Since torch 2.6, torch.load refuses whole modules by default.

Use instead:
`torch.save(model.state_dict(), path)`. In `model_fn`, build the network and load the state_dict into it. Or
save TorchScript: `torch.jit.script(model).save(path)`.

False alarms:
A network of an importable class that is loaded with `weights_only=False` works: a warning, and nothing
where that load can be seen. Tests, in files named `test_*`, save what they like.

Source:
https://docs.pytorch.org/tutorials/beginner/saving_loading_models.html
https://github.com/pytorch/pytorch/issues/7812
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.finding import Fault
    from pytest_sagemaker.lint.facts.models import Model
    from pytest_sagemaker.lint.facts.saving import Save
    from pytest_sagemaker.lint.module import Module

SEVERITY = "E"

BAD = {
    "own-class": """\
import os
import torch
from torch import nn

class Net(nn.Module):
    pass

model = Net()
torch.save(model, os.path.join(os.environ["SM_MODEL_DIR"], "model.pth"))  # SM502
""",
    "moved-and-wrapped": """\
import torch
from torch.nn.parallel import DistributedDataParallel as DDP
from torch import nn

class Base(nn.Module):
    pass

class Net(Base):
    pass

def train(args):
    model = DDP(Net().to("cuda"))
    save(model, args)

def save(model, args):
    with open(args.model_dir + "/model.pt", "wb") as f:
        torch.save(model.module.cpu(), f)  # SM502
""",
    "imported-class": """\
import torch
from model import Net

net = Net().to("cpu")
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
torch.save(net, "model.pt")  # SM502
""",
    "torchvision": """\
import torch
import torchvision

model = torchvision.models.resnet18(num_classes=10)
torch.save(obj=model, f="model.pt")  # SM502
""",
}

GOOD = {
    "state-dict": """\
import torch
from torch import nn

model = nn.Linear(1, 1)
torch.save(model.state_dict(), "model.pth")
torch.save({"model": model.state_dict(), "epoch": 1}, "checkpoint.pth")
""",
    "torchscript": """\
import torch
from torch import nn

model = nn.Linear(1, 1)
torch.jit.save(torch.jit.script(model), "model.pth")
torch.jit.trace(model, torch.zeros(1)).save("traced.pth")
""",
    "tensors": """\
import torch

data = torch.zeros(3)
torch.save(data, "data.pt")
""",
    "loaded-as-a-whole": """\
import torch
import torchvision

def model_fn(model_dir):
    return torch.load(model_dir + "/model.pt", map_location="cpu", weights_only=False)

def train(args):
    model = torchvision.models.resnet18()
    torch.save(model, args.model_dir + "/model.pt")
""",
    "a-test": {
        "test_hook.py": """\
import torch
from torch import nn

def test_a_network_pickles(tmp_path):
    torch.save(nn.Linear(1, 1), tmp_path / "model")
""",
    },
    "safetensors": """\
from safetensors.torch import save_model
from torch import nn

save_model(nn.Linear(1, 1), "model.safetensors")
""",
}


def check(module: Module) -> Iterator[Fault]:
    if Path(module.source.path).name.startswith("test_"):
        return
    for save in module.saving:
        if save.how != "torch" or save.what is None or not _is_network(module, save):
            continue
        name = _own_class(module, save.content.models[0])
        if not name and _loaded_whole(module, save.name):
            continue
        what = f"the endpoint has no `__main__.{name}`" if name else "the endpoint needs the very same code"
        yield module.fault(
            save.node,
            f"torch.save({module.text(save.what)}) pickles the whole network: {what}, and torch.load refuses "
            "it since torch 2.6",
            help="save `.state_dict()`, and build the network in model_fn",
            severity=None if name else "W",
        )


def _is_network(module: Module, save: Save) -> bool:
    """Whether a network is saved: of a known class, or of an imported one whose `.parameters()` are taken."""
    if save.content.kind != "unknown":
        return save.content.kind == "module"
    makers = {model.maker for model in save.content.models}
    if len(makers) != 1 or None in makers:
        return False
    return any(
        {model.maker for model in module.models.of(call.func.value)} == makers
        for call in module.method_calls("parameters")
        if isinstance(call.func, ast.Attribute)
    )


def _own_class(module: Module, model: Model) -> str:
    """The name of the network's class where this file defines it."""
    func = model.maker.func if model.maker else None
    return func.id if isinstance(func, ast.Name) and func.id in module.models.classes else ""


def _loaded_whole(module: Module, name: str) -> bool:
    """Whether the file is loaded with `weights_only=False` here or in a serving module beside."""
    for other in (module, *module.siblings.serving):
        for load in other.loading:
            whole = load.given("weights_only")
            if load.name == name and isinstance(whole, ast.Constant) and whole.value is False:
                return True
    return False
