"""From what each rank did to one record: data sets and files get names that hold for the whole job. Pure."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_sagemaker.job.failures import PACKAGE
from pytest_sagemaker.job.naming import Names
from pytest_sagemaker.job.record import Parameters, Rank, SavedFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_sagemaker.job.container import Host, RankPlan
    from pytest_sagemaker.job.evidence import Evidence, Module
    from pytest_sagemaker.job.launch import Ended
    from pytest_sagemaker.job.record import Failure

_OUR_FRAME = re.compile(rf'^ *File "(?:{re.escape(PACKAGE)}|<frozen runpy>).*\n?', re.M)
_LINES = 200  # of output


@dataclass(frozen=True)
class Process:
    """One process of the job and what was seen of it."""

    plan: RankPlan
    ended: Ended
    evidence: Evidence
    stack: str


def family(process: Process, spawned: Iterable[Evidence]) -> list[Process]:
    """The ranks in one launched process and what it spawned.

    That is the process itself, unless it ended well, trained nothing, and left that to others (`mp.spawn`).
    What the rest of the family wrote and logged (DataLoader workers) counts for the first rank.
    """
    own, members = process.evidence, [process.evidence, *spawned]
    at_work = [seen for seen in members if seen.world or seen.steps]
    if own in at_work or not at_work or process.ended.exit_code != 0:
        at_work = [own]
    for seen in members:
        if seen not in at_work:
            at_work[0].wrote += seen.wrote
            at_work[0].logged += seen.logged
            at_work[0].visible += seen.visible
            at_work[0].notes += seen.notes
    return [replace(process, plan=_numbered(process.plan, seen), evidence=seen) for seen in at_work]


def _numbered(plan: RankPlan, seen: Evidence) -> RankPlan:
    """The plan of the process, or of the rank that it says it is."""
    return replace(plan, rank=seen.world.rank) if seen.world else plan


def ranks(processes: Sequence[Process]) -> tuple[Rank, ...]:
    """What is known of each rank, in order."""
    names = Names([process.evidence for process in processes])
    return tuple(sorted((_rank(process, names) for process in processes), key=lambda rank: rank.rank))


def _rank(process: Process, names: Names) -> Rank:
    seen, ended, host = process.evidence, process.ended, process.plan.host
    output = "\n".join(ended.output.splitlines()[-_LINES:])
    return Rank(
        rank=process.plan.rank,
        host=host.name,
        exit_code=ended.exit_code,
        ended_at=ended.at,
        failure=relocated(seen.failures.get("script"), host.code, host.root),
        ended_by_us=ended.by_us,
        world=seen.world,
        steps=seen.steps,
        training=tuple(names.reads(reads, seen.rows) for reads in seen.training),
        evaluation=tuple(names.reads(reads, seen.rows) for reads in seen.evaluation),
        parameters=parameters(list(seen.modules.values())),
        logged=seen.logged,
        visible=seen.visible,
        first_logged_line=seen.first_hidden_line,
        output=as_on_host(output, host.code, host.root),
        stack=as_on_host(_OUR_FRAME.sub("", process.stack), host.code, host.root),
    )


def parameters(modules: Sequence[Module]) -> Parameters:
    """All trained parameters of a rank; under their module's type where it trained several modules."""
    taken, digests = Counter[str](), {}
    for module in modules:
        taken[module.kind] += 1
        number = f"-{taken[module.kind]}" if taken[module.kind] > 1 else ""
        prefix = f"{module.kind}{number}." if len(modules) > 1 else ""
        digests.update({f"{prefix}{name}": value for name, value in module.last.items()})
    return Parameters(
        digests=digests,
        changed=any(module.last != module.initial for module in modules),
        sharded=any(module.sharded for module in modules),
    )


def saved(processes: Iterable[Process]) -> tuple[SavedFile, ...]:
    """Every file of every host's model dir, and which ranks were seen writing it."""
    writers: dict[Path, list[int]] = defaultdict(list)
    models: dict[str, Path] = {}
    for process in processes:
        models[process.plan.host.name] = process.plan.host.model
        for path in process.evidence.wrote:
            writers[Path(path)].append(process.plan.rank)
    return tuple(
        SavedFile(
            host=host,
            path=path.relative_to(model).as_posix(),
            size=path.stat().st_size,
            digest=_digest(path),
            writers=tuple(writers[path.resolve()]),
        )
        for host, model in models.items()
        for path in files(model)
    )


def files(folder: Path) -> list[Path]:
    """Every file below a folder, in order; no byte code."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def elsewhere(hosts: Iterable[Host], before: set[Path]) -> tuple[str, ...]:
    """Files that are new since `before` and that nobody collects, as `host: path`."""
    return tuple(
        f"{host.name}: /{path.relative_to(host.root).as_posix()}"
        for host in hosts
        for path in files(host.root)
        if path not in before
        and not any(path.is_relative_to(folder) for folder in (host.model, host.output, host.checkpoints))
    )


def as_on_host(text: str, code: Path, root: Path) -> str:
    """Paths as the container's log has them: `train.py` for what lies in `code`, /opt/ml/... for the rest."""
    return text.replace(f"{code}/", "").replace(str(root), "")


def relocated(failure: Failure | None, code: Path, root: Path) -> Failure | None:
    """A failure with such paths."""
    return failure and replace(
        failure,
        message=as_on_host(failure.message, code, root),
        traceback=as_on_host(failure.traceback, code, root),
    )


def _digest(path: Path) -> str:
    found = hashlib.blake2b(digest_size=8)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            found.update(chunk)
    return found.hexdigest()


def notes(hosts: Iterable[Host], processes: Iterable[Process]) -> tuple[str, ...]:
    """What the run changed or chose, each thing once."""
    laid_out = [note for host in hosts for note in host.notes]
    met = [note for process in processes for note in process.evidence.notes]
    return tuple(dict.fromkeys(laid_out + met))
