"""Fixes that let a path begin with a variable of the container."""

from __future__ import annotations

import ast

import pytest
from rules_harness import module_of

from pytest_sagemaker.finding import Fix
from pytest_sagemaker.lint.container_paths import can_be_sent, take_variable, variable_or
from pytest_sagemaker.lint.fixes import apply

HEAD = """\
import argparse
import os
from pathlib import Path
parser = argparse.ArgumentParser()
parser.add_argument("--dir", default="out")
parser.add_argument("--none")
parser.add_argument("--number", default=3)
parser.add_argument("data", nargs="?", default="data")
args = parser.parse_args()
"""


def mended(text: str, *, is_file: bool = True) -> str:
    module = module_of(text)
    (call,) = (
        call
        for call in module.tree.all(ast.Call)
        if isinstance(call.func, ast.Name) and call.func.id == "show"
    )
    return apply(text, [Fix("", take_variable(module, [(path, is_file) for path in call.args], "V"))])


@pytest.mark.parametrize(
    ("path", "is_file", "expected"),
    [
        ("data", False, 'os.environ.get("V", "data")'),
        ("data/a.csv", True, 'os.path.join(os.environ.get("V", "data"), "a.csv")'),
        ("a.csv", True, 'os.path.join(os.environ.get("V", "."), "a.csv")'),
    ],
)
def test_a_path_in_the_variables_folder(path: str, is_file: bool, expected: str) -> None:
    assert variable_or("V", path, is_file=is_file) == expected


TAKEN = {
    "text": ("show('m/a.pt')", 'show(os.path.join(os.environ.get("V", "m"), "a.pt"))'),
    "join": ('show(os.path.join("m", "a.pt"))', 'show(os.path.join(os.environ.get("V", "m"), "a.pt"))'),
    "slash": ('show(Path("m") / "a.pt")', 'show(Path(os.environ.get("V", "m")) / "a.pt")'),
    "name": ('m = "m"\nshow(Path(m, "a.pt"))', 'm = os.environ.get("V", "m")\nshow(Path(m, "a.pt"))'),
    "two of one folder": (
        'show("m/a", "m/b")',
        'show(os.path.join(os.environ.get("V", "m"), "a"), os.path.join(os.environ.get("V", "m"), "b"))',
    ),
}


@pytest.mark.parametrize(("text", "expected"), TAKEN.values(), ids=TAKEN)
def test_the_text_at_the_beginning_is_replaced(text: str, expected: str) -> None:
    assert mended(HEAD + text) == HEAD + expected


def test_the_default_of_an_argument_is_replaced_once_for_all_its_paths() -> None:
    text = HEAD + 'show(os.path.join(args.dir, "a"), os.path.join(args.dir, "b"))\n'
    assert mended(text) == text.replace('default="out"', 'default=os.environ.get("V", "out")')


@pytest.mark.parametrize(
    "text",
    [
        'show("a/x", "b/y")',
        "show(args.none)",
        "show(args.number)",
        "print(f\"{show('m/a')}\")",
        "show(unknown)",
        'show(f"m/{x}")',
        "show('quote\"s')",
        'show("m/a", unknown)',
    ],
)
def test_other_paths_are_left_alone(text: str) -> None:
    assert mended(HEAD + text) == HEAD + text


def test_an_argument_can_be_sent_unless_it_is_positional() -> None:
    module = module_of(HEAD + 'os.listdir(args.dir)\nos.listdir(args.data)\nos.listdir("here")\n')
    paths = [call.args[0] for call in module.calls("os.listdir")]
    assert [can_be_sent(module, module.paths.roots(path)) for path in paths] == [True, False, False]
