"""From a script and what the user said to a job: the rest is chosen by what the script declares and reads."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Literal

from pytest_sagemaker import tiny
from pytest_sagemaker.catalogue import Unjudged
from pytest_sagemaker.job.spec import JobSpec
from pytest_sagemaker.lint.module import Module
from pytest_sagemaker.lint.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pytest_sagemaker.job.spec import Launcher
    from pytest_sagemaker.lint.facts.arguments import Argument

# Two epochs, so that reshuffling can be judged; batches that give each rank several steps on 60 samples.
_SMALL = {
    **dict.fromkeys(("epochs", "num_epochs", "n_epochs", "max_epochs", "num_train_epochs"), 2),
    **dict.fromkeys(("batch_size", "train_batch_size", "per_device_train_batch_size"), 8),
}
_RANK = frozenset({"RANK", "LOCAL_RANK", "WORLD_SIZE"})
_HOSTS = frozenset({"SM_HOSTS", "SM_CURRENT_HOST", "SM_RESOURCE_CONFIG", "SM_TRAINING_ENV"})
_SPAWNS = (
    "torch.multiprocessing.spawn",
    "torch.multiprocessing.start_processes",
    "torch.multiprocessing.Process",
    "multiprocessing.Process",
)
_CHANNEL_PATH = re.compile(r"/opt/ml/input/data/([\w.-]+)")


class PlanError(Exception):
    """The job cannot be planned without the user's help; the message says which option to give."""


@dataclass(frozen=True)
class Options:
    """A job as far as the user described it. `timeout` is in seconds."""

    hosts: int = 2
    processes: int = 1
    launcher: Literal["auto", "script", "torchrun"] = "auto"
    hyperparameters: Mapping[str, object] = field(default_factory=dict)
    channels: Mapping[str, Path] = field(default_factory=dict)
    timeout: float = 120.0
    keep: Path | None = None


@dataclass(frozen=True)
class Plan:
    """A job, and in words what was chosen for it: `epochs=2`, `launcher script`."""

    spec: JobSpec
    chosen: tuple[str, ...] = ()


def plan(script: Path, options: Options, data: Path) -> Plan:
    """Complete what the user said. Tiny data is written below the folder `data`.

    Raises:
        Unjudged: the script does not parse, which lint reports.
        PlanError: the script reads channels whose data cannot be recognised.
    """
    module = Module(Source.read(script))
    if module.unreadable:
        raise Unjudged("the script cannot be read: see SM002")
    if module.syntax_error:
        raise Unjudged("the script does not parse: see SM001")
    launcher = options.launcher if options.launcher != "auto" else launcher_of(module, options.processes)
    small = dict(_small_values(module, options.hyperparameters))
    channels, told = (options.channels, []) if options.channels else _tiny_channels(module, script, data)
    spec = JobSpec(
        script=script,
        hosts=options.hosts,
        processes=options.processes,
        launcher=launcher,
        hyperparameters={**small, **options.hyperparameters},
        channels=channels,
        timeout=options.timeout,
        keep=options.keep / script.stem if options.keep else None,
    )
    started = [f"launcher {launcher}"] if options.launcher == "auto" else []
    return Plan(spec, (*started, *(f"{name}={value}" for name, value in small.items()), *told))


def launcher_of(module: Module, processes: int) -> Launcher:
    """What must start the script: torchrun where it relies on torchrun's variables, else the container."""
    if processes > 1 and not module.calls(*_SPAWNS):
        return "torchrun"
    reads = {read.name for read in module.env_reads}
    if _needs_variables(module) or _relies_on_env(module):
        return "torchrun"
    if reads & _HOSTS:
        return "script"
    return "torchrun" if reads & _RANK or module.training.frameworks else "script"


def _needs_variables(module: Module) -> bool:
    """RANK or a relative is subscripted, and the script neither sets it nor asks whether it is there."""
    needed = {read.name for read in module.env_reads if read.how == "subscript"} & _RANK
    return bool(needed - _set_by_itself(module)) and not _asked_for(module) & _RANK


def _relies_on_env(module: Module) -> bool:
    """`init_process_group` without a rank, and none put into the environment."""
    calls = module.calls("torch.distributed.init_process_group")
    bare = [call for call in calls if not {"rank", None} & {word.arg for word in call.keywords}]
    return bool([call for call in bare if len(call.args) < 5]) and "RANK" not in _set_by_itself(module)


def _set_by_itself(module: Module) -> set[str]:
    """Variables that the script assigns: `os.environ["RANK"] = ...`, `os.environ.update(...)`."""
    stores = [node for node in module.tree.all(ast.Subscript) if isinstance(node.ctx, ast.Store)]
    keys = [node.slice for node in stores if module.name(node.value) == "os.environ"]
    calls = module.calls("os.environ.setdefault", "os.environ.update", "os.putenv")
    words = {word.arg for call in calls for word in call.keywords if word.arg}
    return words | {text for node in [*keys, *calls] for text in _texts(node)}


def _asked_for(module: Module) -> set[str]:
    """Variables that may be missing: `if "RANK" in os.environ`, `os.environ.get("RANK")`."""
    asked = [node for node in module.tree.all(ast.Compare) if isinstance(node.ops[0], (ast.In, ast.NotIn))]
    gets = {read.name for read in module.env_reads if read.how == "get"}
    return gets | {text for node in asked for text in _texts(node.left)}


def _texts(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield inner.value


def _small_values(module: Module, said: Mapping[str, object]) -> Iterator[tuple[str, int]]:
    """Epochs and batch sizes that the script declares and the user did not send."""
    for argument in module.arguments:
        names = _sendable(argument)
        small = next((_SMALL[key] for name in names if (key := name.replace("-", "_")) in _SMALL), None)
        if small and not argument.action and not said.keys() & set(names):
            yield names[0], small


def _sendable(argument: Argument) -> list[str]:
    """The names under which a hyperparameter reaches this argument."""
    return [flag.removeprefix("--") for flag in argument.flags if flag.startswith("--")]


def _tiny_channels(module: Module, script: Path, data: Path) -> tuple[dict[str, Path], list[str]]:
    """Tiny data for every channel that the script reads; none where it reads neither channel nor data."""
    names = sorted(set(_channels_read(module)))
    calls = {name for call in module.tree.all(ast.Call) if (name := module.name(call.func))}
    made = tiny.for_reads(calls, set(_literals(module)))
    if made:
        folder = made.write(data)
        names = names or ["training"]
        return dict.fromkeys(names, folder), [f"{_named(names)} = tiny {made.summary}"]
    if names:
        options = " ".join(f"--sagemaker-channel {name}=PATH" for name in names)
        raise PlanError(
            f"{script.name} reads {_named(names)}, and which data it expects there "
            f"cannot be recognised; give some: {options}"
        )
    return {}, []


def _named(channels: list[str]) -> str:
    return f"channel{'s' if len(channels) > 1 else ''} {' and '.join(channels)}"


def _channels_read(module: Module) -> Iterator[str]:
    for read in module.env_reads:
        if read.name.startswith("SM_CHANNEL_"):
            name = read.name.removeprefix("SM_CHANNEL_").lower()
            yield "training" if name == "*" else name
    yield from chain.from_iterable(_CHANNEL_PATH.findall(text) for text in _literals(module))


def _literals(module: Module) -> Iterator[str]:
    """Every string in the script, docstrings aside: they speak of files that nobody opens."""
    for node in module.tree.all(ast.Constant):
        if isinstance(node.value, str) and not isinstance(module.tree.parents[node], ast.Expr):
            yield node.value
