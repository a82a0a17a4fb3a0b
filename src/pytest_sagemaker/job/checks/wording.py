"""How checks name ranks and samples in what they say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_sagemaker.job.record import Rank

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LONG = 200


def named(rank: Rank) -> str:
    """`rank 1 (algo-2)`."""
    return f"rank {rank.rank} ({rank.host})"


def joined(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def few(names: Iterable[str], limit: int = 5) -> str:
    """The first names, and how many more there are."""
    names = list(names)
    more = [f"{len(names) - limit} more"] if len(names) > limit else []
    return joined([*names[:limit], *more])


def counted(number: int, noun: str) -> str:
    """`1 step`, `2 steps`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def tail(text: str, lines: int) -> list[str]:
    """The last lines of a text, without colours and blank lines."""
    return [line.rstrip() for line in _COLOUR.sub("", text).splitlines() if line.strip()][-lines:]


def head(text: str) -> str:
    """The first line of a text, without colours, cut where it is very long."""
    line = _COLOUR.sub("", text).strip().partition("\n")[0].rstrip()
    return line if len(line) <= _LONG else f"{line[:_LONG]}..."


def ordered(samples: Iterable[str]) -> list[str]:
    """Sample names in order, indexes as numbers: `#9` before `#10`."""
    return sorted(samples, key=lambda name: (len(name), name))
