"""A script, parsed once, with the answers that rules ask for. Rules ask the module, not the parser."""

from __future__ import annotations

import ast
import warnings
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_sagemaker.finding import Fault, Span
from pytest_sagemaker.lint.facts.arguments import Argument, Namespaces, arguments
from pytest_sagemaker.lint.facts.contents import Contents
from pytest_sagemaker.lint.facts.distributed import Distributed
from pytest_sagemaker.lint.facts.environment import EnvRead, env_reads, env_writes
from pytest_sagemaker.lint.facts.flow import Flow
from pytest_sagemaker.lint.facts.leaves import Leaf, Leaves
from pytest_sagemaker.lint.facts.loaders import Loader, loaders
from pytest_sagemaker.lint.facts.loading import Load, loading
from pytest_sagemaker.lint.facts.logs import Logs
from pytest_sagemaker.lint.facts.model_dir import ModelDir
from pytest_sagemaker.lint.facts.models import Models
from pytest_sagemaker.lint.facts.packages import strangers
from pytest_sagemaker.lint.facts.paths import Paths
from pytest_sagemaker.lint.facts.saving import Save, Saving
from pytest_sagemaker.lint.facts.script import Script
from pytest_sagemaker.lint.facts.serving import Serving, serving
from pytest_sagemaker.lint.facts.siblings import Siblings
from pytest_sagemaker.lint.facts.started import started
from pytest_sagemaker.lint.facts.training import Training, training
from pytest_sagemaker.lint.facts.tree import FunctionNode, Tree
from pytest_sagemaker.lint.facts.work import ImportWork
from pytest_sagemaker.lint.source import Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyflakes.messages import Message

    from pytest_sagemaker.finding import Fix, Severity

HANDLERS = ("model_fn", "input_fn", "predict_fn", "output_fn", "transform_fn")
"""What an endpoint looks up at the top level of its module (sagemaker-inference transformer.py)."""


class Module:
    """One parsed script. Every fact is found on first use and kept."""

    def __init__(self, source: Source) -> None:
        """Parse `source`. What does not parse is an empty module with `syntax_error` or `unreadable` set."""
        self.source = source
        self.syntax_error: SyntaxError | None = None
        self.unreadable = source.unreadable
        parsed = ast.Module(body=[], type_ignores=[])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the script's own, such as an invalid escape
                parsed = ast.parse(source.text)
        except SyntaxError as error:
            self.syntax_error = error
        except (RecursionError, MemoryError, ValueError) as error:
            self.unreadable = f"it is too deeply nested to parse ({type(error).__name__})"
        self.tree = Tree(parsed)
        self.flow = Flow(self.tree)

    # -- names and calls ------------------------------------------------------------------------------

    def name(self, node: ast.AST) -> str:
        """The full name of a dotted expression after imports, empty where it is not one."""
        return self.tree.name(node)

    def calls(self, *names: str) -> list[ast.Call]:
        """Calls by full name, whatever the import: `calls("torch.save")`."""
        return self.tree.calls(*names)

    def method_calls(self, *names: str) -> list[ast.Call]:
        """Calls of an attribute by its last name, on any object."""
        return self.tree.method_calls(*names)

    # -- the container's inputs -----------------------------------------------------------------------

    @cached_property
    def arguments(self) -> tuple[Argument, ...]:
        """Hyperparameters declared with argparse."""
        return arguments(self.tree)

    @cached_property
    def namespaces(self) -> Namespaces:
        """Which `args.x` reads which argument."""
        return Namespaces(self.tree, self.flow, self.arguments)

    @cached_property
    def env_reads(self) -> tuple[EnvRead, ...]:
        """Reads of environment variables."""
        return env_reads(self.tree, self.flow)

    @cached_property
    def _reads_by_node(self) -> dict[ast.AST, EnvRead]:
        return {read.node: read for read in self.env_reads}

    @cached_property
    def env_writes(self) -> frozenset[str]:
        """The variables that the script sets itself."""
        return env_writes(self.tree, self.flow)

    def env_read(self, node: ast.AST) -> EnvRead | None:
        """The read of a variable that a node is."""
        return self._reads_by_node.get(node)

    @cached_property
    def leaves(self) -> Leaves:
        """Takes values apart: see `made_of`."""
        return Leaves(self.tree, self.flow, self.namespaces, self._reads_by_node)

    def made_of(self, node: ast.expr) -> tuple[Leaf, ...]:
        """The constants, variables, arguments and calls that a string or path is made of."""
        return self.leaves.of(node)

    # -- what the script does -------------------------------------------------------------------------

    @cached_property
    def training(self) -> Training:
        """What trains; false where nothing does."""
        return training(self.tree, self.flow)

    @cached_property
    def models(self) -> Models:
        """What an expression that stands for a model is: bare, wrapped, TorchScript."""
        return Models(self.tree, self.flow)

    @cached_property
    def paths(self) -> Paths:
        """How a path is spelled: its file name, what it begins with."""
        return Paths(self.tree, self.flow, self.leaves)

    @cached_property
    def saving(self) -> tuple[Save, ...]:
        """Every call that saves a model or a checkpoint."""
        contents = Contents(self.tree, self.flow, self.models)
        return Saving(self.tree, self.models, contents, self.paths).saves()

    @cached_property
    def model_dir(self) -> ModelDir:
        """Where SM_MODEL_DIR is taken, and what may write into it."""
        return ModelDir(self)

    @cached_property
    def loading(self) -> tuple[Load, ...]:
        """Every call that reads a file of tensors."""
        return loading(self.tree, self.flow, self.paths)

    @cached_property
    def serving(self) -> Serving:
        """How `model_fn` loads the model."""
        return serving(self.tree, self.flow, self.loading)

    @cached_property
    def siblings(self) -> Siblings:
        """The other scripts of the source folder; none for standard input."""
        return Siblings(self.source.path, lambda file: Module(Source.read(file)))

    @cached_property
    def loaders(self) -> tuple[Loader, ...]:
        """DataLoaders: how each is sampled, and whether its batches train."""
        return loaders(self.tree, self.flow, self.training)

    @cached_property
    def distributed(self) -> Distributed:
        """Process groups, wrapped models, and what runs on one rank only."""
        return Distributed(self.tree, self.flow)

    @cached_property
    def logs(self) -> Logs:
        """Prints, records, and what lets them through."""
        return Logs(self.tree, self.flow, self.strangers)

    @cached_property
    def strangers(self) -> frozenset[str]:
        """Imports whose effect on logging, models or process groups is not known."""
        return strangers(self.tree)

    @cached_property
    def handlers(self) -> dict[str, FunctionNode]:
        """The serving handlers at the top level."""
        return {name: self.tree.functions[name] for name in HANDLERS if name in self.tree.functions}

    @cached_property
    def guard(self) -> ast.If | None:
        """`if __name__ == "__main__":` at module level."""
        return next(
            (node for node in self.tree.root.body if isinstance(node, ast.If) and is_guard(node.test)), None
        )

    def at_import(self, node: ast.AST) -> bool:
        """Whether a node runs when the module is imported: at module or class level, outside of a guard.

        Any test of `__name__` counts as one, misspelled ones too.
        """
        if self.tree.function(node) is not None or isinstance(self.tree.scope(node), ast.Lambda):
            return False
        child = node
        for outer in self.tree.ancestors(node):
            if isinstance(outer, ast.If) and child in outer.body and _tests_name(outer.test):
                return False
            child = outer
        return True

    @cached_property
    def script(self) -> Script:
        """Whether this file is what a job starts, or a library."""
        return Script(self)

    @cached_property
    def started(self) -> frozenset[FunctionNode]:
        """The functions that may run when the script is started."""
        return started(self.tree)

    @cached_property
    def import_work(self) -> ImportWork:
        """The work that is done when the module is only imported."""
        return ImportWork(self)

    @cached_property
    def is_script(self) -> bool:
        """Whether the file is started, not only imported: it has a guard, or trains at module level."""
        started = [*self.training.calls, *self.distributed.inits]
        return self.guard is not None or any(self.at_import(call) for call in started)

    @cached_property
    def pyflakes(self) -> Sequence[Message]:
        """pyflakes' messages, on the same tree."""
        from pyflakes.checker import Checker

        if not self.tree.root.body:
            return []
        return sorted(
            Checker(self.tree.root, filename=self.source.path).messages, key=lambda m: (m.lineno, m.col)
        )

    # -- where things stand ---------------------------------------------------------------------------

    def offsets(self, node: ast.AST) -> tuple[int, int]:
        """First and past-the-last character of a node."""
        assert isinstance(node, (ast.stmt, ast.expr, ast.arg, ast.keyword, ast.alias, ast.excepthandler))
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        source = self.source
        return source.offset(node.lineno, node.col_offset), source.offset(
            node.end_lineno, node.end_col_offset
        )

    def text(self, node: ast.AST) -> str:
        """The source of a node as it is written."""
        start, end = self.offsets(node)
        return self.source.text[start:end]

    def span(self, node: ast.AST) -> Span:
        """Lines and columns of a node; of a function or class only its `def` line."""
        start, end = self.offsets(node)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            end = min(end, start + len(self.source.line(node.lineno)) - node.col_offset)
        return self.source.span(start, end)

    def fault(
        self,
        node: ast.AST,
        message: str,
        help: str = "",  # noqa: A002 -- the word that users see
        fix: Fix | None = None,
        severity: Severity | None = None,
    ) -> Fault:
        """A fault at a node."""
        return Fault(self.span(node), message, help, fix, severity)


def _tests_name(test: ast.expr) -> bool:
    return any(
        (isinstance(node, ast.Name) and node.id == "__name__")
        or (isinstance(node, ast.Constant) and node.value in ("__name__", "__main__"))
        for node in ast.walk(test)
    )


def is_guard(test: ast.expr) -> bool:
    """Whether a condition is `__name__ == "__main__"`, either way round, alone or in an `and`."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return any(is_guard(part) for part in test.values)
    if not (isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq)):
        return False
    sides = [test.left, test.comparators[0]]
    names = [side.id for side in sides if isinstance(side, ast.Name)]
    texts = [side.value for side in sides if isinstance(side, ast.Constant)]
    return names == ["__name__"] and texts == ["__main__"]
