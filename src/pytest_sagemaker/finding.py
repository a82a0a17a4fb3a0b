"""What rules and checks say: a fault where it was seen, a finding once the catalogue has named it."""

from __future__ import annotations

from typing import Literal, NamedTuple

Severity = Literal["E", "W", "I"]


class Span(NamedTuple):
    """A stretch of a file. Lines and columns count from 1, in characters; the end column is exclusive."""

    line: int
    column: int = 1
    end_line: int = 0
    end_column: int = 0


class Edit(NamedTuple):
    """Replace the characters from `start` to `end` (offsets in the text, from 0) by `text`."""

    start: int
    end: int
    text: str


class Fix(NamedTuple):
    """Edits that belong together. `safe` keeps behaviour on every input that worked."""

    title: str
    edits: tuple[Edit, ...]
    safe: bool = True


class Fault(NamedTuple):
    """What a rule or check saw, before the catalogue adds code, name and severity.

    `severity` overrides the catalogue's where one sighting weighs less than the rule. `evidence` are
    further lines to show under the message: other places, ranks, samples.
    """

    span: Span
    message: str
    help: str = ""
    fix: Fix | None = None
    severity: Severity | None = None
    evidence: tuple[str, ...] = ()


class Finding(NamedTuple):
    """A fault of a file, named. Reporters and pytest items only read it."""

    code: str
    name: str
    severity: Severity
    path: str
    span: Span
    message: str
    help: str = ""
    fix: Fix | None = None
    evidence: tuple[str, ...] = ()

    @property
    def sort_key(self) -> tuple[str, int, int, str]:
        """Stable order: by file, place, code."""
        return (self.path, self.span.line, self.span.column, self.code)
