"""Lines to show, with the style of each part: plain in a pipe, coloured in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Part: TypeAlias = "tuple[str, str]"
"""Text and the style that it has in a terminal, as rich names it; empty for none."""

Line: TypeAlias = "tuple[Part, ...]"

SEVERITY_STYLE = {"E": "bold red", "W": "bold yellow", "I": "bold cyan"}


def show(lines: Iterable[Line], stream: TextIO, *, colour: bool) -> None:
    """Write lines; without colour the text of their parts and nothing else."""
    if not colour:
        stream.writelines("".join(text for text, _ in line) + "\n" for line in lines)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(file=stream, force_terminal=True, color_system="standard", no_color=False)
    for line in lines:
        console.print(Text.assemble(*line), soft_wrap=True)


def wants_colour(choice: str, stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether to colour: `always`, `never`, or what the variables say, else whether it is a terminal."""
    if choice != "auto":
        return choice == "always"
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return True
    return environ.get("TERM") != "dumb" and stream.isatty()


def visible(text: str) -> str:
    """Text without what a terminal would obey or not show: control, format and unassigned characters."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def width(text: str) -> int:
    """How many columns a terminal gives to a visible text."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text)
