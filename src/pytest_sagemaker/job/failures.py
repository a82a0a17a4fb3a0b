"""An exception as it is reported: without our own frames, with the script's line."""

from __future__ import annotations

import importlib
import traceback
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from pytest_sagemaker.job.record import Failure

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = str(Path(__file__).resolve().parents[1])
_HIDDEN = (PACKAGE, "<frozen importlib", str(importlib.__file__))


def failure(error: BaseException, script: Path, at: float = 0.0) -> Failure:
    """Describe an exception. `script` is the file whose line is wanted, `at` seconds since the job began."""
    hide_frames(error)
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(script)
    ]
    if isinstance(error, SyntaxError) and error.filename == str(script):
        lines.append(error.lineno)
    return Failure(
        kind=type(error).__name__,
        message=str(error),
        line=lines[-1] or 0 if lines else 0,
        traceback="".join(traceback.format_exception(error)),
        at=at,
    )


def hide_frames(error: BaseException) -> None:
    """Make tracebacks what they would be had nobody watched the script."""
    for part in _linked(error, set()):
        shown: TracebackType | None = None
        for link in reversed([*_links(part.__traceback__)]):
            if not link.tb_frame.f_code.co_filename.startswith(_HIDDEN):
                shown = TracebackType(shown, link.tb_frame, link.tb_lasti, link.tb_lineno)
        part.__traceback__ = shown


def _linked(error: BaseException | None, met: set[int]) -> Iterator[BaseException]:
    """An exception, its causes, and the members of a group; each once."""
    if error is not None and id(error) not in met:
        met.add(id(error))
        yield error
        for other in (error.__cause__, error.__context__, *getattr(error, "exceptions", ())):
            yield from _linked(other, met)


def _links(link: TracebackType | None) -> Iterator[TracebackType]:
    while link is not None:
        yield link
        link = link.tb_next
