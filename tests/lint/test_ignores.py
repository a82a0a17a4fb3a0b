"""Comments that silence findings."""

from __future__ import annotations

import pytest

from pytest_sagemaker.lint.run import lint
from pytest_sagemaker.lint.selection import Selection
from pytest_sagemaker.lint.source import Source

CALL = 'import argparse\np = argparse.ArgumentParser()\np.add_argument("--amp", type=bool)'


def silenced(text: str, selection: Selection | None = None) -> tuple[list[str], list[str]]:
    """The codes that are still found, and the codes of unused ignores."""
    report = lint(Source.decode("train.py", text.encode()), selection or Selection(select=("SM205", "F")))
    return [seen.code for seen in report.findings], [code for _, code in report.unused]


@pytest.mark.parametrize(
    "comment",
    [
        "# noqa: SM205",
        "# NOQA:SM205",
        "# noqa: F401,SM205",
        "# noqa: SM2",
        "# sm-lint: ignore[SM205] the launcher never sends it",
        "# sm-lint: ignore[SM2]",
        "# type: ignore # noqa: SM205",
    ],
)
def test_silences_its_line(comment: str) -> None:
    assert silenced(f"{CALL}  {comment}\n") == ([], [])


@pytest.mark.parametrize(
    "comment", ["# noqa", "# noqa: F401", "# flake8: noqa", "# noqa:", "# sm-lint: ignore", "'# noqa: SM205'"]
)
def test_does_not_silence(comment: str) -> None:
    assert silenced(f"{CALL}; {comment}\n")[0] == ["SM205"]


def test_another_line_is_not_silenced() -> None:
    assert silenced(f"# noqa: SM205\n{CALL}\n") == (["SM205"], [])


@pytest.mark.parametrize("line", [0, 3])
def test_first_and_last_line_of_a_statement_count(line: int) -> None:
    call = ["p.add_argument(", '    "--amp",', "    type=bool,", ")"]
    call[line] += "  # noqa: SM205"
    text = "\n".join(["import argparse", "p = argparse.ArgumentParser()", *call])
    assert silenced(text) == ([], [])


def test_an_unused_ignore_of_ours_is_told() -> None:
    assert silenced("x = 1  # sm-lint: ignore[SM205] long gone\n") == ([], ["SM205"])


def test_each_code_of_an_ignore_is_judged() -> None:
    assert silenced(f"{CALL}  # sm-lint: ignore[SM205, F821]\n") == ([], ["F821"])


@pytest.mark.parametrize("code", ["SM301", "SM804", "E501"])
def test_a_code_that_did_not_run_is_not_called_unused(code: str) -> None:
    assert silenced(f"x = 1  # sm-lint: ignore[{code}]\n") == ([], [])


def test_noqa_is_never_called_unused() -> None:
    assert silenced("x = 1  # noqa: SM205\n") == ([], [])
