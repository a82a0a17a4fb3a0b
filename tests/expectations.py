"""The first line of a fixture: what lint and a run of it must show."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
_LINE = re.compile(r"# expected: lint (?P<lint>none|SM[\dSM ]+); run (?P<run>none|SM[\dSM ]+)")


@dataclass(frozen=True)
class Expectation:
    """The codes that a fixture names in its first line."""

    lint: frozenset[str]
    run: frozenset[str]


def fixtures() -> list[Path]:
    """Every fixture, by name. One that must have no neighbours has a folder of its own."""
    return sorted([*FIXTURES.glob("*.py"), *FIXTURES.glob("*/train.py")])


def name(script: Path) -> str:
    """What a fixture is called: its file's name, or its folder's."""
    return script.parent.name if script.stem == "train" else script.stem


def expectation(script: Path) -> Expectation:
    """Read a fixture's first line.

    Raises:
        ValueError: it does not say what is expected.
    """
    said = _LINE.fullmatch(script.read_text().splitlines()[0])
    if said is None:
        raise ValueError(f"{script.name}: the first line must read '# expected: lint CODES; run CODES'")
    return Expectation(_codes(said["lint"]), _codes(said["run"]))


def _codes(text: str) -> frozenset[str]:
    return frozenset() if text == "none" else frozenset(text.split())
