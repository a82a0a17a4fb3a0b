"""How checks tell what an endpoint's process saw."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sagemaker.finding import Span
from pytest_sagemaker.job.checks.wording import head, tail

if TYPE_CHECKING:
    from pytest_sagemaker.job.record import Failure, JobRecord, Served


def module_of(record: JobRecord, served: Served) -> str:
    """The file that the endpoint imports: the one with the handlers, otherwise the script."""
    return (served.module or record.script).rpartition("/")[2]


def where(record: JobRecord, served: Served, line: int) -> Span:
    """The line in the script; line 1 where it is another file's or not known."""
    own = module_of(record, served) == record.script.rpartition("/")[2]
    return Span(line if own and line else 1)


def told(failure: Failure) -> tuple[str, ...]:
    """The exception's first line, then the end of its traceback."""
    first = head(failure.message)
    return (f"{failure.kind}: {first}" if first else failure.kind, *tail(failure.traceback, 20))
