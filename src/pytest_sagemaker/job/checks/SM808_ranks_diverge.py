"""After training, ranks hold different parameters.

No error: each rank trains a model of its own on its shard, and the one that is saved has seen a fraction of
the data.

Why it fails:
The model is not wrapped in DistributedDataParallel, gradients are averaged by hand without a common start,
or a rank changes parameters behind DDP's back (a step on the bare model, weights loaded on rank 0 after
wrapping).

Use instead:
`model = DistributedDataParallel(model)` before the optimizer steps: it broadcasts rank 0's parameters once
and averages gradients at each backward pass.

False alarms:
Parameters that FSDP shards differ by design and are not compared. Local SGD and federated averaging let
ranks drift between averagings: average once more after the last step.

Source:
https://docs.pytorch.org/docs/stable/notes/ddp.html
https://docs.pytorch.org/docs/stable/generated/torch.nn.parallel.DistributedDataParallel.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sagemaker.catalogue import Unjudged
from pytest_sagemaker.finding import Fault, Severity, Span
from pytest_sagemaker.job.checks import examples
from pytest_sagemaker.job.checks.divergence import differing
from pytest_sagemaker.job.checks.preconditions import needs_steps, needs_world
from pytest_sagemaker.job.checks.wording import few, joined, named
from pytest_sagemaker.job.record import JobRecord, Parameters

if TYPE_CHECKING:
    from collections.abc import Iterator

SEVERITY: Severity = "E"

_OTHER = Parameters({"fc.weight": "w2", "fc.bias": "b1"}, changed=True)

BAD: dict[str, JobRecord] = {
    "not-wrapped": examples.job(examples.sound_rank(0), examples.sound_rank(1, parameters=_OTHER)),
    "parameter-missing": examples.job(
        examples.sound_rank(0),
        examples.sound_rank(1, parameters=Parameters({"fc.weight": "w1"}, changed=True)),
    ),
}
GOOD: dict[str, JobRecord] = {
    "same-everywhere": examples.SOUND,
    "unjudged-sharded": examples.job(
        examples.sound_rank(0, parameters=Parameters({"fc.weight": "w1"}, changed=True, sharded=True)),
        examples.sound_rank(1, parameters=Parameters({"fc.weight": "w2"}, changed=True, sharded=True)),
    ),
    "unjudged-uneven": examples.job(
        examples.sound_rank(0), examples.sound_rank(1, steps=1, parameters=_OTHER)
    ),
    "unjudged-nothing-trained": examples.varied(steps=0, parameters=Parameters()),
    "unjudged-not-seen": examples.varied(parameters=Parameters()),
}


def check(record: JobRecord) -> Iterator[Fault]:
    needs_world(record)
    needs_steps(record)
    if len({rank.steps for rank in record.ranks}) > 1:
        raise Unjudged("ranks took different numbers of steps: see SM807")
    if any(rank.parameters.sharded for rank in record.ranks):
        raise Unjudged("the parameters are sharded: no rank holds them all")
    if not any(rank.parameters.digests for rank in record.ranks):
        raise Unjudged("the trained parameters were not seen")
    names = differing(record)
    if names:
        total = len({name for rank in record.ranks for name in rank.parameters.digests})
        yield Fault(
            Span(1),
            f"after training, ranks hold different parameters: {len(names)} of {total} differ",
            help="wrap the model in DistributedDataParallel before the first step: see SM405",
            evidence=(*_groups(record), f"differing: {few(names)}"),
        )


def _groups(record: JobRecord) -> list[str]:
    """Ranks that agree with each other, one line a group."""
    groups: dict[frozenset[tuple[str, str]], list[str]] = {}
    for rank in record.ranks:
        groups.setdefault(frozenset(rank.parameters.digests.items()), []).append(named(rank))
    return [joined(ranks) + (" agree" if len(ranks) > 1 else " stands alone") for ranks in groups.values()]
