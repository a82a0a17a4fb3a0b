"""Exceptions without our frames."""

from __future__ import annotations

from pathlib import Path

from pytest_sagemaker.job.failures import failure
from pytest_sagemaker.job.observe.patching import before

HERE = Path(__file__)


class Thing:
    def work(self, value: int) -> None:
        raise ValueError(value)


def watched() -> BaseException:
    """What a method raises that we stand before, from an exception handler."""
    before(Thing, "work", lambda *_: None)
    try:
        try:
            raise KeyError("first")
        except KeyError:
            Thing().work(3)
    except ValueError as error:
        return error
    raise AssertionError


def test_line_is_the_scripts_and_our_frames_are_gone() -> None:
    described = failure(watched(), HERE, at=1.5)

    assert (described.kind, described.message, described.at) == ("ValueError", "3", 1.5)
    assert HERE.read_text().splitlines()[described.line - 1].strip() == "raise ValueError(value)"
    assert "patching.py" not in described.traceback
    assert "During handling of the above exception" in described.traceback
    assert described.traceback.endswith("ValueError: 3\n")


def test_line_of_another_file_is_not_told() -> None:
    assert failure(watched(), Path("train.py")).line == 0
