"""An engine that runs nothing: it remembers what it was asked and answers with records made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_sagemaker.job.checks.examples import SOUND

if TYPE_CHECKING:
    from types import TracebackType

    from pytest_sagemaker.job.record import JobRecord
    from pytest_sagemaker.job.spec import JobSpec


class FakeEngine:
    """Stands for `job.run.Session`, of which a pytest session makes one."""

    def __init__(self) -> None:
        self.answer: JobRecord | Exception = SOUND
        self.asked: list[JobSpec] = []
        self.files: list[list[str]] = []
        self.started = 0
        self.stopped = 0

    def __call__(self) -> FakeEngine:
        return self

    def __enter__(self) -> FakeEngine:
        self.started += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopped += 1

    def run(self, spec: JobSpec) -> JobRecord:
        """The answer, for this script. What the channels hold is noted: it is gone when the session ends."""
        self.asked.append(spec)
        self.files.append(
            [path.name for folder in spec.channels.values() for path in sorted(folder.iterdir())]
        )
        if isinstance(self.answer, Exception):
            raise self.answer
        return replace(self.answer, script=str(spec.script))
