"""`[tool.sm-lint]` of the nearest pyproject.toml, checked key by key and code by code."""

from __future__ import annotations

import os
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pytest_sagemaker.lint.run import rules
from pytest_sagemaker.lint.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

KEYS = ("select", "extend-select", "ignore", "per-file-ignores", "exclude")


class UsageError(Exception):
    """What the user asked for cannot be; the message is one line that says what to write instead."""


class Config(NamedTuple):
    """What a pyproject.toml says. Its patterns are relative to `root`, the folder that it lies in."""

    root: Path
    selection: Selection = Selection()
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    exclude: tuple[str, ...] = ()

    def excludes(self, path: Path) -> bool:
        """Whether `path`, or a folder that it lies in, is left out of a folder's scripts."""
        return any(self._fits(path, pattern) for pattern in self.exclude)

    def selection_for(self, path: Path, asked: Selection) -> Selection:
        """What is wanted of one file: `asked` on the command line, over this config."""
        spared = [
            code for pattern, codes in self.per_file_ignores if self._fits(path, pattern) for code in codes
        ]
        return asked.over(self.selection).without(spared)

    def _fits(self, path: Path, pattern: str) -> bool:
        """Whether a pattern names the file or one of its folders: by name, or by the path from `root`."""
        try:
            relative = Path(os.path.realpath(path)).relative_to(self.root)
        except ValueError:
            return False
        places = [place for place in (relative, *relative.parents) if place.name]
        pattern = pattern.removeprefix("./").rstrip("/")
        return any(
            fnmatchcase(text, pattern)
            for place in places
            for text in (place.name, place.as_posix(), f"/{place.as_posix()}")
        )


class Configs:
    """The config of every folder; each file is read once."""

    def __init__(self) -> None:
        """Start with nothing read."""
        self._known: dict[Path, Config] = {}

    def of(self, folder: Path) -> Config:
        """The nearest `[tool.sm-lint]`, from `folder` upwards.

        Raises:
            UsageError: it holds something that is no setting.
        """
        return self._of(Path(os.path.realpath(folder)))

    def _of(self, folder: Path) -> Config:
        if folder not in self._known:
            config = _read(folder / "pyproject.toml")
            if config is None:
                config = Config(folder) if folder == folder.parent else self._of(folder.parent)
            self._known[folder] = config
        return self._known[folder]


def codes(values: Iterable[str], where: str) -> tuple[str, ...]:
    """Codes or prefixes, checked and in capitals.

    Raises:
        UsageError: one of them stands for no rule; the nearest real code is named.
    """
    found = tuple(value.strip().upper() for value in values)
    for code in found:
        if not code or not any(rule.code.startswith(code) for rule in rules()):
            raise UsageError(f"{where}: unknown code {code!r}{_nearest_code(code)}")
    return found


def nearest(word: str, words: Iterable[str]) -> str:
    """`; did you mean ...?` with the nearest word, empty where none is near."""
    from difflib import get_close_matches

    near = get_close_matches(word, list(words), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _nearest_code(code: str) -> str:
    if code.startswith("SM8"):
        return "; a run shows it, not the text: pytest --sagemaker-check"
    by_name = {rule.name: rule.code for rule in rules()}
    if code.lower() in by_name:
        return f"; did you mean {by_name[code.lower()]!r}?"
    return nearest(code, by_name.values())


def _read(path: Path) -> Config | None:
    """The config in one file, None where it holds none."""
    try:
        raw = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f"{path}: it cannot be read: {error.strerror}") from error
    if b"sm-lint" not in raw:  # spares the TOML parser's start-up
        return None
    table = _table(path, raw)
    return None if table is None else _config(path, table)


def _table(path: Path, raw: bytes) -> object:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib  # its twin: pytest brings it
    try:
        tool = tomllib.loads(raw.decode()).get("tool", {})
    except ValueError as error:
        raise UsageError(f"{path}: it is not TOML: {error}") from error
    return tool.get("sm-lint") if isinstance(tool, dict) else None


def _config(path: Path, table: object) -> Config:
    where = f"{path}: [tool.sm-lint]"
    if not isinstance(table, dict):
        raise UsageError(f"{where} must be a table")
    for key in table:
        if key not in KEYS:
            raise UsageError(f"{where}: unknown key {key!r}{nearest(key, KEYS)}")
    spared = table.get("per-file-ignores", {})
    if not isinstance(spared, dict):
        raise UsageError(f"{where}: per-file-ignores must be a table of file patterns")
    return Config(
        root=path.parent,
        selection=Selection(*(codes(_texts(table, key, where), f"{where} {key}") for key in KEYS[:3])),
        per_file_ignores=tuple(
            (pattern, codes(_texts(spared, pattern, where), f"{where} per-file-ignores {pattern!r}"))
            for pattern in spared
        ),
        exclude=_texts(table, "exclude", where),
    )


def _texts(table: Mapping[str, object], key: str, where: str) -> tuple[str, ...]:
    values = table.get(key, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise UsageError(f"{where}: {key} must be a list of strings")
    return tuple(values)
