"""Records were logged, and none reached stdout or stderr.

CloudWatch shows the container's own lines only: no loss, no epoch, no metric for a tuner to read.

Why it fails:
Python's root logger starts with no handler and level WARNING, so `logger.info` of a script that configures
nothing is dropped without a word.

Use instead:
`logging.basicConfig(stream=sys.stdout, level=logging.INFO)` as the first line of the main part; with a
named logger, a handler and a level on that logger.

False alarms:
A script that logs only DEBUG records and hides them on purpose, or logs to a file that it uploads.

Source:
https://github.com/huggingface/transformers/pull/9816
https://docs.python.org/3/howto/logging.html#what-happens-if-no-configuration-is-provided
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sagemaker.catalogue import Unjudged
from pytest_sagemaker.finding import Fault, Severity, Span
from pytest_sagemaker.job.checks import examples
from pytest_sagemaker.job.checks.preconditions import needs_success
from pytest_sagemaker.job.checks.wording import counted, named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.job.record import JobRecord

SEVERITY: Severity = "W"

BAD: dict[str, JobRecord] = {
    "no-handler": examples.varied(logged=6, visible=0, first_logged_line=31),
    "one-rank-logs": examples.job(
        examples.sound_rank(0, logged=6, visible=0), examples.sound_rank(1, logged=0, visible=0)
    ),
}
GOOD: dict[str, JobRecord] = {
    "visible": examples.SOUND,
    "only-rank-zero-shows": examples.job(
        examples.sound_rank(0), examples.sound_rank(1, logged=6, visible=0, first_logged_line=31)
    ),
    "unjudged-nothing-logged": examples.varied(logged=0, visible=0),
    "unjudged-failed": examples.CRASHED,
}


def check(record: JobRecord) -> Iterator[Fault]:
    needs_success(record)
    logged = sum(rank.logged for rank in record.ranks)
    if not logged:
        raise Unjudged("the script logged nothing")
    if any(rank.visible for rank in record.ranks):
        return
    lines = [rank.first_logged_line for rank in record.ranks if rank.first_logged_line]
    yield Fault(
        Span(lines[0] if lines else 1),
        f"{counted(logged, 'record')} logged, and none reached stdout or stderr",
        help="logging.basicConfig(stream=sys.stdout, level=logging.INFO) before the first record: see SM302",
        evidence=tuple(
            f"{named(rank)}: {counted(rank.logged, 'record')}, none visible" for rank in record.ranks
        ),
    )
