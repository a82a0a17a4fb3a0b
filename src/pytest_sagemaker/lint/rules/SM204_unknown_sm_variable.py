"""A variable that no SageMaker container sets: a misspelled name, or one without its `SM_`.

`KeyError: 'SM_CHANEL_TRAINING'`; with `.get(...)` there is no error, and the job silently uses the
default: the model goes to a folder that nobody uploads.

Why it fails:
The containers set a fixed list of names, and one for each channel and hyperparameter. Any other is not
there.

Use instead:
The name that the message gives.

False alarms:
A variable of your own, sent by the estimator's `environment=`: without a near name this is advice (I),
and a name that the script sets itself is left alone. MODEL_DIR without SM_ is reported only in a script
that trains and reads SM_MODEL_DIR nowhere.

Source:
https://github.com/aws/sagemaker-training-toolkit/blob/master/ENVIRONMENT_VARIABLES.md
https://github.com/aws/sagemaker-training-toolkit/blob/master/src/sagemaker_training/environment.py
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from pytest_sagemaker.contract import is_known, nearest
from pytest_sagemaker.finding import Fix
from pytest_sagemaker.lint.edits import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.finding import Fault
    from pytest_sagemaker.lint.facts.environment import EnvRead
    from pytest_sagemaker.lint.module import Module

SEVERITY = "E"

BAD = {
    "misspelled-channel": """\
import os

train_dir = os.environ["SM_CHANEL_TRAINING"]  # SM204
""",
    "missing-underscore": """\
import os as system

model_dir = system.environ.get('SM_MODELDIR', 'model')  # SM204
""",
    "lower-case": """\
from os import getenv

epochs = getenv("SM_HP_epochs")  # SM204
""",
    "without-its-prefix": """\
import argparse
import os
import torch

def train(args, model, loss):
    loss.backward()
    torch.save(model.state_dict(), os.path.join(args.model_dir, "model.pth"))

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model-dir", default=os.environ["MODEL_DIR"])  # SM204
    train(parser.parse_args(), None, None)
""",
    "name-in-a-constant": """\
import os

NAME = "SM_NUM_GPU"
gpus = int(os.environ[NAME])  # SM204
""",
    "own-or-misspelled": """\
import os

use_amp = os.environ["SM_MIXED_PRECISION_MODE"]  # SM204
""",
}

GOOD = {
    "known": """\
import os

print(os.environ["SM_MODEL_DIR"], os.environ["SM_CHANNEL_MY_DATA"], os.environ["SM_HP_LEARNING_RATE"])
print(os.environ["SM_HOST_COUNT"], os.environ["SM_OUTPUT_INTERMEDIATE_DIR"])
""",
    "set-here": """\
import os

os.environ["SM_MODELDIR"] = "model"
os.environ.setdefault("SM_CHANEL_TRAINING", "data")
os.environ.update({"SM_NUM_GPU": "1"})
print(os.environ["SM_MODELDIR"], os.environ["SM_CHANEL_TRAINING"], os.environ["SM_NUM_GPU"])
""",
    "not-a-training-script": """\
import os

MODEL_DIR = os.environ.get("MODEL_DIR", "models")
""",
    "own-name-beside-the-container's": """\
import os

model_dir = os.environ.get("SM_MODEL_DIR") or os.environ.get("MODEL_DIR", "models")
loss.backward()
""",
    "other-programs": """\
import os

print(os.environ["SMDEBUG_CONFIG"], os.environ["HOME"], os.environ.get("WANDB_API_KEY"))
""",
}


def check(module: Module) -> Iterator[Fault]:
    read_names = {read.name for read in module.env_reads}
    for read in module.env_reads:
        if read.how == "toolkit" or is_known(read.name) or read.name in module.env_writes:
            continue
        prefixed = read.name.upper().startswith("SM_")
        near = nearest(read.name)
        if not prefixed and (near is None or near in read_names or not module.training):
            continue
        if near is None:
            yield module.fault(
                read.node,
                f"no SageMaker container sets {read.name}: only the launch's environment= can send it",
                help="a name of your own is easier to tell apart without SM_",
                severity="I",
            )
        else:
            yield module.fault(
                read.node,
                f"no SageMaker container sets {read.name}; {near} is what you seem to mean",
                help=f"read {near}",
                fix=_fix(module, read, near, safe=prefixed),
            )


def _fix(module: Module, read: EnvRead, near: str, *, safe: bool) -> Fix | None:
    if not isinstance(read.key, ast.Constant):
        return None
    written = module.text(read.key)
    quote = written[0]
    if written != f"{quote}{read.name}{quote}":
        return None
    return Fix(f"read {near}", (replace(module, read.key, f"{quote}{near}{quote}"),), safe=safe)
