"""What of a script's folder goes to the hosts, as `source_dir` would: the files beside it, within bounds."""

from __future__ import annotations

import os
import shutil
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

MAX_FILES = 500
MAX_BYTES = 100_000_000
MAX_FILE_BYTES = 50_000_000
_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages"})


@dataclass(frozen=True)
class Sources:
    """Files below `folder`, the script first, nearer ones before deeper ones. `notes` say what is missing."""

    folder: Path
    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()


def select(script: Path, skip: Path) -> Sources:
    """The files to copy for a script, without hidden ones, virtual environments, caches and `skip`.

    Raises:
        FileNotFoundError: there is no such script.
    """
    files, total = [script], script.stat().st_size
    left_out, notes = [], []
    for path in _walk(script.parent, skip):
        if path == script:
            continue
        name = path.relative_to(script.parent)
        if not (path.is_file() and os.access(path, os.R_OK)):
            left_out.append(f"{name} (cannot be read)")
        elif (size := path.stat().st_size) > MAX_FILE_BYTES:
            left_out.append(f"{name} (over {MAX_FILE_BYTES / 1e6:.0f} MB)")
        elif len(files) == MAX_FILES or total + size > MAX_BYTES:
            notes.append(
                f"the hosts got only the {len(files):,} files nearest to {script.name}: "
                "put it into a folder of its own, with what it needs"
            )
            break
        else:
            files.append(path)
            total += size
    if left_out:
        notes.append(f"not copied to the hosts: {', '.join(left_out)}")
    return Sources(script.parent, tuple(files), tuple(notes))


def copy(paths: Iterable[Path], folder: Path, target: Path) -> None:
    """Copy files and folders below `folder` to the same places below `target`."""
    for path in paths:
        destination = target / path.relative_to(folder)
        if path.is_dir():
            destination.mkdir(parents=True, exist_ok=True)
        else:
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, destination)


def _walk(folder: Path, skip: Path) -> Iterator[Path]:
    """The files below a folder, and folders that cannot be listed; nearest first, Python files before others.

    Linked folders are followed, each once: the SDK follows them too when it packs `source_dir`.
    """
    seen = {skip.resolve()}
    pending = deque([folder])
    while pending:
        current = pending.popleft()
        real = current.resolve()
        if real in seen:
            continue
        seen.add(real)
        if not os.access(current, os.R_OK | os.X_OK):
            yield current
            continue
        if (current / "pyvenv.cfg").exists():
            continue
        for path in sorted(current.iterdir(), key=lambda path: (path.suffix != ".py", path.name)):
            if path.name.startswith(".") or path.name in _SKIPPED:
                continue
            if path.is_dir():
                pending.append(path)
            elif path.is_file():
                yield path
