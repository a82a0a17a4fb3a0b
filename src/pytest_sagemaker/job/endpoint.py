"""Lays out an endpoint for what a job saved: the code as it was given, the model dirs of all hosts as one."""

from __future__ import annotations

import ast
import shutil
from typing import TYPE_CHECKING

from pytest_sagemaker.job.assemble import files
from pytest_sagemaker.job.child import Place
from pytest_sagemaker.job.serve import ServeTask

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from pytest_sagemaker.job.container import Host
    from pytest_sagemaker.job.evidence import Module

TIMEOUT = 60.0  # seconds: SAGEMAKER_MODEL_SERVER_TIMEOUT's default
_BESIDE = ("inference.py", "code/inference.py")
_ARGV = ("/usr/local/bin/model_service_worker.py", "--sock-type", "unix", "--sock-name", "/tmp/.ts.sock.9000")
_ENVIRON = {
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONIOENCODING": "UTF-8",
    "PYTHONUNBUFFERED": "1",
    "SAGEMAKER_CONTAINER_LOG_LEVEL": "20",
    "SAGEMAKER_REGION": "us-east-1",
    "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
}


def lay_out(
    hosts: Sequence[Host], given: Iterable[Path], script: str, trained: Mapping[int, Module], folder: Path
) -> ServeTask:
    """Make the endpoint's tree below `folder`. `given` are the files that the hosts were started with.

    `trained` are rank 0's modules by number: that rank has put an input of each into `folder`.
    """
    root = folder / "endpoint"
    model, cwd = root / "opt" / "ml" / "model", root / "home" / "model-server"
    code = model / "code"
    code.mkdir(parents=True)
    cwd.mkdir(parents=True)
    for host in hosts:  # SageMaker makes one archive of all; of two files of one name the later one stays
        _copy(files(host.model), host.model, model)
    _copy((path for path in given if path.is_relative_to(hosts[0].code)), hosts[0].code, code)
    module = code / handlers_of(code, script)
    return ServeTask(
        place=Place(
            environ=_ENVIRON | {"SAGEMAKER_PROGRAM": module.name, "PYTHONPATH": str(module.parent)},
            argv=_ARGV,
            cwd=cwd,
            code=module.parent,
            temporary=folder / "tmp",
            stack=folder / "endpoint.stack",
        ),
        module=module,
        root=root,
        model=model if any(files(host.model) for host in hosts) else None,
        inputs=tuple(
            (path, module.last)
            for number, module in trained.items()
            if (path := folder / f"input-{number}.pt").exists()
        ),
        evidence=folder / "endpoint.jsonl",
    )


def handlers_of(code: Path, script: str) -> str:
    """The file that an endpoint imports: the script if it has a model_fn, else a serving module beside it."""
    if not _defines_model_fn(code / script):
        for name in _BESIDE:
            if (code / name).is_file():
                return name
    return script


def _defines_model_fn(path: Path) -> bool:
    for node in ast.parse(path.read_bytes()).body:
        names = [node.name] if isinstance(node, ast.FunctionDef) else []
        if isinstance(node, ast.ImportFrom):
            names = [alias.asname or alias.name for alias in node.names]
        if "model_fn" in names:
            return True
    return False


def _copy(files: Iterable[Path], source: Path, target: Path) -> None:
    for path in files:
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
