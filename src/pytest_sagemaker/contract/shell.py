"""How a POSIX shell splits a command into words, without running anything.

The toolkit joins a script's arguments by blanks and hands the line to /bin/sh, so quotes, `$NAME`, `~`, `*`
and `#` act. What would run a second command, or end in a syntax error, is refused here: a user's text is
never executed. The model is dash; bash as /bin/sh would also expand `{a,b}`.
"""

from __future__ import annotations

import glob
import re
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from os import PathLike

_VARIABLE = r"\$ (?: (?P<name> [A-Za-z_]\w* ) | \{ (?P<braced> [A-Za-z_]\w* ) \} )"
_OF_THE_SHELL = r"\$ [({@*#?$!\d-] | [`\0]"
_TOKEN = re.compile(
    rf"""
      (?P<blank> [ \t]+ )
    | ' (?P<single> [^']* ) '
    | " (?P<double> (?: \\. | [^"\\] )* ) "
    | \\ (?P<escaped> . )
    | {_VARIABLE}
    | (?P<refused> {_OF_THE_SHELL} | [;&|<>()\n'"] )
    | (?P<comment> \# )
    | (?P<home> ~ (?= [ \t/] | \Z ) )
    | (?P<plain> . )
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_IN_DOUBLE_QUOTES = re.compile(
    rf"""
      \\ (?P<escaped> [$`"\\\n] )
    | {_VARIABLE}
    | (?P<refused> {_OF_THE_SHELL} )
    """,
    re.VERBOSE | re.ASCII,
)
_WHY = {
    "'": "the quote ' is never closed, a syntax error",
    '"': 'the quote " is never closed, a syntax error',
    "(": "( is a syntax error",
    ")": ") is a syntax error",
    "<": "< reads from a file",
    ">": "> writes to a file",
    ";": "; starts a second command",
    "&": "& starts a second command",
    "|": "| starts a second command",
    "\n": "a line break starts a second command",
    "`": "` runs a command",
    "$(": "$( runs a command",
    "\0": "a NUL character ends the text",
}


class ShellError(ValueError):
    """A line that a shell would refuse, or read as more than one command; the message says why."""


def split(command: str, environ: Mapping[str, str], cwd: str | PathLike[str] | None) -> list[str]:
    """The words of a command after expansion. Patterns list `cwd`; with None they stay as they are.

    Raises:
        ShellError: a syntax error, a redirection, a second command, or a value that only a shell knows.
    """
    words: list[str] = []
    for is_word, pieces in groupby(_pieces(command, environ), key=lambda piece: piece is not None):
        if is_word:
            words += _listed([piece for piece in pieces if piece is not None], cwd)
    return words


def _pieces(command: str, environ: Mapping[str, str]) -> Iterator[tuple[str, bool] | None]:
    """The text of each word piece by piece, with whether it was quoted; None between words."""
    starts_word = True
    for token in _TOKEN.finditer(command):
        kind = token.lastgroup or ""
        text = token[kind]
        if token[0] == "\\\n":  # joins two lines
            continue
        if kind == "blank":
            yield None
        elif kind == "refused":
            raise _error(text)
        elif kind in ("name", "braced"):
            for part in re.split(r"([ \t\n]+)", environ.get(text, "")):
                if part:
                    yield (part, False) if part.strip(" \t\n") else None
        elif kind == "double":
            yield _IN_DOUBLE_QUOTES.sub(lambda inner: _inside_quotes(inner, environ), text), True
        elif kind == "comment" and starts_word:
            if "\n" in command[token.end() :]:
                raise _error("\n")
            return
        elif kind == "home" and starts_word:
            yield environ.get("HOME", text), True
        else:
            yield text, kind in ("single", "escaped")
        starts_word = kind == "blank"


def _inside_quotes(token: re.Match[str], environ: Mapping[str, str]) -> str:
    kind = token.lastgroup or ""
    if kind == "refused":
        raise _error(token[kind])
    return token[kind].strip("\n") if kind == "escaped" else environ.get(token[kind], "")


def _listed(pieces: list[tuple[str, bool]], cwd: str | PathLike[str] | None) -> list[str]:
    """The files that a word's unquoted pattern matches, sorted, or the word."""
    word = "".join(text for text, _ in pieces)
    if cwd is None:
        return [word]
    pattern = "".join(glob.escape(text) if quoted else text for text, quoted in pieces)
    return sorted(glob.glob(pattern, root_dir=cwd)) or [word]  # noqa: PTH207 -- Path.glob refuses /a/*, strips ./


def _error(text: str) -> ShellError:
    return ShellError(_WHY.get(text, f"{text} stands for a value of the shell's own"))
