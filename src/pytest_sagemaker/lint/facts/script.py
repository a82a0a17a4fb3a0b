"""Whether a file is a script that a job starts, or a library that other files use."""

from __future__ import annotations

import ast
import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_sagemaker.lint.facts.siblings import entries, text_of

if TYPE_CHECKING:
    from pytest_sagemaker.lint.facts.tree import FunctionNode
    from pytest_sagemaker.lint.module import Module

MAX_FILES = 30
"""How many files beside a script are read for a launch."""


class Script:
    """Evidence for either, found on demand."""

    def __init__(self, module: Module) -> None:
        """Look into `module`, and beside it."""
        self._module = module
        self._path = Path(module.source.path)

    @cached_property
    def looks_like_one(self) -> bool:
        """Whether this file trains and has a sign of a script.

        Signs are a guard, arguments, training at module level, or one function that does everything.
        """
        module = self._module
        if not module.training:
            return False
        return (
            module.guard is not None
            or bool(module.arguments)
            or any(module.at_import(call) for call in module.training.calls)
            or any(self._does_it_all(function) for function in module.training.functions)
        )

    @cached_property
    def is_imported(self) -> bool:
        """Whether a script or notebook beside it imports this file, or pytest does. Reads the files there."""
        stem = self._path.stem
        if stem.startswith("test_") or stem.endswith("_test") or stem == "conftest":
            return True
        imports = re.compile(rf"\b(?:from|import)\s+(?:[\w.]+\.)?{re.escape(stem)}\b")
        notebooks = (text for file, text in self._neighbours.items() if file.suffix == ".ipynb")
        return any(imports.search(text) for text in notebooks) or bool(self._module.siblings.importers)

    def is_launched_with(self, text: str) -> bool:
        """Whether a script or notebook that names this file has a text in it. Reads the files there."""
        return any(self._path.name in found and text in found for found in self._neighbours.values())

    @cached_property
    def is_started_by_shell(self) -> bool:
        """Whether a shell script beside it names this file: then that is what the job starts."""
        return any(
            file.suffix == ".sh" and self._path.name in text for file, text in self._neighbours.items()
        )

    @cached_property
    def _neighbours(self) -> dict[Path, str]:
        """The scripts, notebooks and shell scripts of this folder and the one above."""
        if not self._path.is_file():
            return {}
        own = self._path.resolve()
        around = [file for folder in (own.parent, own.parent.parent) for file in entries(folder)]
        found = [file for file in around if file.suffix in (".py", ".ipynb", ".sh") and file != own]
        return {file: text_of(file) for file in found[:MAX_FILES]}

    def _does_it_all(self, function: FunctionNode) -> bool:
        """Whether one function loads data, makes an optimizer, and saves."""
        module = self._module
        calls = module.tree.all(ast.Call)
        groups = (
            [loader.call for loader in module.loaders],
            [save.node for save in module.saving],
            [call for call in calls if module.name(call.func).startswith("torch.optim.")],
        )
        return all(any(module.tree.function(call) is function for call in group) for group in groups)
