"""A literal `/opt/ml/...` folder in place of the variable that holds it.

The script runs in the container only: on a laptop, in a test, or under a container with another base
folder it ends with `PermissionError: '/opt/ml'` or writes where nobody looks.

Why it fails:
The toolkit puts its tree below SAGEMAKER_BASE_DIR, /opt/ml by default, and tells the script by variables.

Use instead:
`os.environ.get("SM_MODEL_DIR", "/opt/ml/model")`.

False alarms:
/opt/ml/checkpoints has no variable; the literal beside a read of its variable is a fallback; a serving
function reads /opt/ml/model by right; a container without the toolkit, which reads hyperparameters.json
itself, has no variables. None of these is reported, nor a file that does not train.

Source:
https://github.com/aws/sagemaker-training-toolkit/blob/master/ENVIRONMENT_VARIABLES.md
https://github.com/aws/sagemaker-training-toolkit/blob/master/src/sagemaker_training/environment.py
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from pytest_sagemaker.contract import variable_for
from pytest_sagemaker.finding import Fix
from pytest_sagemaker.lint.edits import add_import, in_f_string, replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.finding import Fault
    from pytest_sagemaker.lint.module import Module

SEVERITY = "W"

BAD = {
    "save": """\
import torch

def train(model, loss):
    loss.backward()
    torch.save(model.state_dict(), "/opt/ml/model/model.pth")  # SM214
""",
    "channel": """\
import os
import pandas

data = pandas.read_csv(os.path.join('/opt/ml/input/data/training', "train.csv"))  # SM214
loss.backward()
""",
    "text-with-a-gap": """\
def save(model, epoch, loss):
    loss.backward()
    model.save_pretrained(f"/opt/ml/model/{epoch}")  # SM214
""",
    "default-of-an-argument": """\
import argparse

parser = argparse.ArgumentParser()
parser.add_argument(
    "--model-dir",
    default="/opt/ml/model",  # SM214
    help="/opt/ml/model on SageMaker",
)
loss.backward()
""",
    "default-of-a-function": """\
def save(model, folder="/opt/ml/output/data/"):  # SM214
    model.save_pretrained(folder)

loss.backward()
""",
}

GOOD = {
    "fallback": """\
import os

MODEL_DIR = "/opt/ml/model"
model_dir = os.environ.get("SM_MODEL_DIR", MODEL_DIR)
data_dir = os.getenv("SM_CHANNEL_TRAINING", "/opt/ml/input/data/training")
output = os.environ["SM_OUTPUT_DATA_DIR"] if "SM_OUTPUT_DATA_DIR" in os.environ else "/opt/ml/output/data"
loss.backward()
""",
    "no-variable": """\
import sys

sys.path.append("/opt/ml/code")
checkpoints, epochs = "/opt/ml/checkpoints", 3
prefix = "/opt/ml/"
failure = "/opt/ml/output/failure"
tensorboard = "/opt/ml/output/tensorboard"
loss.backward()
""",
    "talk": '''\
"""Reads /opt/ml/input/data/training."""
import logging
import os

def train(path, loss):
    """/opt/ml/model"""
    loss.backward()
    if path == "/opt/ml/model" or path.startswith("/opt/ml/model"):
        logging.info("/opt/ml/model")
        raise ValueError("/opt/ml/model")
    os.environ["SM_OUTPUT_DIR"] = "/opt/ml/output"
''',
    "container-of-one's-own": """\
import json

with open("/opt/ml/input/config/hyperparameters.json") as file:
    hyperparameters = json.load(file)
model_path = "/opt/ml/model"
loss.backward()
""",
    "serving": """\
import os

def train(loss):
    loss.backward()

def model_fn(model_dir):
    return open(os.path.join("/opt/ml/model", "model.pth"))
""",
    "launch": """\
from sagemaker.pytorch import PyTorch

PyTorch(entry_point="train.py", checkpoint_local_path="/opt/ml/model").fit()
""",
}

_TALKS = ("debug", "info", "warning", "error", "exception", "critical", "log", "startswith", "endswith")
_FIXED = (("SM_OUTPUT_DIR", "failure"), ("SM_OUTPUT_DIR", "tensorboard"), ("SM_OUTPUT_DIR", "tensors"))
"""Paths that AWS's docs give as they are."""

_OWN_CONTAINER = "/opt/ml/input/config/hyperparameters.json"


def check(module: Module) -> Iterator[Fault]:
    if not module.training or "/opt/ml/" not in module.source.text or _OWN_CONTAINER in module.source.text:
        return
    taken = module.env_writes | {read.name for read in module.env_reads}
    for constant in module.tree.all(ast.Constant):
        if isinstance(constant.value, str) and constant.value.startswith("/opt/ml/"):
            yield from _written_out(module, constant, constant.value, taken)


def _written_out(module: Module, constant: ast.Constant, path: str, taken: frozenset[str]) -> Iterator[Fault]:
    found = variable_for(path)
    if found is None or found[0] in taken or found in _FIXED or not _is_used_as_path(module, constant):
        return
    variable, below = found
    folder = path.removesuffix(below).rstrip("/")
    text = f'os.environ.get("{variable}", "{folder}")'
    if path != folder:  # a slash at the end stays one
        text = f'os.path.join({text}, "{below}")'
    where = f"a path below {variable}" if below else variable
    yield module.fault(
        constant,
        f"{path} is written in place of {where}: the script runs in the container only",
        help=f"write {text}",
        fix=_fix(module, constant, text),
    )


def _is_used_as_path(module: Module, constant: ast.Constant) -> bool:
    """Whether a text is more than talk, and no fallback of an option."""
    if any(module.tree.inside(constant, handler) for handler in module.handlers.values()):
        return False
    for outer in module.tree.ancestors(constant):
        if isinstance(outer, (ast.Compare, ast.Raise)) or (
            isinstance(outer, ast.keyword) and outer.arg == "help"
        ):
            return False
        if isinstance(outer, ast.Call):
            called = outer.func
            if module.name(called) == "print" or (
                isinstance(called, ast.Attribute) and called.attr in _TALKS
            ):
                return False
        if isinstance(outer, ast.stmt):
            return not (isinstance(outer, ast.Expr) and outer.value is constant)
    return False


def _fix(module: Module, constant: ast.Constant, text: str) -> Fix | None:
    """Only in place of a whole, plain text."""
    written = module.text(constant)
    if written[1:-1] != constant.value or in_f_string(module, constant):
        return None
    if isinstance(module.tree.parents[constant], ast.MatchValue):
        return None
    return Fix("read the variable", (replace(module, constant, text), *add_import(module, "import os")))
