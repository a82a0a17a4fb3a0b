"""`type=list` or `type=dict` in an argument: the text is split into characters, or refused.

`--layers "[64, 32]"` becomes `['[', '6', '4', ',', ...]`; with `type=dict` the job ends with `invalid
dict value`, exit code 2.

Why it fails:
argparse calls `type` with the text. `list` of a text is the list of its characters, `dict` of a text is
an error.

Use instead:
`type=json.loads`, with the value written as JSON.

False alarms:
A default that is no text passes by `type`: `--hosts` with `default=json.loads(os.environ["SM_HOSTS"])`
works as long as nobody sends `hosts` as a hyperparameter. Where the default comes from the container this
is advice (I).

Source:
https://docs.python.org/3/library/argparse.html#type
https://github.com/aws/sagemaker-python-sdk/issues/613
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from pytest_sagemaker.finding import Fix
from pytest_sagemaker.lint.edits import add_import, replace
from pytest_sagemaker.lint.facts.raw import SPLITTERS, raw_read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.finding import Fault
    from pytest_sagemaker.lint.facts.arguments import Argument
    from pytest_sagemaker.lint.module import Module

SEVERITY = "W"

BAD = {
    "list": """\
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--layers", type=list, default=[64, 32])  # SM207
""",
    "dict-no-default": """\
from argparse import ArgumentParser

parser = ArgumentParser()
parser.add_argument("--options", type=dict)  # SM207
parser.add_argument("--betas", type=tuple, required=True)  # SM207
""",
    "default-is-text": """\
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--classes", type=list, default="[1, 2]")  # SM207
""",
    "default-is-characters": """\
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--alphabet", type=list, default="abc")  # SM207
""",
    "default-is-a-variable's-text": """\
import argparse
import os

parser = argparse.ArgumentParser()
parser.add_argument("--folders", type=list, default=os.environ["SM_OUTPUT_DIR"])  # SM207
""",
    "hosts-from-the-container": """\
import argparse
import json
import os

parser = argparse.ArgumentParser()
parser.add_argument("--hosts", type=list, default=json.loads(os.environ["SM_HOSTS"]))  # SM207
""",
}

GOOD = {
    "json": """\
import argparse
import json

parser = argparse.ArgumentParser()
parser.add_argument("--layers", type=json.loads, default=[64, 32])
""",
    "own-list": """\
import argparse

def list(text):
    return text.split(",")

parser = argparse.ArgumentParser()
parser.add_argument("--layers", type=list)
""",
    "raw-variable-is-another-rule's": """\
import argparse
import os

parser = argparse.ArgumentParser()
parser.add_argument("--hosts", type=list, default=os.environ["SM_HOSTS"])
""",
}


def check(module: Module) -> Iterator[Fault]:
    for argument in module.arguments:
        kind = module.name(argument.type) if argument.type is not None else ""
        if kind in SPLITTERS and raw_read(module, argument.default) is None:
            does = "is refused" if kind == "dict" else "is split into characters"
            yield module.fault(
                argument.node,
                f"type={kind}: what is sent for {argument.flags[-1]} {does}",
                help="type=json.loads reads a value that is written as JSON",
                fix=_fix(module, argument),
                severity="I" if _given_by_container(module, argument) else None,
            )


def _given_by_container(module: Module, argument: Argument) -> bool:
    """Whether the default is made from a variable, and no longer its text."""
    if argument.default is None or not any(leaf.kind == "env" for leaf in module.made_of(argument.default)):
        return False
    reads = [module.env_read(value.node) for value in module.flow.origins(argument.default) if value.node]
    return all(read is None or read.how == "toolkit" for read in reads)


def _fix(module: Module, argument: Argument) -> Fix | None:
    """json.loads; not safe where a default in characters would no longer be read."""
    if argument.type is None or argument.nargs is not None:
        return None
    edits = (replace(module, argument.type, "json.loads"), *add_import(module, "import json"))
    return Fix("read JSON", edits, safe=not _is_characters(argument.default))


def _is_characters(default: ast.expr | None) -> bool:
    if not (isinstance(default, ast.Constant) and isinstance(default.value, str)):
        return False
    import json  # 2 ms that only a type=list pays

    try:
        json.loads(default.value)
    except ValueError:
        return True
    return False
