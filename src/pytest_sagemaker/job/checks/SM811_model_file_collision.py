"""Several ranks or hosts wrote the same file of the model dir.

Mostly no error: the last host to upload wins. Sometimes a torn file, or `FileNotFoundError` where one rank
renames what another writes.

Why it fails:
SageMaker merges every host's `/opt/ml/model` into one model.tar.gz, and files of the same name overwrite
each other. Ranks of one host write into the same folder at the same time.

Use instead:
`if rank == 0:` around the saving (collectives such as gathering a sharded state_dict stay outside), or the
rank in the file's name.

False alarms:
Identical files do no harm when the last one wins, and still cost every rank the time; the evidence says
whether the contents differ.

Source:
https://github.com/aws/sagemaker-python-sdk/blob/master/sagemaker-train/src/sagemaker/train/local/local_container.py
https://github.com/huggingface/pytorch-image-models/pull/693
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_sagemaker.finding import Fault, Severity, Span
from pytest_sagemaker.job.checks import examples
from pytest_sagemaker.job.checks.preconditions import needs_saved, needs_world
from pytest_sagemaker.job.checks.wording import counted, few, joined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.job.record import JobRecord, SavedFile

SEVERITY: Severity = "W"

_ONE = examples.MODEL
_TWO = replace(examples.MODEL, host="algo-2", writers=(1,))

BAD: dict[str, JobRecord] = {
    "every-host-saves": replace(examples.SOUND, saved=(_ONE, _TWO)),
    "contents-differ": replace(examples.SOUND, saved=(_ONE, replace(_TWO, digest="d2"))),
    "ranks-of-one-host": replace(examples.SOUND, saved=(replace(_ONE, writers=(0, 1)),)),
}
GOOD: dict[str, JobRecord] = {
    "rank-zero-saves": examples.SOUND,
    "rank-in-the-name": replace(examples.SOUND, saved=(_ONE, replace(_TWO, path="model-1.pth"))),
    "unjudged-one-rank": examples.ALONE,
    "unjudged-no-world": replace(examples.varied(world=None), saved=(_ONE, _TWO)),
    "unjudged-nothing-saved": replace(examples.SOUND, saved=()),
}

_SHOWN = 6


def check(record: JobRecord) -> Iterator[Fault]:
    needs_world(record)
    needs_saved(record)
    copies: dict[str, list[SavedFile]] = {}
    for file in record.saved:
        copies.setdefault(file.path, []).append(file)
    collided = {
        path: files for path, files in copies.items() if len(files) > 1 or len(set(files[0].writers)) > 1
    }
    if collided:
        more = [f"and {len(collided) - _SHOWN} more files"] if len(collided) > _SHOWN else []
        yield Fault(
            Span(1),
            f"several ranks wrote {few(collided, 3)} of the model dir",
            help="save on rank 0 only: all hosts' model dirs are merged into one model.tar.gz (see SM409)",
            evidence=(*(_told(path, files) for path, files in [*collided.items()][:_SHOWN]), *more),
        )


def _told(path: str, files: list[SavedFile]) -> str:
    writers = sorted({rank for file in files for rank in file.writers})
    by = f", written by ranks {joined([str(rank) for rank in writers])}" if len(writers) > 1 else ""
    if len(files) == 1:
        return f"{path} on {files[0].host}{by}"
    same = len({file.digest for file in files}) == 1
    hosts = joined([file.host for file in files])
    alike = (
        "the same content"
        if same
        else f"{counted(len({file.digest for file in files}), 'different content')}"
    )
    return f"{path} on {hosts}{by}: {alike}; the last upload wins"
