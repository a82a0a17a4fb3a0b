"""A script as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sagemaker.finding import Span
from pytest_sagemaker.lint.source import MAX_BYTES, MAX_NESTING, Source

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"x = '\xe9'\n", "not in its declared coding"),
        (b"# coding: klingon\n", "not in its declared coding"),
        (b"# coding: raw_unicode_escape\nx = '\\ud800'\n", "not in its declared coding"),
        (b"# coding: undefined\n", "not in its declared coding"),
        ("x = 1\n".encode("utf-16"), "NUL byte"),
        (b"#" * (MAX_BYTES + 1), "over 2,000,000 bytes"),
        (b"(" * (MAX_NESTING + 1), "nested more than 200 deep"),
    ],
)
def test_what_cannot_be_read_says_why(raw: bytes, reason: str) -> None:
    source = Source.decode("train.py", raw)
    assert reason in source.unreadable
    assert source.text == ""


def test_a_path_reads_the_same_on_every_system(tmp_path: Path) -> None:
    path = tmp_path / "train.py"
    path.write_text("x = 1\n")
    assert Source.read(path).path == path.as_posix()
    assert Source.read(path / "x.py").unreadable == "it cannot be read: Not a directory"
    assert Source.read(tmp_path).unreadable == "it is a directory, not a script"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_comment_ends_with_its_line(newline: str) -> None:
    source = Source("train.py", f"x = 1  # noqa: SM205{newline}y = '# noqa: SM205'{newline}# noqa: SM206")
    assert [(ignore.line, *ignore.codes) for ignore in source.ignores] == [(1, "SM205"), (3, "SM206")]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=50).filter(lambda text: "\0" not in text))
def test_positions_and_offsets_agree(text: str) -> None:
    source = Source("train.py", text)
    for offset in range(len(text) + 1):
        line, column = source.position(offset)
        assert source.offset(line, len(text[offset - column + 1 : offset].encode())) == offset
        assert 1 <= line <= source.line_count


def test_span() -> None:
    assert Source("train.py", "é = 1\r\nb\rc\n").span(2, 9) == Span(1, 3, 3, 1)
