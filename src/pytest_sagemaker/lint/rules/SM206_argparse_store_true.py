"""A flag without a value (`store_true`, `store_false`) in a training script: SageMaker always sends a value.

`--use-amp False` turns the flag on where `parse_known_args()` drops the leftover `False`; with
`parse_args()` the job ends with `unrecognized arguments: False`, exit code 2 and an empty failure reason.

Why it fails:
A hyperparameter is a name and a value, so the container passes both. Such a flag takes no value: its
presence alone sets it.

Use instead:
An option that takes a value and may stand alone: `nargs="?", const=True, default=False, type=...`.

False alarms:
A flag that nobody sends as a hyperparameter. A script that a shell script beside it starts gets its
arguments from there, and is left alone. Files that do not train are not looked at: a processing job's
arguments are passed as they are.

Source:
https://docs.python.org/3/library/argparse.html#action
https://github.com/huggingface/accelerate/issues/980
https://github.com/aws/sagemaker-python-sdk/issues/2689
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sagemaker.finding import Fix
from pytest_sagemaker.lint.edits import replace
from pytest_sagemaker.lint.facts.arguments import BOOL_PARSER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.finding import Fault
    from pytest_sagemaker.lint.facts.arguments import Argument
    from pytest_sagemaker.lint.module import Module

SEVERITY = "E"

BAD = {
    "store-true": """\
import argparse

def train(model, loss, optimizer):
    loss.backward()
    optimizer.step()

parser = argparse.ArgumentParser()
parser.add_argument("--use-amp", action="store_true", help="mixed precision")  # SM206
parser.add_argument("--lr", type=float, default=0.1)
""",
    "store-false-one-argument-a-line": """\
from argparse import ArgumentParser

parser = ArgumentParser()
parser.add_argument(  # SM206
    "--no-shuffle",
    dest="shuffle",
    action='store_false',
    default=True,
)
args = parser.parse_args()
loss.backward()
""",
    "boolean-optional": """\
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--compile", action=argparse.BooleanOptionalAction)  # SM206
loss.backward()
""",
    "short-flag": """\
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("-v", "--verbose", action="store_true")  # SM206
loss.backward()
""",
}

GOOD = {
    "takes-a-value": """\
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--use-amp", nargs="?", const=True, default=False, type=lambda text: text == "True")
loss.backward()
""",
    "does-not-train": """\
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--overwrite", action="store_true")
""",
    "started-by-a-shell-script": {
        "train.py": """\
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--use-amp", action="store_true")
loss.backward()
""",
        "start.sh": "torchrun train.py --use-amp\n",
    },
    "other-actions": """\
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--tag", action="append")
parser.add_argument("--version", action="version", version="1")
loss.backward()
""",
}

_FLAGS = ("store_true", "store_false", "argparse.BooleanOptionalAction")


def check(module: Module) -> Iterator[Fault]:
    if not module.training:
        return
    flags = [
        (argument, action) for argument in module.arguments if (action := _action(module, argument)) in _FLAGS
    ]
    if not flags or module.script.is_started_by_shell:
        return
    for argument, action in flags:
        yield module.fault(
            argument.node,
            f"{argument.flags[-1]} takes no value, and SageMaker always sends one: {_ends(module)}",
            help='take a value that may be left out: nargs="?", const, a type that reads true and false',
            fix=_fix(module, argument, action),
        )


def _ends(module: Module) -> str:
    """What `--flag False` comes to."""
    if module.method_calls("parse_known_args"):
        return "`False` turns it on"
    if module.method_calls("parse_args"):
        return "the job ends with `unrecognized arguments`"
    return "`False` turns it on, or ends the job"


def _action(module: Module, argument: Argument) -> str:
    if argument.action_name or argument.action is None:
        return argument.action_name
    return module.name(argument.action)


def _fix(module: Module, argument: Argument, action: str) -> Fix | None:
    """An optional value: the bare flag, and no flag, mean what they meant."""
    keyword = next(keyword for keyword in argument.node.keywords if keyword.arg == "action")
    if action not in ("store_true", "store_false"):
        return None
    on = action == "store_true"
    parser = BOOL_PARSER if on else BOOL_PARSER.replace(" in ", " not in ")
    text = f'nargs="?", const={on}, type={parser}'
    if argument.default is None:
        text += f", default={not on}"
    edit = replace(module, keyword, text)
    return Fix("take an optional value", (edit,), safe=_stands_alone(module, argument))


def _stands_alone(module: Module, argument: Argument) -> bool:
    """Whether nothing can follow the bare flag that would now be taken for its value."""
    short = any(not flag.startswith("--") for flag in argument.flags)
    positional = any(other.positional for other in module.arguments) or module.method_calls("add_subparsers")
    return not short and not positional
