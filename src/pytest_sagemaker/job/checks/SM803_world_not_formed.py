"""The ranks formed no process group, or one of another size than the job.

No error: each host trains its own full copy. The log says `rank 0, size 1` on every host, the job costs N
times as much, and the hosts' models overwrite each other in model.tar.gz.

Why it fails:
More instances alone do not make a job distributed. Somebody must call `init_process_group` (or a framework
that does) with a rank and a world size that count every process of every host.

Use instead:
With the plain script: `rank=hosts.index(current_host), world_size=len(hosts)` from SM_HOSTS and
SM_CURRENT_HOST. With torchrun (`distribution={"torch_distributed": {"enabled": True}}`):
`init_process_group()` alone.

False alarms:
Hosts that are meant to work apart (a sweep): check that script with `--sagemaker-hosts 1`.

Source:
https://github.com/aws/sagemaker-pytorch-training-toolkit/issues/222
https://github.com/aws/sagemaker-python-sdk/issues/1110
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sagemaker.catalogue import Unjudged
from pytest_sagemaker.finding import Fault, Severity, Span
from pytest_sagemaker.job.checks import examples
from pytest_sagemaker.job.checks.preconditions import idle, needs_several, world_formed
from pytest_sagemaker.job.checks.wording import counted, named
from pytest_sagemaker.job.record import JobRecord, Rank, World

if TYPE_CHECKING:
    from collections.abc import Iterator

SEVERITY: Severity = "E"

BAD: dict[str, JobRecord] = {
    "no-process-group": examples.varied(world=None),
    "each-alone": examples.varied(world=World("gloo", 0, 1)),
    "one-rank-outside": examples.job(examples.sound_rank(0), examples.sound_rank(1, world=None)),
    "processes-not-counted": examples.job(examples.sound_rank(0), examples.sound_rank(1), processes=2),
}
GOOD: dict[str, JobRecord] = {
    "one-world": examples.SOUND,
    "unjudged-one-rank": examples.ALONE,
    "unjudged-failed": examples.CRASHED,
    "unjudged-one-host-trains": examples.job(
        examples.sound_rank(0, world=None), examples.sound_rank(1, world=None, steps=0, training=())
    ),
    "unjudged-train-never-called": examples.varied(world=None, steps=0, training=()),
}


def check(record: JobRecord) -> Iterator[Fault]:
    needs_several(record)
    if world_formed(record):
        return
    if idle(record):
        raise Unjudged("nothing was trained: see SM809")
    if sum(rank.steps > 0 for rank in record.ranks) == 1 and not any(rank.world for rank in record.ranks):
        raise Unjudged("one rank trained, and the others left the job to it")
    processes = f"{record.processes} process{'' if record.processes == 1 else 'es'}"
    asked = f"{counted(record.world_size, 'rank')} ({counted(len(record.hosts), 'host')} x {processes})"
    worlds = {rank.world.size for rank in record.ranks if rank.world}
    if not worlds:
        message = f"no rank formed a process group: the job has {asked}, and each trained on its own"
    elif worlds == {record.world_size}:
        message = f"not every rank joined the process group of {asked}"
    else:
        sizes = " and ".join(str(size) for size in sorted(worlds))
        message = f"the process group has {sizes} of the job's {asked}"
    yield Fault(
        Span(1),
        message,
        help="call init_process_group with a rank and a world size over all hosts and processes; "
        "a script that is meant for one host is checked with --sagemaker-hosts 1",
        evidence=tuple(f"{named(rank)}: {_world(rank)}" for rank in record.ranks),
    )


def _world(rank: Rank) -> str:
    world = rank.world
    return f"rank {world.rank} of a world of {world.size} ({world.backend})" if world else "no process group"
