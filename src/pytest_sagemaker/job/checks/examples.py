"""Small records that the checks' examples vary."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pytest_sagemaker.job.record import Failure, JobRecord, Parameters, Rank, Reads, SavedFile, Served, World

SAMPLES = 32

LOADED = Served(
    has_model_fn=True,
    module="train.py",
    model_fn_line=60,
    returned="Net",
    is_model=True,
    weights="trained",
    predicted="ok",
)
MODEL = SavedFile("algo-1", "model.pth", size=2048, digest="d1", writers=(0,))
CLOSED = (
    "[/gloo/pair.cc:553] Connection closed by peer [127.0.0.1]:41001. This is typically caused by a crash"
)


def shard(rank: int, world: int = 2, *, epoch: int = 0, samples: int = SAMPLES) -> tuple[str, ...]:
    """What a DistributedSampler gives a rank: every world-th sample, rotated by epoch."""
    own = [f"#{index}" for index in range(rank, samples, world)]
    return (*own[epoch:], *own[:epoch])


def reads(*epochs: tuple[str, ...], **fields: Any) -> Reads:
    """Epochs of one data set of SAMPLES samples, shuffled."""
    return replace(Reads(f"MNIST[{SAMPLES}]", SAMPLES, epochs, shuffles=True), **fields)


def sound_rank(rank: int, of: int = 2, **fields: Any) -> Rank:
    """A rank of a sound job: two epochs in batches of 4, on a host of its own."""
    epochs = tuple(shard(rank, of, epoch=epoch) for epoch in range(2))
    sound = Rank(
        rank=rank,
        host=f"algo-{rank + 1}",
        ended_at=2.0,
        world=World("gloo", rank, of, asked="gloo"),
        steps=2 * SAMPLES // of // 4,
        training=(reads(*epochs, covers=SAMPLES),),
        parameters=Parameters({"fc.weight": "w1", "fc.bias": "b1"}, changed=True),
        logged=4,
        visible=4,
    )
    return replace(sound, **fields)


def job(*ranks: Rank, **fields: Any) -> JobRecord:
    """A sound job of these ranks, one a host; rank 0 saved the model and an endpoint loaded it."""
    sound = JobRecord(
        script="train.py",
        hosts=tuple(f"algo-{number + 1}" for number in range(len(ranks))),
        seconds=2.5,
        ranks=ranks,
        saved=(MODEL,),
        served=LOADED,
        channels=("training",),
    )
    return replace(sound, **fields)


def varied(**fields: Any) -> JobRecord:
    """A sound job of two hosts whose ranks have these fields."""
    return job(sound_rank(0, **fields), sound_rank(1, **fields))


def failed(*ranks: Rank, **fields: Any) -> JobRecord:
    """A job that failed: nothing saved, nothing served."""
    return replace(job(*ranks, saved=(), served=None), **fields)


def raised(kind: str, message: str, line: int = 0, at: float = 1.0) -> Failure:
    """An exception with the traceback that Python prints."""
    where = f'  File "train.py", line {line}, in main\n' if line else ""
    return Failure(kind, message, line, f"Traceback (most recent call last):\n{where}{kind}: {message}", at)


SOUND = job(sound_rank(0), sound_rank(1))
ALONE = job(sound_rank(0, of=1, world=None))
CRASHED = failed(
    sound_rank(0, exit_code=1, failure=raised("ValueError", "bad batch", line=40)),
    sound_rank(1, exit_code=1, failure=raised("RuntimeError", CLOSED, line=33, at=1.1)),
)
HUNG = failed(
    *(sound_rank(rank, exit_code=None, ended_by_us=True, stack="") for rank in range(2)),
    hung=True,
)
