"""The other scripts of the source folder: what SageMaker uploads together with this one."""

from __future__ import annotations

import ast
import os
import re
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sagemaker.lint.module import Module

MAX_FILES = 50
"""A folder with more scripts is not a source folder: only the first ones are read."""

MAX_ENTRIES = 1_000
MAX_CHARACTERS = 200_000

_NOT_SOURCES = {"node_modules", "site-packages", "venv", "env", "build", "dist", "__pycache__"}


class Siblings:
    """The scripts beside a file, in the folders below it, and, in a package, in the folder above.

    Nothing is read before a rule asks, and a file is parsed only where its text makes an answer possible.
    Standard input, and a text that is no file, has no siblings.
    """

    def __init__(self, path: str, parse: Callable[[Path], Module]) -> None:
        """`parse` makes a module of a file."""
        self._path = Path(path)
        self._parse = parse
        self._modules: dict[Path, Module] = {}

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """The other scripts, nearest first; at most MAX_FILES."""
        if not self._path.is_file():
            return ()
        own = self._path.resolve()
        home = own.parent
        folders = [home, *(entry for entry in entries(home) if _is_source_folder(entry))]
        if (home / "__init__.py").is_file():
            folders.append(home.parent)
        scripts = (entry for folder in folders for entry in entries(folder) if entry.suffix == ".py")
        return tuple(islice((script for script in scripts if script != own), MAX_FILES))

    def module(self, file: Path) -> Module:
        """A sibling, parsed once."""
        if file not in self._modules:
            self._modules[file] = self._parse(file)
        return self._modules[file]

    def mentioning(self, pattern: str) -> tuple[Path, ...]:
        """The siblings whose text matches a regular expression (`^` and `$` match at lines)."""
        return tuple(file for file, text in self._texts.items() if re.search(pattern, text, re.M))

    @cached_property
    def serving(self) -> tuple[Module, ...]:
        """The siblings with a top-level `model_fn`; `inference.py` first."""
        files = self.mentioning(r"^(async )?def model_fn\b")
        return tuple(
            self.module(file) for file in sorted(files, key=lambda file: file.name != "inference.py")
        )

    @cached_property
    def importers(self) -> tuple[Path, ...]:
        """The siblings that import this file."""
        stem = re.escape(self._path.stem)
        return tuple(
            file
            for file in self.mentioning(rf"\b{stem}\b")
            if self._imports(self.module(file), self._path.stem)
        )

    @cached_property
    def _texts(self) -> dict[Path, str]:
        return {file: text_of(file) for file in self.files}

    @staticmethod
    def _imports(module: Module, stem: str) -> bool:
        plain = [alias.name for node in module.tree.all(ast.Import) for alias in node.names]
        origins = module.tree.all(ast.ImportFrom)
        named = [node.module or "" for node in origins]
        taken = [alias.name for node in origins for alias in node.names]
        return stem in taken or any(name.rpartition(".")[2] == stem for name in plain + named)


def text_of(file: Path) -> str:
    """How a file's text begins; empty where it cannot be read."""
    try:
        with file.open(encoding="utf-8", errors="replace") as opened:
            return opened.read(MAX_CHARACTERS)
    except OSError:
        return ""


def entries(folder: Path) -> list[Path]:
    """What is in a folder, by name. Of a folder of data only a part is looked at."""
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in islice(entries, MAX_ENTRIES))
    except OSError:
        return []


def _is_source_folder(folder: Path) -> bool:
    name = folder.name
    return not name.startswith((".", "_")) and name not in _NOT_SOURCES and folder.is_dir()
