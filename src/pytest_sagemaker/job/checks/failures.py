"""Which rank failed by itself, and which ones only because of it."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

from pytest_sagemaker.job.checks.wording import head

if TYPE_CHECKING:
    from pytest_sagemaker.job.record import JobRecord, Rank

# What a rank says when another one left it: gloo's words (seen with torch 2.13), the store's and NCCL's.
_LEFT_ALONE = re.compile(
    r"Connection closed by peer|Connection reset by peer|Broken pipe"
    r"|Timed out (?:waiting|after)|[Ww]ait timeout|Socket [Tt]imeout|clients? joined|socket has timed out"
    r"|(?:recvValue|sendBytes|recvBytes) failed|gloo::EnforceNotMet|Watchdog caught collective"
)


def collateral(rank: Rank) -> bool:
    """The rank ended because of another: stopped by us, or its words say that a peer was gone."""
    if rank.failure:
        return bool(_LEFT_ALONE.search(rank.failure.message))
    aborted = rank.exit_code == -signal.SIGABRT and _LEFT_ALONE.search(rank.output)
    return rank.ended_by_us or rank.exit_code is None or bool(aborted)


def failing(record: JobRecord) -> list[Rank]:
    """Ranks that did not end with 0, in the order in which they failed; those stopped by us last."""
    ranks = [rank for rank in record.ranks if rank.exit_code != 0]
    return sorted(ranks, key=lambda r: (r.ended_by_us, r.failure.at if r.failure else r.ended_at))


def culprit(record: JobRecord) -> Rank | None:
    """The first rank that failed by itself; None where every failure is the echo of something else."""
    return next((rank for rank in failing(record) if not collateral(rank)), None)


def leavers(record: JobRecord) -> list[Rank]:
    """Ranks that ended with 0 in a job where the others failed or hung."""
    return [rank for rank in record.ranks if rank.exit_code == 0]


def ending(rank: Rank) -> str:
    """How a rank ended, in words."""
    code = rank.exit_code
    if rank.failure and rank.failure.kind.rpartition(".")[2] != "SystemExit":
        return f"raised {spoken(rank)}" + (" and did not end" if code is None else "")
    if code is None:
        return "did not end"
    if code < 0:
        known = {known.value: known.name for known in signal.Signals}
        return f"was killed by {known.get(-code, f'signal {-code}')}"
    return f"exited with code {code}"


def spoken(rank: Rank) -> str:
    """`KeyError: 'SM_CHANNEL_TRAINING'`: the exception on one line; how it ended where there was none."""
    if not rank.failure:
        return ending(rank)
    first = head(rank.failure.message)
    return f"{rank.failure.kind}: {first}" if first else rank.failure.kind
