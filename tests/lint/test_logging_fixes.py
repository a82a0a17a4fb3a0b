"""Records that SM302 and SM303 call lost are lost, and reach the log once their fixes are made."""

from __future__ import annotations

import contextlib
import io
import logging
from typing import TYPE_CHECKING

import pytest

from pytest_sagemaker.lint.fixes import apply
from pytest_sagemaker.lint.module import Module
from pytest_sagemaker.lint.rules import SM302_logging_no_handler as SM302
from pytest_sagemaker.lint.rules import SM303_root_logger_call as SM303
from pytest_sagemaker.lint.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_sagemaker.finding import Fault

LOST = [pytest.param(SM302.check, text, id=name) for name, text in SM302.BAD.items()]
LOST += [pytest.param(SM303.check, SM303.BAD[name], id=name) for name in ("plain", "imported-by-name")]
SHOWN = ("basic-config", "handler-and-level", "root-level-and-implicit-handler")


class Loss:
    """What the examples train with."""

    def backward(self) -> None: ...

    def item(self) -> float:
        return 0.5


def reaches_the_log(text: str, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the INFO record of an example is written, with logging as in a fresh process."""
    root = logging.RootLogger(logging.WARNING)
    monkeypatch.setattr(logging, "root", root)
    monkeypatch.setattr(logging.Logger, "root", root)
    monkeypatch.setattr(logging.Logger, "manager", logging.Manager(root))
    written = io.StringIO()
    with contextlib.redirect_stdout(written), contextlib.redirect_stderr(written):
        exec(compile(text, "train.py", "exec"), {"__name__": "__main__", "loss": Loss()})
    return "done" in written.getvalue() or "loss 0.5" in written.getvalue()


@pytest.mark.parametrize(("check", "text"), LOST)
def test_a_lost_record_reaches_the_log_after_the_fix(
    check: Callable[[Module], Iterable[Fault]], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixes = [fault.fix for fault in check(Module(Source("train.py", text))) if fault.fix]
    assert not reaches_the_log(text, monkeypatch)
    assert reaches_the_log(apply(text, fixes), monkeypatch)


@pytest.mark.parametrize("name", SHOWN)
def test_a_record_that_is_not_called_lost_is_there(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reaches_the_log(SM302.GOOD[name], monkeypatch)
