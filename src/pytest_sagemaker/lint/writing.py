"""What fixes write: a patch, or the whole file at once."""

from __future__ import annotations

import io
import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_sagemaker.lint.source import Source


def patch(before: Source, after: Source) -> bytes:
    """A unified diff (for `patch -p0`, `git apply -p0`) in the bytes of the file; empty without a change."""
    from difflib import diff_bytes, unified_diff

    name = os.fsencode(before.path)
    old, new = (io.BytesIO(source.encode(source.text)).readlines() for source in (before, after))
    lines = diff_bytes(unified_diff, old, new, name, name)
    return b"".join(
        line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n" for line in lines
    )


def write(path: Path, before: Source, after: Source) -> None:
    """Put a file's new text in place of the old, whole or not at all; its mode stays, a link stays a link.

    Raises:
        OSError: the file cannot be written, or is no longer what was read.
    """
    target = Path(os.path.realpath(path))
    if not os.access(target, os.W_OK):
        raise PermissionError("Permission denied")
    if target.read_bytes() != before.encode(before.text):
        raise OSError("it changed meanwhile")
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(after.encode(after.text))
        Path(name).chmod(stat.S_IMODE(target.stat().st_mode))
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink()
        raise
