"""`model_fn` opens a file that the script never saves.

The endpoint answers `FileNotFoundError: [Errno 2] No such file or directory: '/opt/ml/model/model.pt'` when
its workers start.

Why it fails:
The endpoint's model dir holds what training saved there, under the names it was given there, and nothing
else.

Use instead:
One name on both ends, best as a constant: `MODEL_FILE = "model.pth"`.

False alarms:
Only reported where every name is written in the script: a name with an epoch, a rank or an argument in it,
a copied file or a helper that writes into the model dir may be what model_fn opens.

Source:
https://docs.aws.amazon.com/sagemaker/latest/dg/model-train-storage.html
https://sagemaker.readthedocs.io/en/stable/frameworks/pytorch/using_pytorch.html#load-a-model
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_sagemaker.lint.facts.saving import is_model_dir
from pytest_sagemaker.lint.facts.serving import endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.finding import Fault
    from pytest_sagemaker.lint.facts.loading import Load
    from pytest_sagemaker.lint.module import Module

SEVERITY = "E"

BAD = {
    "pt-and-pth": """\
import argparse
import os
import torch
from torch import nn

def model_fn(model_dir):
    model = nn.Linear(1, 1)
    with open(os.path.join(model_dir, "model.pt"), "rb") as f:  # opened here
        model.load_state_dict(torch.load(f, map_location="cpu"))  # SM506
    return model

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model-dir", default=os.environ["SM_MODEL_DIR"])
    args = parser.parse_args()
    torch.save(nn.Linear(1, 1).state_dict(), os.path.join(args.model_dir, "model.pth"))
""",
    "helper-and-constant": """\
import os
from pathlib import Path
import torch
from torch import nn

NAME = "net.pth"

def load_state(folder):
    return torch.load(Path(folder) / "model.pth", map_location="cpu")  # SM506

def model_fn(model_dir):
    model = nn.Linear(1, 1)
    model.load_state_dict(load_state(model_dir))
    return model

def save(model, folder):
    folder.mkdir(exist_ok=True)
    torch.save(model.state_dict(), folder / NAME)

if __name__ == "__main__":
    save(nn.Linear(1, 1), Path(os.environ["SM_MODEL_DIR"]))
""",
    "inference-beside": {
        "train.py": """\
import os
import torch
from torch import nn

if __name__ == "__main__":
    torch.save(nn.Linear(1, 1).state_dict(), os.environ["SM_MODEL_DIR"] + "/model.pth")  # SM506
""",
        "inference.py": """\
import torch
from torch import nn

def model_fn(model_dir):
    model = nn.Linear(1, 1)
    model.load_state_dict(torch.load(f"{model_dir}/best.pth", map_location="cpu"))
    return model
""",
    },
}

GOOD = {
    "same-name": """\
import os
import torch
from torch import nn

NAME = "model.pth"

def model_fn(model_dir):
    model = nn.Linear(1, 1)
    model.load_state_dict(torch.load(os.path.join(model_dir, NAME), map_location="cpu"))
    return model

if __name__ == "__main__":
    torch.save(nn.Linear(1, 1).state_dict(), os.environ["SM_MODEL_DIR"] + "/" + NAME)
""",
    "several-files": """\
import os
import torch
from torch import nn

def model_fn(model_dir):
    info = torch.load(os.path.join(model_dir, "info.pth"))
    model = nn.Linear(info["inputs"], 1)
    model.load_state_dict(torch.load(os.path.join(model_dir, "model.pth"), map_location="cpu"))
    return model

if __name__ == "__main__":
    model_dir = os.environ["SM_MODEL_DIR"]
    with open(os.path.join(model_dir, "info.pth"), "wb") as f:
        torch.save({"inputs": 1}, f)
    torch.save(nn.Linear(1, 1).state_dict(), os.path.join(model_dir, "model.pth"))
""",
    "copied": """\
import os
import shutil
import torch
from torch import nn

def model_fn(model_dir):
    return torch.load(os.path.join(model_dir, "best.pth"), map_location="cpu")

if __name__ == "__main__":
    model_dir = os.environ["SM_MODEL_DIR"]
    torch.save(nn.Linear(1, 1).state_dict(), os.path.join(model_dir, "model.pth"))
    shutil.move("/tmp/best.pth", model_dir)
""",
    "name-with-an-epoch": """\
import os
import torch
from torch import nn

def model_fn(model_dir):
    model = nn.Linear(1, 1)
    model.load_state_dict(torch.load(os.path.join(model_dir, "model_9.pth"), map_location="cpu"))
    return model

if __name__ == "__main__":
    for epoch in range(10):
        path = os.path.join(os.environ["SM_MODEL_DIR"], f"model_{epoch}.pth")
        torch.save(nn.Linear(1, 1).state_dict(), path)
""",
    "one-more-file-an-epoch": """\
import os
import torch
from torch import nn

def model_fn(model_dir):
    model = nn.Linear(1, 1)
    model.load_state_dict(torch.load(os.path.join(model_dir, "epoch9.pth"), map_location="cpu"))
    return model

if __name__ == "__main__":
    model, model_dir = nn.Linear(1, 1), os.environ["SM_MODEL_DIR"]
    for epoch in range(10):
        torch.save(model.state_dict(), os.path.join(model_dir, f"epoch{epoch}.pth"))
    torch.save(model.state_dict(), os.path.join(model_dir, "model.pth"))
""",
    "shipped-with-the-code": """\
import os
import torch
from torch import nn

def model_fn(model_dir):
    here = os.path.dirname(__file__)
    vocabulary = torch.load(os.path.join(here, "vocabulary.pt"))
    model = nn.Linear(len(vocabulary), 1)
    model.load_state_dict(torch.load(os.path.join(model_dir, "model.pth"), map_location="cpu"))
    return model

if __name__ == "__main__":
    torch.save(nn.Linear(1, 1).state_dict(), os.environ["SM_MODEL_DIR"] + "/model.pth")
""",
}


def check(module: Module) -> Iterator[Fault]:
    server = endpoint(module)
    if server is None or not server.serving.loads:
        return
    saves = [save for save in module.saving if save.in_model_dir and save.name and save.how != "folder"]
    written = _written(module) if saves else set()
    if not written or "" in written:
        return
    for load in server.serving.loads:
        if (
            not load.name
            or load.name in written
            or not _in_model_dir(server, load)
            or _mentioned(module, load)
        ):
            continue
        names = ", ".join(f"`{name}`" for name in sorted({save.name for save in saves}))
        here = server is module
        who = "model_fn" if here else f"model_fn of {Path(server.source.path).name}"
        yield module.fault(
            load.node if here else saves[-1].node,
            f"{who} opens `{load.name}`, and the script saves {names} only",
            help="use one name on both ends",
        )


def _written(module: Module) -> set[str]:
    """The names of the files in the model dir; an empty one where something else may be written, too."""
    if module.model_dir.lost or module.training.frameworks or any(s.how == "folder" for s in module.saving):
        return {""}
    return {
        module.paths.name(path)
        for call, path in module.model_dir.uses
        if module.tree.function(call) not in module.serving.functions
    }


def _in_model_dir(server: Module, load: Load) -> bool:
    """Whether a load reads from what model_fn is given, or from the model dir by its name."""
    assert load.path is not None  # it has a name
    roots = server.paths.roots(load.path)
    return all(
        is_model_dir(leaf) or (leaf.kind == "parameter" and leaf.text.startswith("model_fn."))
        for root in roots
        for leaf in root
    )


def _mentioned(module: Module, load: Load) -> bool:
    """Whether the script names the file anywhere outside of its serving functions."""
    name = re.compile(rf"(?<!\w){re.escape(load.name)}(?!\w)")
    return any(
        isinstance(node.value, str)
        and name.search(node.value)
        and module.tree.function(node) not in module.serving.functions
        for node in module.tree.all(ast.Constant)
    )
