"""Which parameters differ between ranks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_sagemaker.job.record import JobRecord


def differing(record: JobRecord) -> list[str]:
    """Parameters that are not the same on every rank, in the model's order; a missing one differs."""
    names = dict.fromkeys(name for rank in record.ranks for name in rank.parameters.digests)
    return [name for name in names if len({rank.parameters.digests.get(name) for rank in record.ranks}) > 1]
