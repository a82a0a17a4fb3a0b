"""A patch, or the whole file at once."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sagemaker.lint.source import Source
from pytest_sagemaker.lint.writing import patch, write

LINES = st.lists(st.sampled_from(["a = 1", "b = 'é'", "", "c = '日'"]), max_size=12)
ENDS = st.sampled_from(["\n", "\r\n"])


def pair(old: str, new: str, path: str = "train.py") -> tuple[Source, Source]:
    return Source(path, old), Source(path, new)


def test_write_keeps_mode_coding_bom_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "train.py"
    path.write_bytes(b"\xef\xbb\xbfa = 1\r\n")
    path.chmod(0o754)
    before = Source.read(path)
    write(path, before, Source(before.path, "a = 2\r\n", bom=True))
    assert path.read_bytes() == b"\xef\xbb\xbfa = 2\r\n"
    assert path.stat().st_mode & 0o777 == 0o754
    assert list(tmp_path.iterdir()) == [path]


def test_write_through_a_link_keeps_the_link(tmp_path: Path) -> None:
    (tmp_path / "real.py").write_text("a = 1\n")
    link = tmp_path / "train.py"
    link.symlink_to("real.py")
    write(link, *pair("a = 1\n", "a = 2\n"))
    assert link.is_symlink()
    assert (tmp_path / "real.py").read_text() == "a = 2\n"


def test_a_file_that_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "train.py"
    path.write_text("a = 3\n")
    with pytest.raises(OSError, match="changed meanwhile"):
        write(path, *pair("a = 1\n", "a = 2\n"))
    assert path.read_text() == "a = 3\n"


def test_a_write_that_fails_leaves_the_file_and_nothing_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "train.py"
    path.write_text("a = 1\n")

    def full(_self: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write(path, *pair("a = 1\n", "a = 2\n"))
    assert path.read_text() == "a = 1\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_without_write_permission_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "train.py"
    path.write_text("a = 1\n")
    monkeypatch.setattr(os, "access", lambda _path, mode: mode != os.W_OK)
    with pytest.raises(PermissionError):
        write(path, *pair("a = 1\n", "a = 2\n"))
    assert path.read_text() == "a = 1\n"


def test_patch_of_no_change_is_empty() -> None:
    assert patch(*pair("a = 1\n", "a = 1\n")) == b""


def test_patch_names_the_file_and_tells_of_a_missing_newline() -> None:
    assert patch(*pair("a = 1", "a = 2")).decode().splitlines() == [
        "--- train.py",
        "+++ train.py",
        "@@ -1 +1 @@",
        "-a = 1",
        "\\ No newline at end of file",
        "+a = 2",
        "\\ No newline at end of file",
    ]


@pytest.mark.skipif(not shutil.which("git"), reason="git applies the patch")
@pytest.mark.parametrize(
    "raw", [b"a = 1\r\nb = 2\r\n", b"\xef\xbb\xbfa = 1\nb = 2", b"# coding: latin-1\na = '\xe9' # 1\n"]
)
def test_git_applies_the_patch(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "train.py").write_bytes(raw)
    before = Source.decode("train.py", raw)
    after = Source("train.py", before.text.replace("1", "3"), before.encoding, before.bom)
    applied = subprocess.run(
        ["git", "apply", "-p0", "-"],
        cwd=tmp_path,
        input=patch(before, after),
        capture_output=True,
        check=False,
    )
    assert applied.returncode == 0, applied.stderr
    assert (tmp_path / "train.py").read_bytes() == after.encode(after.text)


@given(LINES, LINES, ENDS, st.sampled_from(["", "d = 4"]))
def test_patch_holds_both_texts(old: list[str], new: list[str], end: str, last: str) -> None:
    """A diff with its removed (or added) lines left out is the part of the text that it speaks of."""
    before, after = (end.join([*lines, last]) for lines in (old, new))
    shown = patch(*pair(before, after)).decode().split("\n")[2:]
    for sign, text in (("-", before), ("+", after)):
        for line in shown:
            if line.startswith(sign):
                assert line[1:] in text
