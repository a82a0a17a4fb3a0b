"""`type=bool` in an argument: every non-empty string is True.

SageMaker sends a hyperparameter as text, so `--use-amp False` calls `bool("False")`, which is True. The job
trains with the opposite of what was asked for, and nothing says so.

Why it fails:
argparse calls `type` with the string. `bool` of a string only asks whether it is empty.

Use instead:
A function that reads the text: `type=lambda text: text.lower() in ("true", "1", "yes")`. It must accept
`True` (toolkit) and `true` (ModelTrainer).

False alarms:
None known: `bool` itself is never right as the type of an option that can be sent.

Source:
https://docs.python.org/3/library/argparse.html#type
https://github.com/aws/sagemaker-python-sdk/issues/4247
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sagemaker.finding import Fix
from pytest_sagemaker.lint.edits import replace
from pytest_sagemaker.lint.facts.arguments import BOOL_PARSER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.finding import Fault
    from pytest_sagemaker.lint.module import Module

SEVERITY = "E"

BAD = {
    "plain": """\
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--use-amp", type=bool, default=False)  # SM205
""",
    "one-argument-a-line": """\
from argparse import ArgumentParser

parser = ArgumentParser()
group = parser.add_argument_group("training")
group.add_argument(  # SM205
    "--shuffle",
    type=bool,
)
""",
}

GOOD = {
    "parsed": """\
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--use-amp", type=lambda text: text.lower() in ("true", "1"), default=False)
""",
    "own-bool": """\
import argparse

def bool(text):
    return text == "True"

parser = argparse.ArgumentParser()
parser.add_argument("--use-amp", type=bool)
""",
}


def check(module: Module) -> Iterator[Fault]:
    for argument in module.arguments:
        if argument.type is not None and module.name(argument.type) == "bool":
            yield module.fault(
                argument.node,
                f"type=bool makes {argument.flags[-1]} True for every value that is sent, `False` too",
                help="parse the text: `True` (toolkit) and `true` (ModelTrainer) mean yes",
                fix=Fix("parse the text", (replace(module, argument.type, BOOL_PARSER),)),
            )
