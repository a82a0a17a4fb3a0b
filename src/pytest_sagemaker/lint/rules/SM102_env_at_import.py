"""`os.environ["SM_..."]` runs when the file is imported: a KeyError at the endpoint.

`KeyError: 'SM_MODEL_DIR'`, then `Load model failed: model, error: Worker died.`: the training variables
are not set where the model is served.

Why it fails:
The endpoint imports the script for `model_fn`. Module level, class bodies, decorators and the defaults of
functions run at that moment, and a subscript has no answer for a variable that is not there.

Use instead:
`os.environ.get("SM_MODEL_DIR", "/opt/ml/model")`, or read it under the guard.

False alarms:
A read behind a test or `try`, or of a variable that the script sets itself, is left alone, and so is a
script with a serving module beside it. Without `model_fn` anywhere this is a warning. Where SM101 asks to
move the same lines under a guard, only SM101 speaks.

Source:
https://github.com/aws/sagemaker-training-toolkit/blob/master/ENVIRONMENT_VARIABLES.md
https://sagemaker.readthedocs.io/en/stable/frameworks/pytorch/using_pytorch.html
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from pytest_sagemaker.contract import PATHS, is_known, lookup
from pytest_sagemaker.finding import Fix
from pytest_sagemaker.lint.edits import in_f_string, replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.finding import Fault
    from pytest_sagemaker.lint.facts.environment import EnvRead
    from pytest_sagemaker.lint.module import Module

SEVERITY = "E"

BAD = {
    "module-level": """\
import json
import os

MODEL_DIR = os.environ["SM_MODEL_DIR"]  # SM102
HOSTS = json.loads(os.environ["SM_HOSTS"])  # SM102
GPUS = int(os.environ['SM_NUM_GPUS'])  # SM102

def model_fn(model_dir):
    return MODEL_DIR, HOSTS, GPUS
""",
    "default-of-a-function": """\
from os import environ as env

def model_fn(model_dir, data=env["SM_CHANNEL_TRAINING"]):  # SM102
    return data
""",
    "class-body": """\
import os

class Config:
    host = os.environ["SM_CURRENT_HOST"]  # SM102
    job = os.environ["SM_USER_ENTRY_POINT"]  # SM102

def predict_fn(data, model):
    return model(data)
""",
    "no-handlers-yet": """\
import os

data_dir = os.environ["SM_CHANNEL_TRAIN"]  # SM102

def train(loss):
    loss.backward()
""",
}

GOOD = {
    "guarded": """\
import argparse
import os

def model_fn(model_dir):
    return model_dir

def train():
    return os.environ["SM_MODEL_DIR"]

default = lambda: os.environ["SM_MODEL_DIR"]

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model-dir", default=os.environ["SM_MODEL_DIR"])
    train()
""",
    "asked-before": """\
import os

def model_fn(model_dir):
    return model_dir

if "SM_MODEL_DIR" in os.environ:
    model_dir = os.environ["SM_MODEL_DIR"]
hosts = os.environ["SM_HOSTS"] if os.environ.get("SM_HOSTS") else None
try:
    gpus = os.environ["SM_NUM_GPUS"]
except KeyError:
    gpus = "0"
""",
    "set-before": """\
import os

os.environ.setdefault("SM_MODEL_DIR", "/opt/ml/model")
model_dir = os.environ["SM_MODEL_DIR"]

def model_fn(model_dir):
    return model_dir
""",
    "serving-module-beside-it": {
        "train.py": """\
import os

MODEL_DIR = os.environ["SM_MODEL_DIR"]

def train(loss):
    loss.backward()
""",
        "code/inference.py": """\
def model_fn(model_dir):
    return None
""",
    },
    "with-get": """\
import os

MODEL_DIR = os.environ.get("SM_MODEL_DIR")

def model_fn(model_dir):
    return MODEL_DIR
""",
    "neither-trains-nor-serves": """\
import os

MODEL_DIR = os.environ["SM_MODEL_DIR"]
""",
    "moved-by-another-rule": """\
import argparse
import os

def model_fn(model_dir):
    return model_dir

parser = argparse.ArgumentParser()
parser.add_argument("--model-dir", default=os.environ["SM_MODEL_DIR"])
args = parser.parse_args()
""",
}

_TEXTS = {
    "SM_HOSTS": "'[\"algo-1\"]'",
    "SM_CHANNELS": '"[]"',
    "SM_HPS": '"{}"',
    "SM_TRAINING_ENV": '"{}"',
    "SM_CURRENT_HOST": '"algo-1"',
}
"""What one host without hyperparameters would have."""


def check(module: Module) -> Iterator[Fault]:
    if not (module.handlers or module.training):
        return
    reads = [read for read in module.env_reads if _fails_at_import(module, read)]
    if not reads or (not module.handlers and module.siblings.serving):
        return
    for read in reads:
        yield module.fault(
            read.node,
            f"{read.name} is read at import: an endpoint does not set it, and ends with a KeyError",
            help="use os.environ.get, or read it under the guard",
            fix=_fix(module, read),
            severity=None if module.handlers else "W",
        )


def _fails_at_import(module: Module, read: EnvRead) -> bool:
    return (
        read.how == "subscript"
        and read.name.startswith("SM_")
        and read.name not in module.env_writes
        and module.at_import(read.node)
        and not _is_asked_before(module, read.node)
        and not _is_moved(module, read.node)
    )


def _is_asked_before(module: Module, node: ast.expr) -> bool:
    """Whether the read stands behind a condition, or in a `try`."""
    return any(
        isinstance(outer, (ast.If, ast.IfExp, ast.Try, ast.BoolOp)) for outer in module.tree.ancestors(node)
    )


def _is_moved(module: Module, node: ast.expr) -> bool:
    """Whether SM101 asks to put this line under a guard."""
    start = module.import_work.start
    if start is None:
        return False
    return any(module.tree.inside(node, statement) for statement in module.tree.root.body[start:])


def _fix(module: Module, read: EnvRead) -> Fix | None:
    """`.get` with what a single host has; plain `.get` only where None does no harm."""
    if not isinstance(read.node, ast.Subscript) or not is_known(read.name) or in_f_string(module, read.node):
        return None
    default = _default(read.name)
    if not default and not isinstance(
        module.tree.parents[read.node], (ast.Assign, ast.keyword, ast.arguments)
    ):
        return None
    key = module.text(read.node.slice)
    text = f"{module.text(read.node.value)}.get({key}{f', {default}' if default else ''})"
    return Fix("read it with .get", (replace(module, read.node, text),))


def _default(name: str) -> str:
    variable = lookup(name)
    if name.startswith("SM_CHANNEL_"):
        return f'"/opt/ml/input/data/{name.removeprefix("SM_CHANNEL_").lower()}"'
    if variable is not None and variable.format == "int":
        return '"0"'
    folder = next((folder for folder, held in PATHS.items() if held == name), "")
    return f'"{folder}"' if folder else _TEXTS.get(name, "")
