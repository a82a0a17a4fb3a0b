"""The hosts of a job: for each a tree as under /opt/ml, an environment, and what starts its ranks."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING

from pytest_sagemaker.contract import TrainingJob, argv, encode, environment, torchrun_environment
from pytest_sagemaker.job import channels, sources

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_sagemaker.job.spec import JobSpec


@dataclass(frozen=True)
class Host:
    """One host, laid out. `root` stands for its `/`; `environ` and `argv` are what its script sees.

    `index` counts hosts in the container's order, by name. `notes` tell the user what the layout changed.
    """

    name: str
    index: int
    root: Path
    code: Path
    model: Path
    output: Path
    checkpoints: Path
    environ: Mapping[str, str]
    argv: tuple[str, ...]
    cwd: Path
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RankPlan:
    """One process to start: the script as `__main__`, with its host's environment and what tells it apart."""

    rank: int
    local_rank: int
    host: Host
    environ: Mapping[str, str]
    argv: tuple[str, ...]
    cwd: Path


def build(spec: JobSpec, base: Path, gpus: int = 0) -> tuple[Host, ...]:
    """Make each host's tree, `<base>/<host>/opt/ml`; an earlier job's tree of that name there is replaced.

    `gpus` is what each host says it has.

    Raises:
        ChannelError: a channel's name or path is no good.
        HyperparameterError: a hyperparameter cannot be sent, or SageMaker's shell would choke on it.
        FileNotFoundError: there is no such script.
    """
    script = spec.script.absolute()
    for name, path in spec.channels.items():
        channels.check(name, path)
    job = TrainingJob(
        script=script.name,
        hosts=spec.host_names,
        hyperparameters=spec.hyperparameters,
        channels=tuple(spec.channels),
        launcher=spec.launcher,
        cpus=os.cpu_count() or 1,
        gpus=gpus,
        torch_version=_torch_version(),
    )
    argv(job.script, job.hyperparameters)  # refuses before anything is copied
    selected = sources.select(script, skip=base)
    return tuple(_host(spec, job, selected, base.absolute(), index) for index in range(spec.hosts))


def ranks(spec: JobSpec, hosts: Sequence[Host]) -> tuple[RankPlan, ...]:
    """The processes to start, in order of rank: one a host, or under torchrun `spec.processes` a host."""
    if spec.launcher == "script":
        return tuple(RankPlan(host.index, 0, host, host.environ, host.argv, host.cwd) for host in hosts)
    names = [host.name for host in hosts]
    return tuple(
        RankPlan(
            rank=host.index * spec.processes + local_rank,
            local_rank=local_rank,
            host=host,
            environ={**host.environ, **torchrun_environment(names, spec.processes, host.index, local_rank)},
            argv=host.argv,
            cwd=host.cwd,
        )
        for host in hosts
        for local_rank in range(spec.processes)
    )


def _host(spec: JobSpec, job: TrainingJob, selected: sources.Sources, base: Path, index: int) -> Host:
    name = job.hosts[index]
    root = base / name
    ml = root / "opt" / "ml"
    config = ml / "input" / "config"
    if config.is_dir():
        shutil.rmtree(root)
    for folder in (config, ml / "input" / "data", ml / "model", ml / "output" / "data", ml / "checkpoints"):
        folder.mkdir(parents=True)
    (config / "hyperparameters.json").write_text(json.dumps(encode(job.sent)))
    (config / "inputdataconfig.json").write_text(json.dumps(job.input_data_config))
    (config / "resourceconfig.json").write_text(json.dumps(job.resource_config(name)))

    code = ml / "code"
    sources.copy(selected.files, selected.folder, code)
    notes = list(selected.notes)
    for channel, path in spec.channels.items():
        notes += channels.place(channel, path.absolute(), ml / "input" / "data" / channel)

    environ = environment(job, name, str(ml)) | {"PYTHONPATH": str(code)}
    shell = {"HOME": os.environ.get("HOME", "/root"), "PWD": str(code), **environ}
    return Host(
        name=name,
        index=index,
        root=root,
        code=code,
        model=ml / "model",
        output=ml / "output",
        checkpoints=ml / "checkpoints",
        environ=environ,
        argv=tuple(argv(job.script, job.hyperparameters, shell, code)),
        cwd=code,
        notes=tuple(notes),
    )


def _torch_version() -> str:
    try:
        return metadata.version("torch")  # as torch.__version__, without importing it
    except metadata.PackageNotFoundError:
        return ""
