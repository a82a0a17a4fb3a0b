"""The run flow: script -> JobSpec -> hosts x ranks -> JobRecord."""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_sagemaker.job import assemble, container, endpoint, failures
from pytest_sagemaker.job.child import Place
from pytest_sagemaker.job.engine import Engine, EngineError, Launch
from pytest_sagemaker.job.evidence import gather
from pytest_sagemaker.job.launch import OUR_FAULT
from pytest_sagemaker.job.observe.recorder import descendants, replay
from pytest_sagemaker.job.rank import RankTask
from pytest_sagemaker.job.record import JobRecord
from pytest_sagemaker.job.served import read_served

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_sagemaker.job.container import Host, RankPlan
    from pytest_sagemaker.job.evidence import Evidence
    from pytest_sagemaker.job.launch import Ended
    from pytest_sagemaker.job.record import Served
    from pytest_sagemaker.job.spec import JobSpec


class Session:
    """Runs jobs one after another on one engine: only the first waits for torch to be imported.

    The engine starts at once, and ends with `close` (or the `with` block), whatever happens.
    """

    def __init__(self) -> None:
        self._engine = Engine()

    def run(self, spec: JobSpec) -> JobRecord:
        """Run one job and say what was observed. What the script does wrong is in the record.

        Raises:
            EngineError: torch is missing, or the engine died; the next job gets a new one.
            ChannelError, HyperparameterError, FileNotFoundError: as `container.build`.
        """
        if not self._engine.alive:
            self._engine = Engine()
        return run(spec, self._engine)

    def close(self) -> None:
        """End the engine and all that it started."""
        self._engine.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def run(spec: JobSpec, engine: Engine) -> JobRecord:
    """One job on its own trees, which are gone afterwards unless `spec.keep` says where they stay."""
    started = time.monotonic()
    with _workplace() as folder:
        hosts = container.build(spec, spec.keep or folder / "hosts")
        plans = container.ranks(spec, hosts)
        before = {path for host in hosts for path in assemble.files(host.root)}

        tasks = tuple(_task(plan, plans, spec, folder) for plan in plans)
        ended = engine.ask(Launch(tasks, spec.timeout, folder))
        _own_up(ended)
        processes = [
            process
            for plan, task, end in zip(plans, tasks, ended, strict=True)
            for process in _observed(plan, task, end)
        ]
        served = None
        if all(end.exit_code == 0 for end in ended):
            served = _serve(spec, hosts, before, [process.evidence for process in processes], engine, folder)

        return JobRecord(
            script=str(spec.script),
            hosts=spec.host_names,
            processes=spec.processes,
            launcher=spec.launcher,
            timeout=spec.timeout,
            seconds=time.monotonic() - started,
            hung=any(end.exit_code is None for end in ended),
            ranks=assemble.ranks(processes),
            saved=assemble.saved(processes),
            served=served,
            elsewhere=assemble.elsewhere(hosts, before),
            channels=tuple(spec.channels),
            notes=assemble.notes(hosts, processes),
        )


def _serve(
    spec: JobSpec,
    hosts: Sequence[Host],
    given: set[Path],
    evidence: Sequence[Evidence],
    engine: Engine,
    folder: Path,
) -> Served:
    """Load in a fresh process what the job saved."""
    task = endpoint.lay_out(hosts, given, spec.script.name, evidence[0].modules, folder)
    timeout = min(endpoint.TIMEOUT, spec.timeout)
    (end,) = engine.ask(Launch((task,), timeout, folder))
    _own_up([end])
    trained = [module for seen in evidence for module in seen.modules.values()]
    return read_served(replay(task.evidence), end, timeout, task, trained)


def _own_up(ended: Iterable[Ended]) -> None:
    """A child that our own code brought down says nothing about the script."""
    for end in ended:
        if end.exit_code == OUR_FAULT and failures.PACKAGE in end.output:
            raise EngineError(f"a fault of pytest-sagemaker itself, please report it:\n{end.output}")


@contextmanager
def _workplace() -> Iterator[Path]:
    """A folder for one job. Resolved: macOS's temporary folder is behind a link."""
    folder = Path(tempfile.mkdtemp(prefix="sagemaker-")).resolve()
    try:
        (folder / "tmp").mkdir()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # a script may have taken its permissions away


def _task(plan: RankPlan, plans: Sequence[RankPlan], spec: JobSpec, folder: Path) -> RankTask:
    return RankTask(
        place=Place(
            environ=plan.environ,
            argv=plan.argv,
            cwd=plan.cwd,
            code=plan.host.code,
            temporary=folder / "tmp",
            stack=folder / f"rank-{plan.rank}.stack",
        ),
        script=plan.host.code / plan.argv[0],
        rank=plan.rank,
        ranks=len(plans),
        host=plan.host.name,
        hosts=spec.host_names,
        tree=plan.host.root,
        folder=folder,
    )


def _observed(plan: RankPlan, task: RankTask, end: Ended) -> list[assemble.Process]:
    """What a launched process left behind, and those that it spawned."""
    stack = task.place.stack
    text = stack.read_text(encoding="utf-8", errors="replace") if stack.exists() else ""
    process = assemble.Process(plan, end, gather(replay(task.evidence)), text)
    return assemble.family(process, [gather(replay(path)) for path in descendants(task.evidence)])
