"""A script, parsed once, with the answers that rules ask for. Rules ask the module, not the parser."""

from __future__ import annotations

import ast
import warnings
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_sagemaker.finding import Fault, Span
from pytest_sagemaker.lint.arguments import Argument, Namespaces, arguments
from pytest_sagemaker.lint.environment import EnvRead, env_reads
from pytest_sagemaker.lint.flow import Flow
from pytest_sagemaker.lint.leaves import Leaf, Leaves
from pytest_sagemaker.lint.training import Training, training
from pytest_sagemaker.lint.tree import FunctionNode, Tree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyflakes.messages import Message

    from pytest_sagemaker.finding import Fix, Severity
    from pytest_sagemaker.lint.source import Source

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
    def leaves(self) -> Leaves:
        """Takes values apart: see `made_of`."""
        return Leaves(self.tree, self.flow, self.namespaces, {read.node: read for read in self.env_reads})

    def made_of(self, node: ast.expr) -> tuple[Leaf, ...]:
        """The constants, variables, arguments and calls that a string or path is made of."""
        return self.leaves.of(node)

    # -- what the script does -------------------------------------------------------------------------

    @cached_property
    def training(self) -> Training:
        """What trains; false where nothing does."""
        return training(self.tree, self.flow)

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
        """Whether a node runs when the module is imported: at module or class level, outside of the guard."""
        if self.tree.function(node) is not None or isinstance(self.tree.scope(node), ast.Lambda):
            return False
        return self.guard is None or not any(self.tree.inside(node, inner) for inner in self.guard.body)

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


def is_guard(test: ast.expr) -> bool:
    """Whether a condition is `__name__ == "__main__"`, either way round."""
    if not (isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq)):
        return False
    sides = [test.left, test.comparators[0]]
    names = [side.id for side in sides if isinstance(side, ast.Name)]
    texts = [side.value for side in sides if isinstance(side, ast.Constant)]
    return names == ["__name__"] and texts == ["__main__"]
