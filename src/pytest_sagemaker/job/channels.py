"""The data of a channel, laid out on a host: copied where it is small, linked where it is not."""

from __future__ import annotations

import os
import re
from itertools import chain
from typing import TYPE_CHECKING

from pytest_sagemaker.job.sources import copy

if TYPE_CHECKING:
    from pathlib import Path

COPIED_FILES = 5_000
COPIED_BYTES = 64_000_000
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")


class ChannelError(ValueError):
    """A channel that cannot be laid out; the message says what to give."""


def check(channel: str, path: Path) -> None:
    """Refuse a name that SageMaker would refuse, and a path where nothing is.

    Raises:
        ChannelError: one of these.
    """
    if not _NAME.fullmatch(channel):
        raise ChannelError(
            f"channel {channel!r}: SageMaker takes letters, digits, '.', '_' and '-', 64 at most"
        )
    if not path.exists():
        raise ChannelError(
            f"channel {channel!r}: there is no {path}; give a folder or file that exists, as "
            f"--sagemaker-channel {channel}=PATH"
        )


def place(channel: str, source: Path, target: Path) -> list[str]:
    """Lay out one channel and say what the user should know of it.

    Copied, so that a script that writes there (a cache, an unpacked archive) changes neither the user's data
    nor another host's. Large data is linked: a copy for each host would cost more than the run.

    Raises:
        ChannelError: something in it cannot be read.
    """
    notes = []
    files = _if_small(channel, source)
    if source.is_file():
        target.mkdir()
        target /= source.name
    if files is None:
        target.symlink_to(source)
        notes.append(
            f"channel {channel!r} is large, or holds links: the hosts share {source} itself, also for writing"
        )
    else:
        copy(files, source, target)
    if not f"SM_CHANNEL_{channel}".isidentifier():
        notes.append(f"channel {channel!r}: the container's shell drops SM_CHANNEL_{channel.upper()}")
    return notes


def _if_small(channel: str, source: Path) -> list[Path] | None:
    """All that a channel holds, or None where that is too much to copy, or more than plain files."""
    paths, total = [], 0
    for path in chain([source], source.rglob("*")):
        linked = path.is_symlink() and path != source
        if linked or not (path.is_dir() or path.is_file()):
            return None
        if not os.access(path, os.R_OK | os.X_OK if path.is_dir() else os.R_OK):
            raise ChannelError(f"channel {channel!r}: {path} cannot be read; check its permissions")
        paths.append(path)
        total += path.stat().st_size
        if len(paths) > COPIED_FILES or total > COPIED_BYTES:
            return None
    return paths
