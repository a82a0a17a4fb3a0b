"""Traces of web pages, notebooks and merges in scripts that do not parse."""

from __future__ import annotations

import ast
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rules_harness import faults

from pytest_sagemaker.catalogue import scan
from pytest_sagemaker.lint.pasted import is_notebook, traces
from pytest_sagemaker.lint.run import RULES

(SYNTAX_ERROR,) = (rule for rule in scan(RULES) if rule.code == "SM001")

TRACES = {
    "curly": ("x = “a”", ["“", "”"]),
    "curly at an unequal end": ('add(“--lr", type=float)', ["“"]),
    "dash": ("x = 1 – 2", ["–"]),  # noqa: RUF001 -- looked for
    "no-break space": ("x =\u00a01", ["\u00a0"]),
    "zero-width space": ("x = 1\u200b", ["\u200b"]),
    "bold dunder": ("if **name** == x:", ["**name**"]),
    "italic underscore": ("parser.add*argument(1)", ["add*argument"]),
    "italic underscores": ("a, b = parser.parse*known*args()", ["parse*known*args"]),
    "own name": ("train_one_epoch()\ntrain*one*epoch()", ["train*one*epoch"]),
    "dropped name": ("*, args = f()", ["*"]),
    "escape": (r"\_\_init\_\_()", [r"\_\_", r"\_\_"]),
    "fence": ("```python\nx = 1\n```", ["```", "```"]),
    "entity": ("if a &lt; b:", ["&lt;"]),
    "capital": ("If x:\n    For y in x:", ["If", "For"]),
    "magic": ("%matplotlib inline\n!pip install x", ["%", "!"]),
    "shell": ("pip install x\npython -m train\n$ ls", ["pip install", "python -m", "$ ls"]),
    "prompt": (">>> train()", [">>>"]),
    "merge": ("<<<<<<< HEAD\n=======\n>>>>>>> b", ["<<<<<<<", "=======", ">>>>>>>"]),
}


@pytest.mark.parametrize(("text", "places"), TRACES.values(), ids=TRACES)
def test_each_trace_is_found_at_its_place(text: str, places: list[str]) -> None:
    assert [text[trace.start : trace.end] for trace in traces(text)] == places


@pytest.mark.parametrize(
    ("character", "says"),
    [("“", "curly quote"), ("–", "dash"), ("\u00a0", "no-break space")],  # noqa: RUF001
)
def test_a_character_is_named(character: str, says: str) -> None:
    (trace,) = traces(f"x = {character}1")
    assert says in trace.says
    assert f"U+{ord(character):04X}" in trace.says


INNOCENT = {
    "strings": 'x = \'It’s “so” – **name**\'\ny = """\n```\n%time\n>>> x\n"""',  # noqa: RUF001 -- on purpose
    "comments": "# “quoted”, **name**, parser.add*argument\n",
    "operators": "x = a*b, a**b, f(**names), 1 % y\n*_, last = x\nprint(*args)",
    "words": "Format = Iffy = 1\nIfExp(x)",
}


@pytest.mark.parametrize("text", INNOCENT.values(), ids=INNOCENT)
def test_what_python_reads_has_no_trace(text: str) -> None:
    ast.parse(text)
    assert traces(text) == ()


@given(st.text(alphabet="“’\"'\\#\n*_ \u00a0%!<>=aIf(", max_size=60))  # noqa: RUF001 -- looked for
def test_any_text_is_searched_without_a_failure(text: str) -> None:
    assert all(0 <= trace.start < trace.end <= len(text) for trace in traces(text))


@pytest.mark.parametrize("part", ['"""', "'\n", '"\n', "a*", "\\_", "# '''\n"], ids=repr)
def test_a_large_file_is_searched_in_one_pass(part: str) -> None:
    assert traces(part * 100_000 + "\nx = “")[-1].says.startswith("“")


def test_the_json_of_a_notebook_is_told_from_a_dictionary() -> None:
    assert is_notebook('\n{"cells": [], "nbformat": 4}')
    assert not is_notebook('{"cells": []}')


def test_the_first_cause_on_the_line_is_named_and_the_others_are_evidence() -> None:
    text = "a = 1\nIf **name** == “**main**”:\n    run()\nb = “x”\n"
    (fault,) = faults(SYNTAX_ERROR, text)
    assert (fault.span.line, fault.span.column) == (2, 1)
    assert "capital" in fault.message
    assert any("line 2: `**name**`" in line for line in fault.evidence)
    assert any("line 4: “ (U+201C)" in line for line in fault.evidence)


CAUSES = {
    "python 2": ("print 'x'\n", "Python 2"),
    "tabs": ("if x:\n        y = 1\n\tz = 2\n", "tabs and spaces"),
    "indentation": ("with x as f:\ny = 1\n", "indentation is wrong"),
    "in an f-string": ('x = f"{a b}"\n', "does not parse"),
    "python's own": ("x = (1\n", "was never closed"),
}


@pytest.mark.parametrize(("text", "cause"), CAUSES.values(), ids=CAUSES)
def test_causes_that_python_knows_are_said(text: str, cause: str) -> None:
    (fault,) = faults(SYNTAX_ERROR, text)
    assert cause in fault.message


NEWER = {
    "quotes in an f-string": 'x = f"{os.environ["A"]}"\n',
    "type alias": "type X = int\n",
    "type parameter": "def f[T](x: T) -> T:\n    return x\n",
}


@pytest.mark.parametrize("text", NEWER.values(), ids=NEWER)
def test_syntax_of_a_newer_python_is_no_fault_of_the_script(text: str) -> None:
    severities = [fault.severity for fault in faults(SYNTAX_ERROR, text)]
    assert severities == ([] if sys.version_info >= (3, 12) else ["W"])


def test_an_annotated_script_that_is_broken_stays_an_error() -> None:
    (fault,) = faults(SYNTAX_ERROR, "def f(x: list[int]) -> dict[str, int]:\n    f(a=1, 2)\n")
    assert fault.severity is None
