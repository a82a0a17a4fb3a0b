"""What web pages, notebooks and merges leave behind in a script: the usual reasons why it does not parse."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_NOT_CODE = re.compile(
    r"""\#[^\r\n]*
    | (?P<triple>\"{3}|'{3}) (?:\\.|(?!(?P=triple))[^\\])* (?P=triple)
    | "(?:\\.|[^"\\\r\n])*" | '(?:\\.|[^'\\\r\n])*'""",
    re.X | re.S,
)

_CURLY = "“”„‟‘’‚‛«»"  # noqa: RUF001 -- these are what the rule looks for
_DASHES = "‐‑‒–—―−"  # noqa: RUF001 -- as above
_DUNDERS = (
    "name|main|init|file|doc|all|call|len|str|repr|dict|class|new|del|iter|next|enter|exit|getitem|future"
)
_KNOWN = {"add_argument", "parse_args", "parse_known_args", "zero_grad", "state_dict", "load_state_dict"}

_LINES = (
    (r"[<>|]{7}(?=\s|$)|={7}(?=\s*$)", "`{}` is a merge-conflict marker: choose one side"),
    (r"(?:```|~~~)", "`{}` is a Markdown fence: leave it out"),
    (r"[ \t]*(?:!|%%?)(?=\w)", "`{}` starts a notebook command: a script has none"),
    (r"[ \t]*(?:\$[ ]+\w+|pip3?[ ]+install|python3?[ ]+-m|torchrun[ ]+-)", "`{}` is a shell command"),
    (r">>>(?=\s|$)", "`{}` is the prompt of an interactive session: leave it out"),
    (
        r"[ \t]*(?:If|Elif|Else|For|While|Def|Class|Import|From|Return|Try|With)\b(?=[ :])",
        "`{}` was given a capital letter: keywords are lower case",
    ),
    (r"[ \t]*\*(?=[ ]*,[ ]*\w+[ ]*=)", "`{}` is what Markdown left of `_`"),
)
"""What starts a line, and what to say of it."""

_ANYWHERE = (
    (rf"\*\*(?:{_DUNDERS})\*\*", "`{}` is what Markdown left of two underscores on each side"),
    (r"(?:\\_)+", "`{}` is an underscore escaped for Markdown"),
    (r"&(?:lt|gt|amp|quot|\#39);", "`{}` is a character escaped for HTML"),
)


class Trace(NamedTuple):
    """A place, as offsets in the text, and what is wrong with it."""

    start: int
    end: int
    says: str


def traces(text: str) -> tuple[Trace, ...]:
    """Every trace outside of strings and comments, in order.

    Only a text that does not parse has them for sure: some of these read as Python too (`a*b`).
    """
    code = _NOT_CODE.sub(lambda found: re.sub(r"[^\r\n]", " ", found[0]), text)
    found = [*_characters(code), *_patterns(code), *_stars(code)]
    return tuple(sorted(set(found)))


def is_notebook(text: str) -> bool:
    """Whether a text is the JSON of a notebook."""
    return text.lstrip().startswith("{") and '"cells"' in text and '"nbformat"' in text


def _characters(code: str) -> Iterator[Trace]:
    for found in re.finditer(rf"[{_CURLY}{_DASHES}\u00a0\u2000-\u200f\u2028-\u202f\u3000\ufeff]", code):
        character = found[0]
        number = f"U+{ord(character):04X}"
        if character in _CURLY:
            says = f"{character} ({number}) is a curly quote: write a straight one"
        elif character in _DASHES:
            says = f"{character} ({number}) is a typographic dash: write -"
        else:
            says = (
                f"{number} ({unicodedata.name(character, 'unnamed').lower()}) is a space that Python refuses"
            )
        yield Trace(found.start(), found.end(), says)


def _patterns(code: str) -> Iterator[Trace]:
    for pattern, says in _LINES:
        for found in re.finditer(rf"^(?:{pattern})", code, re.M):
            start = found.end() - len(found[0].lstrip())
            yield Trace(start, found.end(), says.format(found[0].strip()))
    for pattern, says in _ANYWHERE:
        for found in re.finditer(pattern, code):
            yield Trace(found.start(), found.end(), says.format(found[0]))


def _stars(code: str) -> Iterator[Trace]:
    """`add*argument`: the name stands elsewhere with an underscore, or everyone knows it with one."""
    names = _KNOWN | set(re.findall(r"\w+_\w+", code))
    for found in re.finditer(r"\b[A-Za-z]\w*(?:\*\w+)+\b", code):
        name = found[0].replace("*", "_")
        if name in names:
            yield Trace(found.start(), found.end(), f"`{found[0]}` is what Markdown left of `{name}`")
