from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sagemaker.contract.shell import ShellError, split

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "aé7= \t\n'\"\\$`;&|<>(){}*?[]#~\u3000"
ENVIRON = {"HOME": "/home/me", "EMPTY": "", "WORDS": " a  b "}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("  a  b\tc ", ["a", "b", "c"]),
        ("'a b' \"c d\" e\\ f", ["a b", "c d", "e f"]),
        ("x'y'\"z\"", ["xyz"]),
        ("'' \"\"", ["", ""]),
        ("[1, 2, 'three']", ["[1,", "2,", "three]"]),
        ('{"k": 1}', ["{k:", "1}"]),
        ("$HOME ${HOME}s '$HOME' \"$HOME\" \\$HOME", ["/home/me", "/home/mes", "$HOME", "/home/me", "$HOME"]),
        ("$EMPTY$UNSET '$'", ["$"]),
        ('"$EMPTY" x$EMPTY', ["", "x"]),
        ('x${WORDS}y "$WORDS"', ["x", "a", "b", "y", " a  b "]),
        ("~ ~/x x~ '~' ~root", ["/home/me", "/home/me/x", "x~", "~", "~root"]),
        ("--color #ff0000 --lr 1", ["--color"]),
        ("a#b '#c'", ["a#b", "#c"]),
        ('"a\\"b\\$c\\d"', ['a"b$c\\d']),
        ("a\\\nb \"c\\\nd\" 'e\nf'", ["ab", "cd", "e\nf"]),
        ("5$ $% a\\", ["5$", "$%", "a\\"]),
        ("{a,b}", ["{a,b}"]),
        ("", []),
    ],
)
def test_words(command: str, words: list[str]) -> None:
    # as /bin/sh (dash) -c "printf '%s\0' ..." gives them
    assert split(command, ENVIRON, None) == words


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("a;b", "second command"),
        ("a\nb", "second command"),
        ("# a\nb", "second command"),
        ("a|b", "second command"),
        ("a<b", "reads from a file"),
        ("'a", "never closed"),
        ('"a', "never closed"),
        ('"$(a)"', "runs a command"),
        ('"`a`"', "runs a command"),
        ("${a:-b}", "the shell's own"),
        ("$?", "the shell's own"),
        ("a\0", "NUL"),
    ],
)
def test_refused(command: str, why: str) -> None:
    with pytest.raises(ShellError, match=why):
        split(command, ENVIRON, None)


def test_patterns_list_the_folder_where_they_match(tmp_path: Path) -> None:
    for name in ("b.py", "a.py", ".hidden", "x*", "xy"):
        (tmp_path / name).touch()
    assert split("* *.py *.txt '*' [1, 2]", {}, tmp_path) == [
        *("a.py", "b.py", "x*", "xy"),
        *("a.py", "b.py"),
        *("*.txt", "*", "[1,", "2]"),
    ]
    assert split("x'*' x\\*", {}, tmp_path) == ["x*", "x*"]
    assert split("$X '$X' \"$X\"", {"X": "*.py"}, tmp_path) == ["a.py", "b.py", "$X", "*.py"]
    assert split(f"{tmp_path}/*.py", {}, tmp_path) == [f"{tmp_path}/a.py", f"{tmp_path}/b.py"]


def test_without_a_folder_patterns_stay() -> None:
    assert split("* ?", {}, None) == ["*", "?"]


@given(st.lists(st.text(TEXT)))
def test_quoted_words_come_back(words: list[str]) -> None:
    assert split(shlex.join(words), {}, None) == words


@given(st.text(TEXT))
def test_one_quoted_word_among_others_is_one_word(text: str) -> None:
    assert split(f"a {shlex.quote(text)} b", {}, None) == ["a", text, "b"]


@given(st.text(TEXT))
def test_a_variables_value_is_split_but_never_read_as_syntax(value: str) -> None:
    assert split("$X", {"X": value}, None) == re.findall(r"[^ \t\n]+", value)
    assert split('"$X"', {"X": value}, None) == [value]
