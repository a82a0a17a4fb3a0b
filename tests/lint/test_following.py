"""Following values: methods of objects, names in expressions."""

from __future__ import annotations

import ast
import re

import pytest

from pytest_sagemaker.lint.edits import add_import
from pytest_sagemaker.lint.facts.mentions import mentions
from pytest_sagemaker.lint.module import Module
from pytest_sagemaker.lint.source import Source
from pytest_sagemaker.lint.spelling import is_free, spell


def module(text: str) -> Module:
    return Module(Source("train.py", text))


CALLS = {
    "self": "class T:\n    def f(self):\n        pass\n    def g(self):\n        self.f()\n",
    "a name": "class T:\n    def f(self):\n        pass\nt = T()\nt.f()\n",
    "at once": "class T:\n    def f(self):\n        pass\nT().f()\n",
}


@pytest.mark.parametrize("text", CALLS.values(), ids=CALLS)
def test_a_method_is_called_on_an_object_of_its_class(text: str) -> None:
    found = module(text)
    assert len(found.flow.calls_to(found.tree.methods["T", "f"])) == 1


def test_the_same_method_of_another_object_is_not_meant() -> None:
    found = module("class T:\n    def f(self):\n        pass\nt = T() if x else U()\nt.f()\nu.f()\n")
    assert found.flow.calls_to(found.tree.methods["T", "f"]) == []


def test_a_walrus_in_a_nested_function_binds_nothing_outside() -> None:
    found = module("def f():\n    if (x := 1):\n        return x\ny = 2\nprint(x)\n")
    assert found.flow.bindings.reaching("x", found.calls("print")[0]) == []


MENTIONS = {
    "itself": ("rank + 1", True),
    "its origin": ("other", True),
    "a test around it": ("flag", True),
    "a test in it": ("share", True),
    "nothing": ("epoch", False),
}


@pytest.mark.parametrize(("expression", "found"), MENTIONS.values(), ids=MENTIONS)
def test_mentions_looks_into_origins_and_tests(expression: str, found: bool) -> None:
    text = "other = rank\nflag = 0\nif rank:\n    flag = 1\nshare = 1 if rank else 2\nepoch = 3\n"
    script = module(f"{text}use({expression})\n")
    (call,) = (node for node in script.tree.all(ast.Call))
    assert mentions(script.flow, call.args[0], re.compile("^rank$")) is found


def test_a_full_name_is_spelled_with_the_imports_that_are_in_sight() -> None:
    script = module("import torch\nimport torch.distributed as dist\ndef f(dist):\n    pass\npass\n")
    inner, outer = script.tree.all(ast.Pass)
    assert spell(script, "torch.distributed.get_rank", outer) == "dist.get_rank"
    assert spell(script, "torch.distributed.get_rank", inner) == "torch.distributed.get_rank"
    assert spell(script, "logging.INFO", outer) is None
    assert is_free(script, "logging", outer)
    assert not is_free(script, "dist", inner)


def test_an_import_goes_below_the_docstring_and_the_future() -> None:
    text = '"""Trains."""\nfrom __future__ import annotations\nx = 1\n'
    mended = text.replace("x = 1", "import sys\nx = 1")
    script = module(text)
    edits = add_import(script, "import sys")
    assert [edit.text for edit in edits] == ["import sys\n"]
    start = edits[0].start
    assert text[:start] + "import sys\n" + text[start:] == mended
