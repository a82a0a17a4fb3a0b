"""The script saves a model, and nothing in it takes SM_MODEL_DIR.

The job says Completed, `model.tar.gz` is empty, and the model is gone with the container. The deployment
fails later: `Exactly one .pth or .pt file is required`.

Why it fails:
SageMaker uploads what is in SM_MODEL_DIR (/opt/ml/model) when the job ends. The working folder is thrown
away.

Use instead:
`parser.add_argument("--model-dir", default=os.environ.get("SM_MODEL_DIR", "model"))`, and a path below
`args.model_dir` for the save.

False alarms:
A path that cannot be followed, or that comes from an argument without a default, may hold the folder. An
argument with a default can be sent as well: that is a warning, and silent where a launch beside the
script sends /opt/ml/model. Uploads of one's own, a literal /opt/ml path (SM214 speaks of it) and a
misspelled variable (SM204) are left alone, and so is a file that others import.

Source:
https://docs.aws.amazon.com/sagemaker/latest/dg/model-train-storage.html
https://github.com/aws/sagemaker-training-toolkit/blob/master/ENVIRONMENT_VARIABLES.md
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sagemaker.contract import nearest
from pytest_sagemaker.finding import Fix
from pytest_sagemaker.lint.container_paths import can_be_sent, take_variable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.finding import Fault
    from pytest_sagemaker.lint.facts.saving import Save
    from pytest_sagemaker.lint.module import Module

SEVERITY = "E"

BAD = {
    "working-folder": """\
import torch
from torch import nn

def train(loss):
    model = nn.Linear(1, 1)
    loss.backward()
    torch.save(model.state_dict(), "model.pth")  # SM201

if __name__ == "__main__":
    train(None)
""",
    "folder-of-an-argument": """\
import argparse
import os
import torch
from torch import nn

def train(args, loss):
    model = nn.Linear(1, 1)
    loss.backward()
    torch.save({"epoch": 1, "model": model.state_dict()}, os.path.join(args.save_dir, "last.pt"))  # SM201
    torch.save(model.state_dict(), os.path.join(args.save_dir, "model.pt"))

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--save-dir", default="checkpoints")
    train(parser.parse_args(), None)
""",
    "file-of-an-argument": """\
import argparse
import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--out", default="out/model.pt")
args = parser.parse_args()
model = nn.Linear(1, 1)
model(torch.ones(1)).backward()
torch.save(model.state_dict(), args.out)  # SM201
""",
    "output-data-dir": """\
import os
from transformers import AutoModel

model = AutoModel.from_pretrained("bert-base-cased")
model(1).loss.backward()
model.save_pretrained(os.environ["SM_OUTPUT_DATA_DIR"])  # SM201
""",
}

GOOD = {
    "model-dir": """\
import os
import torch
from torch import nn

model = nn.Linear(1, 1)
model(torch.ones(1)).backward()
torch.save(model.state_dict(), "best.pth")
torch.save(model.state_dict(), os.path.join(os.environ["SM_MODEL_DIR"], "model.pth"))
""",
    "toolkit": """\
import torch
from sagemaker_training.environment import Environment
from torch import nn

model = nn.Linear(1, 1)
model(torch.ones(1)).backward()
torch.save(model.state_dict(), Environment().model_dir + "/model.pth")
""",
    "sent-by-the-launch": """\
import argparse
import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--save-dir", required=True)
args = parser.parse_args()
model = nn.Linear(1, 1)
model(torch.ones(1)).backward()
torch.save(model.state_dict(), f"{args.save_dir}/model.pth")
""",
    "literal": """\
import torch
from torch import nn

model = nn.Linear(1, 1)
model(torch.ones(1)).backward()
torch.save(model.state_dict(), "/opt/ml/model/model.pth")
""",
    "uploads-itself": """\
import boto3
import torch
from torch import nn

model = nn.Linear(1, 1)
model(torch.ones(1)).backward()
torch.save(model.state_dict(), "model.pth")
boto3.client("s3").upload_file("model.pth", "bucket", "model.pth")
""",
    "misspelled-is-another-rule's": """\
import os
import torch
from torch import nn

model = nn.Linear(1, 1)
model(torch.ones(1)).backward()
torch.save(model.state_dict(), os.path.join(os.environ.get("MODEL_DIR", "."), "model.pth"))
""",
    "library": """\
import torch

def save(model, loss):
    loss.backward()
    torch.save(model.state_dict(), "model.pth")
""",
    "no-model": """\
import torch

losses = [1.0]
torch.ones(1).backward()
torch.save(losses, "losses.pt")
""",
    "set-later": """\
import argparse
import torch
from helpers import folder
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--save-dir", default="model")
args = parser.parse_args()
args.save_dir = folder()
model = nn.Linear(1, 1)
model(torch.ones(1)).backward()
torch.save(model.state_dict(), f"{args.save_dir}/model.pth")
""",
    "sent-by-the-launch-beside-it": {
        "src/train.py": """\
import argparse
import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--save-dir", default="model")
args = parser.parse_args()
model = nn.Linear(1, 1)
model(torch.ones(1)).backward()
torch.save(model.state_dict(), f"{args.save_dir}/model.pth")
""",
        "launch.ipynb": """{"source": ["parameters = {'save-dir': '/opt/ml/model'}; PyTorch('train.py')"]}""",
    },
    "imported-beside-it": {
        "training.py": """\
import torch
from torch import nn

def train(loss):
    loss.backward()
    torch.save(nn.Linear(1, 1).state_dict(), "model.pth")

if __name__ == "__main__":
    train(None)
""",
        "main.py": """\
from training import train
""",
    },
    "from-a-config": """\
import torch
import yaml
from torch import nn

config = yaml.safe_load(open("config.yaml"))
model = nn.Linear(1, 1)
model(torch.ones(1)).backward()
torch.save(model.state_dict(), config["folder"] + "/model.pth")
""",
}

_AWARE = ("/opt/ml/", "s3://", "upload_", "SM_TRAINING_ENV", "boto3", "s3fs", "fsspec")
"""The script knows the container's folders, or takes the model away by itself."""


def check(module: Module) -> Iterator[Fault]:
    if (
        module.model_dir.taken
        or any(word in module.source.text for word in _AWARE)
        or not module.script.looks_like_one
    ):
        return
    if any(nearest(read.name) == "SM_MODEL_DIR" for read in module.env_reads):
        return
    saves = [save for save in module.saving if _is_of_model(save)]
    if not saves or any(save.in_model_dir is not False for save in module.saving):
        return
    if module.script.is_imported or module.script.is_launched_with("/opt/ml/model"):
        return
    first = saves[0]
    assert first.path is not None  # else in_model_dir is None
    sendable = can_be_sent(module, module.paths.roots(first.path))
    unless = ", unless the launch sends /opt/ml/model for it" if sendable else ""
    fault = module.fault(
        first.node,
        f"a model is saved, and nothing takes SM_MODEL_DIR: the job ends with an empty model.tar.gz{unless}",
        help='save below os.environ["SM_MODEL_DIR"], by way of an argument --model-dir',
        fix=_fix(module, saves),
        severity="W" if sendable else None,
    )
    yield fault._replace(evidence=tuple(f"line {save.node.lineno}: saved here too" for save in saves[1:]))


def _is_of_model(save: Save) -> bool:
    """Whether a save may be of the model: not of losses, nor of a checkpoint in a framework's own format."""
    if save.how == "folder":
        return save.node.func.attr in ("save_pretrained", "save_model")  # type: ignore[attr-defined]  # a method's call
    return save.content.kind not in ("other", "unknown")


def _fix(module: Module, saves: list[Save]) -> Fix | None:
    paths = [(save.path, save.how != "folder") for save in saves if save.path is not None]
    edits = take_variable(module, paths, "SM_MODEL_DIR")
    return Fix("save in SM_MODEL_DIR", edits, safe=False) if edits else None
