"""A script as text: decoded once, with positions and the comments that silence findings."""

from __future__ import annotations

import io
import re
import tokenize
from bisect import bisect_right
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from pytest_sagemaker.finding import Span

if TYPE_CHECKING:
    from pathlib import Path

    from ast_grep_py import SgNode

MAX_BYTES = 2_000_000
"""Larger files are not read: no training script is, and 10 MB cost 10 s to parse."""

MAX_NESTING = 200
"""Deeper brackets are not read: parsers recurse. CPython's own limit is the same."""

_IGNORE = r"#\s*sm-lint:\s*ignore\[(?P<codes>[^\]]*)\]|#\s*noqa:\s*(?P<noqa>[A-Z]+\d+(?:[,\s]+[A-Z]+\d+)*)"


class Ignore(NamedTuple):
    """One suppression comment: the codes it names on its line. `ours` if written `sm-lint: ignore[...]`."""

    line: int
    codes: frozenset[str]
    ours: bool
    span: Span


class Source:
    """A decoded script. `text` has no BOM and keeps its line endings; `encoding` writes it back unchanged.

    A file that cannot be read has no text, and `unreadable` says why and what to do. Never changed: see
    `with_text`.
    """

    def __init__(
        self, path: str, text: str, encoding: str = "utf-8", bom: bool = False, unreadable: str = ""
    ) -> None:
        self.path = path
        self.text = text
        self.encoding = encoding
        self.bom = bom
        self.unreadable = unreadable
        self._starts = (0, *(found.end() for found in re.finditer(r"\r\n|\r|\n", text)))

    def with_text(self, text: str) -> Source:
        """This file with another text."""
        return Source(self.path, text, self.encoding, self.bom)

    @classmethod
    def decode(cls, path: str, raw: bytes) -> Source:
        """Decode as Python does: BOM, coding cookie, UTF-8."""
        if len(raw) > MAX_BYTES:
            return cls(
                path, "", unreadable=f"the file has over {MAX_BYTES:,} bytes; no training script is that long"
            )
        if b"\0" in raw:
            return cls(
                path, "", unreadable="it holds a NUL byte: binary, or saved as UTF-16; save it as UTF-8"
            )
        try:
            encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
            text = raw.decode(encoding)
            text.encode()  # refuses lone surrogates, which no parser takes
        except (SyntaxError, UnicodeError, LookupError) as error:
            return cls(path, "", unreadable=f"it is not in its declared coding ({error}); save it as UTF-8")
        if _nesting(text) > MAX_NESTING:
            return cls(path, "", unreadable=f"its brackets are nested more than {MAX_NESTING} deep")
        bom = encoding == "utf-8-sig"
        return cls(path, text, "utf-8" if bom else encoding, bom)

    @classmethod
    def read(cls, path: Path) -> Source:
        """Read a file; whatever is wrong with it becomes `unreadable`."""
        try:
            with path.open("rb") as file:
                return cls.decode(path.as_posix(), file.read(MAX_BYTES + 1))
        except FileNotFoundError:
            reason = "no such file"
        except IsADirectoryError:
            reason = "it is a directory, not a script"
        except OSError as error:
            reason = f"it cannot be read: {error.strerror}"
        return cls(path.as_posix(), "", unreadable=reason)

    def encode(self, text: str) -> bytes:
        """`text` as the bytes of this file: its coding, its BOM."""
        return text.encode("utf-8-sig" if self.bom else self.encoding)

    @property
    def newline(self) -> str:
        """The line ending that the file uses."""
        found = re.search(r"\r\n|\r|\n", self.text)
        return found[0] if found else "\n"

    @property
    def line_count(self) -> int:
        """How many lines the text has; an empty text has one."""
        return len(self._starts)

    def line(self, number: int) -> str:
        """Line `number` (from 1) without its ending; empty past the end."""
        if not 1 <= number <= len(self._starts):
            return ""
        end = self._starts[number] if number < len(self._starts) else len(self.text)
        return self.text[self._starts[number - 1] : end].rstrip("\r\n")

    def offset(self, line: int, utf8_column: int) -> int:
        """Offset in characters of an `ast` position (line from 1, column in UTF-8 bytes from 0)."""
        start = self._starts[line - 1]
        head = self.text[start : start + utf8_column]
        if head.isascii():
            return start + utf8_column
        return start + len(head.encode()[:utf8_column].decode())

    def span(self, start: int, end: int) -> Span:
        """The lines and columns between two offsets."""
        line, column = self.position(start)
        end_line, end_column = self.position(end)
        return Span(line, column, end_line, end_column)

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column, both from 1, of an offset."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    @cached_property
    def root(self) -> SgNode:
        """The concrete syntax tree: commas, comments and all, also where the file does not parse."""
        from ast_grep_py import SgRoot  # here: most clean scripts need it not, and it costs start-up time

        text = re.sub(r"\r(?!\n)", "\n", self.text)  # a lone CR ends no line there; offsets stay
        return SgRoot(text, "python").root()

    @cached_property
    def comments(self) -> tuple[SgNode, ...]:
        """Every comment (never a `#` inside a string), in order."""
        return tuple(self.root.find_all(kind="comment")) if "#" in self.text else ()

    @cached_property
    def ignores(self) -> tuple[Ignore, ...]:
        """The comments that silence a finding. A bare `# noqa`, or another tool's comment, is not one."""
        return tuple(self._ignores())

    def _ignores(self) -> list[Ignore]:
        found: list[Ignore] = []
        if not re.search(r"noqa|sm-lint", self.text, re.I):
            return found
        for comment in self.comments:
            start = comment.range().start.index
            for match in re.finditer(_IGNORE, comment.text(), re.I):
                codes = frozenset(re.findall(r"[A-Z]+\d+", (match["codes"] or match["noqa"] or "").upper()))
                span = self.span(start + match.start(), start + match.end())
                found.append(Ignore(span.line, codes, match["codes"] is not None, span))
        return found


def _nesting(text: str) -> int:
    """The deepest bracket, counted without parsing: strings may only make it larger."""
    depth = deepest = 0
    for bracket in re.finditer(r"[()\[\]{}]", text):
        if bracket[0] in "([{":
            depth += 1
            deepest = max(deepest, depth)
        else:
            depth = max(0, depth - 1)
    return deepest
