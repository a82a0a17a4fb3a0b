"""Which files are linted: those that are named, and a folder's scripts that train or serve."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_sagemaker.lint.config import Configs

SKIPPED = frozenset({"__pycache__", "build", "dist", "node_modules", "site-packages", "venv"})
"""Folders that hold nobody's own scripts; hidden ones and virtual environments aside."""

_FRAMEWORK = rb"\b(?:torch|lightning|pytorch_lightning|transformers|accelerate|deepspeed)\b"
_WORK = (
    rb"\bSM_[A-Z]|/opt/ml\b|\b(?:model|input|predict|output|transform)_fn\b|\bDataLoader\b|\.backward\(|"
    rb"\bTrainer\(|\binit_process_group\b|\btorch\.(?:save|load|optim)\b"
)


def scripts(paths: Iterable[Path], configs: Configs) -> tuple[list[Path], list[Path]]:
    """The files to lint, sorted and each once, and the folders in which there is none.

    A file that is named is taken whatever it holds and wherever it lies.
    """
    found: dict[str, Path] = {}
    barren = []
    for path in paths:
        folder = os.path.isdir(path)  # noqa: PTH112 -- is_dir() raises where a name is too long
        inner = list(_folder(path, configs)) if folder else [path]
        if not inner:
            barren.append(path)
        for script in inner:
            found.setdefault(os.path.realpath(script), script)
    return sorted(found.values()), barren


def looks_like_script(raw: bytes) -> bool:
    """Whether a file's text speaks of PyTorch, and of training, serving or SageMaker."""
    return bool(re.search(_FRAMEWORK, raw) and re.search(_WORK, raw))


def _folder(top: Path, configs: Configs) -> Iterator[Path]:
    unreadable: list[Path] = []
    for folder, inner, names in os.walk(top, onerror=lambda error: unreadable.append(Path(error.filename))):
        home = Path(folder)
        config = configs.of(home)
        inner[:] = [name for name in inner if not _skipped(home / name) and not config.excludes(home / name)]
        for name in names:
            if name.endswith(".py") and not name.startswith("."):
                path = home / name
                if not config.excludes(path) and _is_script(path):
                    yield path
    yield from unreadable  # reading them says why


def _skipped(folder: Path) -> bool:
    hidden = folder.name.startswith(".")
    return hidden or folder.name in SKIPPED or (folder / "pyvenv.cfg").exists()


def _is_script(path: Path) -> bool:
    """Whether to lint a file of a folder; one that cannot be read is for the reader to report."""
    try:
        return path.is_file() and looks_like_script(path.read_bytes())
    except OSError:
        return True
