"""The model is saved outside of the model dir, which the script reads and never writes to.

The job says Completed, and `model.tar.gz` is empty. The deployment fails later, or the model is gone with
the container.

Why it fails:
SageMaker uploads what is in SM_MODEL_DIR (/opt/ml/model) when the job ends. The working folder is thrown
away, and SM_OUTPUT_DATA_DIR becomes another archive, which no endpoint gets.

Use instead:
`torch.save(model.state_dict(), os.path.join(args.model_dir, "model.pth"))`, with `--model-dir` taken from
SM_MODEL_DIR.

False alarms:
A model dir that is handed to any call which may write into it (a copy, a framework, a helper, a shell
command) is believed to be written to, and so are uploads. Checkpoints are left alone. A path that an
argument can set to the model dir is a warning.

Source:
https://docs.aws.amazon.com/sagemaker/latest/dg/model-train-storage.html
https://github.com/aws/sagemaker-training-toolkit/issues/82
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from pytest_sagemaker.lint.container_paths import can_be_sent
from pytest_sagemaker.lint.facts.saving import MODEL_DIR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.finding import Fault
    from pytest_sagemaker.lint.facts.leaves import Leaf
    from pytest_sagemaker.lint.facts.saving import Save
    from pytest_sagemaker.lint.module import Module

SEVERITY = "E"

BAD = {
    "working-folder": """\
import argparse
import os
import torch
from torch import nn

def train(args):
    model = nn.Linear(1, 1)
    torch.save(model.state_dict(), "model.pth")  # SM501

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model-dir", default=os.environ["SM_MODEL_DIR"])
    train(parser.parse_args())
""",
    "output-data-dir": """\
import argparse
import logging
import os
from pathlib import Path
import torch
from torch import nn

def save(model, folder):
    folder.mkdir(exist_ok=True)
    torch.save(model.state_dict(), folder / "model.pth")  # SM501

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model-dir", default=os.environ.get("SM_MODEL_DIR", "model"))
    parser.add_argument("--output-dir", default=os.environ.get("SM_OUTPUT_DATA_DIR", "output"))
    args = parser.parse_args()
    logging.info("the model goes to %s", args.model_dir)
    os.makedirs(args.model_dir, exist_ok=True)
    save(nn.Linear(1, 1), Path(args.output_dir))
""",
    "argument": """\
import argparse
import os
import torch
from torch import nn

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model-dir", default=os.environ["SM_MODEL_DIR"])
    parser.add_argument("--save-to", default="model.pth")
    args = parser.parse_args()
    torch.save(nn.Linear(1, 1).state_dict(), args.save_to)  # SM501
""",
    "torchscript": """\
import os
import torch
from torch import nn

MODEL_DIR = os.environ["SM_MODEL_DIR"]
scripted = torch.jit.script(nn.Linear(1, 1))
scripted.save(f"{os.path.dirname(__file__)}/model.pt")  # SM501
""",
}

GOOD = {
    "model-dir": """\
import os
import torch
from torch import nn

model_dir = os.environ["SM_MODEL_DIR"]
model = nn.Linear(1, 1)
torch.save(model.state_dict(), "best.pth")
torch.save(model.state_dict(), os.path.join(model_dir, "model.pth"))
""",
    "copied": """\
import os
import shutil
import torch
from torch import nn

def finish(args):
    target = os.path.join(args.model_dir, "model.pth")
    shutil.copy("best.pth", target)

def train(args):
    torch.save(nn.Linear(1, 1).state_dict(), "best.pth")
    finish(args)

MODEL_DIR = os.environ["SM_MODEL_DIR"]
os.system(f"cp best.pth {MODEL_DIR}")
""",
    "namespace-handed-on": """\
import argparse
import os
import torch
from torch import nn
from helpers import finish

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model-dir", default=os.environ["SM_MODEL_DIR"])
    args = parser.parse_args()
    torch.save(nn.Linear(1, 1).state_dict(), "best.pth")
    finish(args)
""",
    "checkpoints": """\
import argparse
import os
import torch
from torch import nn

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model-dir", default=os.environ["SM_MODEL_DIR"])
    parser.add_argument("--checkpoint-dir", default="/opt/ml/checkpoints")
    args = parser.parse_args()
    torch.save(nn.Linear(1, 1).state_dict(), os.path.join(args.checkpoint_dir, "last.pth"))
""",
    "sent-by-the-launch-beside": {
        "train.py": """\
import argparse
import os
import torch
from torch import nn

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model-dir", default=os.environ["SM_MODEL_DIR"])
    parser.add_argument("--save-to", default="model.pth")
    args = parser.parse_args()
    torch.save(nn.Linear(1, 1).state_dict(), args.save_to)
""",
        "launch.py": """\
from sagemaker.pytorch import PyTorch

PyTorch("train.py", hyperparameters={"save-to": "/opt/ml/model/model.pth"}).fit()
""",
    },
    "not-for-sagemaker": """\
import torch
from torch import nn

torch.save(nn.Linear(1, 1).state_dict(), "model.pth")
""",
    "somewhere-else-by-an-argument": """\
import argparse
import os
import torch
from torch import nn

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--save-to", required=True)
    args = parser.parse_args()
    print(os.environ["SM_MODEL_DIR"])
    torch.save(nn.Linear(1, 1).state_dict(), args.save_to)
""",
    "uploaded": """\
import os
import boto3
import torch
from torch import nn

print(os.environ["SM_MODEL_DIR"])
torch.save(nn.Linear(1, 1).state_dict(), "model.pth")
boto3.client("s3").upload_file("model.pth", "bucket", "model.pth")
""",
}

_SAVED_BY_OTHERS = ("save", "export", "upload", "put_object", "log_model", "log_artifact", "dump")
_PLOTS_AND_TABLES = ("numpy.", "matplotlib.", "json.", "yaml.")
_CHECKPOINTS = ("checkpoint", "ckpt", "snapshot")


def check(module: Module) -> Iterator[Fault]:
    models = [save for save in module.saving if save.content.kind in ("state_dict", "module", "script")]
    if not models or not module.model_dir.taken or module.training.frameworks:
        return
    if any(save.in_model_dir is not False for save in module.saving) or _is_checkpoint(module, models[-1]):
        return
    if module.model_dir.uses or module.model_dir.lost or _saved_by_others(module):
        return
    last = models[-1]
    assert last.path is not None  # else in_model_dir is None
    roots = module.paths.roots(last.path)
    sendable = can_be_sent(module, roots) and all(leaf.kind != "env" for root in roots for leaf in root)
    if sendable and module.script.is_launched_with(MODEL_DIR):
        return
    unless = f", unless the launch sends {MODEL_DIR} for it" if sendable else ""
    yield module.fault(
        last.node,
        f"the model is saved {_where(roots)}, and nothing is written to SM_MODEL_DIR, which SageMaker "
        f"keeps as the model{unless}",
        help="save it in the model dir: `os.path.join(args.model_dir, ...)`",
        severity="W" if sendable else None,
    )


def _where(roots: list[tuple[Leaf, ...]]) -> str:
    leaves = [leaf for root in roots for leaf in root]
    variable = next((leaf.text for leaf in leaves if leaf.kind == "env"), "")
    if variable:
        return f"to {variable}"
    written = next((leaf.text for leaf in leaves if leaf.kind == "constant"), "")
    return f"to {written!r}" if written.startswith("/") else "to a folder that is thrown away"


def _is_checkpoint(module: Module, save: Save) -> bool:
    """Whether a path says that it is no final model."""
    assert save.path is not None
    words = " ".join(leaf.text.lower() for leaf in module.made_of(save.path))
    return any(word in words for word in _CHECKPOINTS)


def _saved_by_others(module: Module) -> bool:
    """Whether a call of something that is not in this file may save or upload the model."""
    known = {save.node for save in module.saving}
    for call in module.tree.all(ast.Call):
        full = module.name(call.func)
        last = call.func.attr if isinstance(call.func, ast.Attribute) else full.rpartition(".")[2]
        if call in known or full.startswith(_PLOTS_AND_TABLES) or last == "savefig":
            continue
        if module.flow.local_function(call) is None and any(
            word in last.lower() for word in _SAVED_BY_OTHERS
        ):
            return True
    return False
