"""The lines around a finding, with its first line underlined."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sagemaker.lint.reporters.lines import visible, width

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.finding import Span
    from pytest_sagemaker.lint.reporters.lines import Line
    from pytest_sagemaker.lint.source import Source

CONTEXT = 2
"""Lines to show before and after."""

WIDEST = 140
"""Characters of a line to show; a longer one is cut, around what is marked."""

_TAB = "    "


def frame(source: Source, span: Span) -> Iterator[Line]:
    """Numbered lines between two bars; nothing for a file without text."""
    if not source.text:
        return
    gutter = gutter_width(source, span)
    bar = ((f"{'':{gutter}} |", "blue"),)
    yield bar
    for number in range(max(1, span.line - CONTEXT), _last(source, span) + 1):
        text = source.line(number)
        cut = _cut(text, span.column - 1 if number == span.line else 0)
        shown = _expand(text[cut:][:WIDEST])
        yield (
            ((f"{number:>{gutter}} | ", "blue"), (shown, ""))
            if shown
            else ((f"{number:>{gutter}} |", "blue"),)
        )
        if number == span.line:
            yield (*bar, *_underline(text, span, cut))
    yield bar


def gutter_width(source: Source, span: Span) -> int:
    """How wide the numbers of a frame are."""
    return len(str(_last(source, span))) if source.text else 0


def _last(source: Source, span: Span) -> int:
    """The last line to show: the empty one after the last newline is none."""
    last = source.line_count - (source.line(source.line_count) == "")
    return max(span.line, min(last, span.line + CONTEXT))


def _underline(text: str, span: Span, cut: int) -> Line:
    start = span.column - 1
    end = span.end_column - 1 if span.end_line == span.line else len(text)
    before = _expand(text[cut:start])
    marked = _expand(text[start : min(end, cut + WIDEST)])
    return ((" " * (1 + width(before)), ""), ("^" * max(1, width(marked)), "red"))


def _cut(text: str, column: int) -> int:
    """How many characters to leave out at the start of a line, so that `column` is seen."""
    return max(0, min(column - WIDEST // 2, len(text) - WIDEST)) if len(text) > WIDEST else 0


def _expand(text: str) -> str:
    return visible(text.replace("\t", _TAB))
