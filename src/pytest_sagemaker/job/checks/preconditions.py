"""What must hold before a check can be judged. A consequence is never reported as a second fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sagemaker.catalogue import Unjudged
from pytest_sagemaker.job.checks.failures import culprit

if TYPE_CHECKING:
    from pytest_sagemaker.job.record import JobRecord, Served


def needs_success(record: JobRecord) -> None:
    """Every rank ended with 0, in time."""
    if record.hung and not culprit(record):
        raise Unjudged("the job hung: see SM802")
    if record.failed:
        raise Unjudged("the run failed: see SM801")


def needs_several(record: JobRecord) -> None:
    """The job was asked for more than one rank, and ran."""
    needs_success(record)
    if record.world_size < 2:
        raise Unjudged("one rank only: give more hosts or processes")


def needs_world(record: JobRecord) -> None:
    """All ranks of the job formed one process group."""
    needs_several(record)
    if world_formed(record):
        return
    if idle(record):
        raise Unjudged("nothing was trained: see SM809")
    raise Unjudged("the ranks formed no common world: see SM803")


def needs_steps(record: JobRecord) -> None:
    """Some rank took an optimizer step."""
    if not trained(record):
        raise Unjudged("nothing was trained: see SM809")


def needs_training(record: JobRecord) -> None:
    """The ranks took optimizer steps, on samples that were seen."""
    needs_steps(record)
    if not any(reads.samples for rank in record.ranks for reads in rank.training):
        raise Unjudged("no training sample was seen: the script reads its data without a DataLoader")


def needs_saved(record: JobRecord) -> None:
    """There is something in a model dir."""
    if not record.saved:
        needs_steps(record)
        raise Unjudged("nothing was saved: see SM810")


def needs_model(record: JobRecord) -> Served:
    """An endpoint's process got a model from what the job saved."""
    served = needs_import(record)
    needs_saved(record)
    if served.model_fn or not served.is_model:
        raise Unjudged("there is no loaded model: see SM813")
    return served


def needs_import(record: JobRecord) -> Served:
    """An endpoint's process imported the module."""
    needs_success(record)
    if record.served is None:
        needs_saved(record)
        raise Unjudged("no endpoint was tried")
    if record.served.imported:
        raise Unjudged("the import failed: see SM812")
    return record.served


def world_formed(record: JobRecord) -> bool:
    """Every rank is in a process group of hosts x processes."""
    return all(rank.world and rank.world.size == record.world_size for rank in record.ranks)


def idle(record: JobRecord) -> bool:
    """The job did nothing at all: no process group and no step."""
    return not trained(record) and not any(rank.world for rank in record.ranks)


def trained(record: JobRecord) -> bool:
    """Some rank took an optimizer step."""
    return any(rank.steps for rank in record.ranks)
