"""The work that a script does when it is only imported: what belongs under the guard."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

from pytest_sagemaker.lint.facts.arguments import PARSES
from pytest_sagemaker.lint.facts.distributed import MAKES_GROUP

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_sagemaker.lint.facts.tree import FunctionNode
    from pytest_sagemaker.lint.module import Module

PARSES_LINE = "the command line is parsed"
MAKES_A_GROUP = "a process group is made"
TRAINS = "training runs"
DOWNLOADS = "a download runs"

_DOWNLOADERS = (
    "urllib.request.urlretrieve", "nltk.download", "gdown.download", "wget.download",
    "kagglehub.dataset_download", "huggingface_hub.snapshot_download", "huggingface_hub.hf_hub_download",
    "datasets.load_dataset", "torch.hub.download_url_to_file",
    "torchvision.datasets.utils.download_and_extract_archive",
)  # fmt: skip
_BUILDS_PARSER = {"add_argument", "add_argument_group", "add_mutually_exclusive_group", "set_defaults"}
_LAUNCHERS = ("fire.Fire", "torch.multiprocessing.spawn", "accelerate.notebook_launcher")


class Work(NamedTuple):
    """A call that runs at import, the top-level statement that it stands in, and what it comes to."""

    call: ast.Call
    statement: ast.stmt
    does: str


class ImportWork:
    """Finds the work of a module."""

    def __init__(self, module: Module) -> None:
        """Look into `module` on demand."""
        self._module = module
        self._tree = module.tree
        top = module.tree.root.body
        self._home = {statement: index for index, statement in enumerate(top)}
        self.pieces = tuple(sorted(self._find(), key=lambda work: (work.call.lineno, work.call.col_offset)))

    @property
    def start(self) -> int | None:
        """Where the work begins among the top-level statements, its parser included; None without work."""
        if not self.pieces:
            return None
        body = self._tree.root.body
        first = self._home[self.pieces[0].statement]
        if self.pieces[0].does == PARSES_LINE:
            for index in range(first - 1, -1, -1):
                if isinstance(body[index], (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)):
                    break
                if self._builds_parser(body[index]):
                    first = index
        return first

    def _find(self) -> Iterator[Work]:
        module = self._module
        seen: set[ast.Call] = set()
        parses = [call for call in module.method_calls(*PARSES) if not call.args and not call.keywords]
        kinds: tuple[tuple[str, Iterable[ast.Call]], ...] = (
            (TRAINS, module.training.calls),
            (MAKES_A_GROUP, module.calls(*MAKES_GROUP)),
            (PARSES_LINE, parses),
            (DOWNLOADS, self._downloads()),
        )
        for does, calls in kinds:
            for call in self._reached_at_import(calls):
                if call not in seen:
                    seen.add(call)
                    yield Work(call, self._top(call), does)

    def _reached_at_import(self, calls: Iterable[ast.Call]) -> Iterator[ast.Call]:
        """The calls that run at import: these, or calls of functions of this file that come to them."""
        todo = list(calls)
        followed: set[FunctionNode] = set()
        while todo:
            call = todo.pop()
            if self._module.at_import(call):
                yield call
                continue
            function = self._tree.function(call)
            if function is not None and function not in followed:
                followed.add(function)
                todo += self._module.flow.calls_to(function)
                todo += [
                    launch
                    for launch in self._module.calls(*_LAUNCHERS)
                    if any(isinstance(arg, ast.Name) and arg.id == function.name for arg in launch.args)
                ]

    def _downloads(self) -> list[ast.Call]:
        datasets = [
            call
            for keyword in self._tree.all(ast.keyword)
            if keyword.arg == "download"
            and isinstance(keyword.value, ast.Constant)
            and keyword.value.value is True
            if isinstance(call := self._tree.parents[keyword], ast.Call)
        ]
        return [*self._module.calls(*_DOWNLOADERS), *datasets]

    def _top(self, call: ast.Call) -> ast.stmt:
        return next(node for node in self._tree.ancestors(call) if node in self._home)

    def _builds_parser(self, statement: ast.stmt) -> bool:
        return any(
            isinstance(node, ast.Call)
            and (
                self._module.name(node.func) == "argparse.ArgumentParser"
                or (isinstance(node.func, ast.Attribute) and node.func.attr in _BUILDS_PARSER)
            )
            for node in ast.walk(statement)
        )
