"""Which log records the script asks for, and which of them reach a stream."""

from __future__ import annotations

import io
import logging
import logging.handlers
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from pytest_sagemaker.job.observe.patching import wrap

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from pytest_sagemaker.job.observe.recorder import Recorder

_LOGGING = os.path.normcase(logging.info.__code__.co_filename)
_METHODS = frozenset({"info", "warning", "warn", "error", "exception", "critical", "fatal", "log"})
_SILENT = (logging.FileHandler, logging.NullHandler, logging.handlers.MemoryHandler)


def watch(recorder: Recorder, code: str) -> None:
    """Emit `logged` (with its line) for each record at INFO or above that a file under `code` asks for,
    and `shown` after it when a handler has put it on a stream.

    A record exists only where its logger is enabled, so the question `isEnabledFor` is what counts.
    """
    asked = threading.local()

    def counting(original: Callable[..., bool]) -> Callable[..., bool]:
        def is_enabled_for(logger: logging.Logger, level: int) -> bool:
            if level >= logging.INFO and (line := _asking_line(sys._getframe(1), code)):
                asked.waits = True
                recorder.emit("logged", line)
            return original(logger, level)

        return is_enabled_for

    def seeing(original: Callable[..., Any]) -> Callable[..., Any]:
        def handle(handler: logging.Handler, record: logging.LogRecord) -> Any:
            handled = original(handler, record)
            if handled and getattr(asked, "waits", False) and _is_visible(handler):
                asked.waits = False
                recorder.emit("shown")
            return handled

        return handle

    wrap(logging.Logger, "isEnabledFor", counting)
    wrap(logging.Handler, "handle", seeing)


def _asking_line(frame: FrameType | None, code: str) -> int:
    """The line of a file under `code` that called a logging method; 0: another's, or only a question."""
    if frame is None or frame.f_code.co_name not in _METHODS or frame.f_code.co_filename != _LOGGING:
        return 0
    while frame is not None and frame.f_code.co_filename == _LOGGING:
        frame = frame.f_back
    return frame.f_lineno if frame is not None and frame.f_code.co_filename.startswith(code) else 0


def _is_visible(handler: logging.Handler) -> bool:
    """Whether what the handler handles can be read in the job's log."""
    return not isinstance(handler, _SILENT) and not isinstance(getattr(handler, "stream", None), io.StringIO)
