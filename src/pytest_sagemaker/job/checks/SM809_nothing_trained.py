"""No optimizer step was taken, or the steps changed no parameter.

The job ends as Completed in a minute, and what it saved is the model as it was created.

Why it fails:
The training function is defined and never called, `optimizer.step()` is missing, the optimizer holds the
parameters of another copy of the model, all of them are frozen, or the learning rate is 0.

Use instead:
Call the training function under `if __name__ == "__main__":`, and give the optimizer `model.parameters()`
of the model that computes the loss.

False alarms:
Optimizers that are not torch.optim's are not seen. A warm-up that starts at learning rate 0 changes nothing
in its first step: let the tiny job take more, `--sagemaker-hp epochs=3`.

Source:
https://docs.pytorch.org/docs/stable/optim.html#taking-an-optimization-step
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sagemaker.catalogue import Unjudged
from pytest_sagemaker.finding import Fault, Severity, Span
from pytest_sagemaker.job.checks import examples
from pytest_sagemaker.job.checks.preconditions import needs_success, trained
from pytest_sagemaker.job.checks.wording import counted, named
from pytest_sagemaker.job.record import JobRecord, Parameters

if TYPE_CHECKING:
    from collections.abc import Iterator

SEVERITY: Severity = "E"

_SAME = Parameters({"fc.weight": "w0"}, changed=False)

BAD: dict[str, JobRecord] = {
    "train-never-called": examples.varied(world=None, steps=0, training=(), parameters=Parameters()),
    "after-the-group-formed": examples.varied(steps=0, training=(), parameters=Parameters()),
    "step-missing": examples.varied(
        steps=0, training=(), evaluation=(examples.reads(examples.shard(0)),), parameters=Parameters()
    ),
    "frozen": examples.varied(parameters=_SAME),
}
GOOD: dict[str, JobRecord] = {
    "trained": examples.SOUND,
    "a-shard-did-not-change": examples.job(
        examples.sound_rank(0), examples.sound_rank(1, parameters=Parameters({}, sharded=True))
    ),
    "unjudged-failed": examples.CRASHED,
    "unjudged-not-seen": examples.varied(parameters=Parameters()),
}


def check(record: JobRecord) -> Iterator[Fault]:
    needs_success(record)
    steps = tuple(f"{named(rank)}: {counted(rank.steps, 'step')}" for rank in record.ranks)
    if not trained(record):
        read = sorted({reads.dataset for rank in record.ranks for reads in rank.evaluation})
        yield Fault(
            Span(1),
            "no rank took an optimizer step",
            help="call the training function under the main guard, and optimizer.step() in its loop",
            evidence=(*steps, *(f"{name} was read, and no batch of it fed a step" for name in read)),
        )
    elif not any(rank.parameters.digests for rank in record.ranks):
        raise Unjudged("the trained parameters were not seen")
    elif not any(rank.parameters.changed for rank in record.ranks):
        yield Fault(
            Span(1),
            "the optimizer's steps changed no parameter",
            help="give the optimizer the parameters of the model that computes the loss, and a learning rate",
            evidence=steps,
        )
