"""A script as one rank of several: process groups, wrapped models, averaged gradients, rank tests."""

from __future__ import annotations

import ast
import re
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from pytest_sagemaker.lint.facts.mentions import mentions

if TYPE_CHECKING:
    from pytest_sagemaker.lint.facts.flow import Flow
    from pytest_sagemaker.lint.facts.tree import FunctionNode, Tree

MAKES_GROUP = (
    "torch.distributed.init_process_group",
    "torch.distributed.init_device_mesh",
    "torch.distributed.device_mesh.init_device_mesh",
    "deepspeed.init_distributed",
)
"""Calls that make a process group."""

WRAPPERS = {
    "DistributedDataParallel", "DDP", "FullyShardedDataParallel", "FSDP", "fully_shard", "replicate",
    "ShardedDataParallel", "DistributedModel", "DistributedOptimizer", "PostLocalSGDOptimizer",
    "average_parameters",
}  # fmt: skip
"""What keeps the ranks' parameters equal, by its last name, whichever package it is from."""

MODEL_PARALLEL = (
    "torch.distributed.tensor",
    "torch.distributed._tensor",
    "torch.distributed.pipelining",
    "torch.distributed.pipeline",
    "torch.distributed.rpc",
)
"""Ranks that share one model: they need the same samples, and wrap nothing."""

_REDUCES = ("all_reduce", "allreduce", "all_reduce_coalesced", "reduce", "reduce_scatter", "all_gather")
_PARAMETERS = re.compile(r"grad|param", re.I)
_RANK = re.compile(
    r"rank|current_host|is_main|main_proc|master_proc|is_master|is_chief|is_primary|is_leader|is_coordinator"
    r"|process_index|^(master|chief|primary|leader|main|first)$",
    re.I,
)
_PROCESS_STARTERS = {"spawn", "start_processes", "Process", "launch"}
_ENDS = (ast.Return, ast.Raise, ast.Continue, ast.Break)


class Distributed:
    """The answers about ranks, found on demand."""

    def __init__(self, tree: Tree, flow: Flow) -> None:
        """Look into `tree` on demand."""
        self._tree = tree
        self._flow = flow
        self._of_rank: dict[ast.AST, bool] = {}

    @cached_property
    def inits(self) -> tuple[ast.Call, ...]:
        """The calls that make a process group, in document order."""
        return tuple(sorted(self._tree.calls(*MAKES_GROUP), key=lambda call: (call.lineno, call.col_offset)))

    @cached_property
    def wraps(self) -> bool:
        """Whether a model is wrapped anywhere, DDP or FSDP, also where only one branch does."""
        imported = {name for name, full in self._tree.imports.items() if full.rpartition(".")[2] in WRAPPERS}
        return any(self._tree.references(name) for name in imported) or any(
            node.attr in WRAPPERS for node in self._tree.all(ast.Attribute)
        )

    @cached_property
    def averages(self) -> bool:
        """Whether gradients or parameters go through a collective by hand."""
        calls = [
            *self._tree.method_calls(*_REDUCES),
            *self._tree.calls(*(f"torch.distributed.{name}" for name in _REDUCES)),
        ]
        return any(self._is_of_parameters(call) for call in calls)

    @cached_property
    def model_parallel(self) -> bool:
        """Whether ranks share one model, in place of each having its own copy."""
        return any(full.startswith(MODEL_PARALLEL) for full in self._tree.imports.values())

    @cached_property
    def many_ranks(self) -> bool:
        """Whether this file is plainly meant to run as several ranks."""
        return bool(self.inits) or self.wraps

    def is_of_rank(self, node: ast.AST) -> bool:
        """Whether an expression depends on which rank or host runs it."""
        if node not in self._of_rank:
            self._of_rank[node] = mentions(self._flow, node, _RANK)
        return self._of_rank[node]

    def names_rank(self, node: ast.AST) -> bool:
        """Whether the rank or host is among the words of an expression itself."""
        return mentions(self._flow, node, _RANK, depth=0)

    def one_rank(self, node: ast.AST) -> bool:
        """Whether a node may run on some ranks only. False where all ranks are seen to come to it.

        A function that nobody here calls, or that is handed on, may be called under a rank test: true.
        """
        return self._one_rank(node, frozenset())

    def conditional(self, node: ast.AST) -> bool:
        """Whether a node stands below an `if`, loop or `try` of its function."""
        home = self._tree.function(node)
        return any(
            isinstance(outer, (ast.If, ast.IfExp, ast.For, ast.While, ast.Try, ast.ExceptHandler))
            and self._tree.function(outer) is home
            and not _tests_main(outer)
            for outer in self._tree.ancestors(node)
        )

    def starts_processes(self, function: FunctionNode) -> bool:
        """Whether a function is what spawned processes run: `mp.spawn(main, ...)`, `Process(target=main)`."""
        return any(
            isinstance(call, ast.Call) and self._is_starter(call) and name in _started(call)
            for name in self._tree.references(function.name)
            for call in self._tree.ancestors(name)[:2]
        )

    @cached_property
    def spawns(self) -> bool:
        """Whether functions of this file run in processes that it starts, which do not run its guard."""
        return any(self.starts_processes(function) for function in self._tree.function_nodes)

    def _one_rank(self, node: ast.AST, seen: frozenset[ast.AST]) -> bool:
        if self._tested(node):
            return True
        function = self._tree.function(node)
        if function is None:
            return False
        if function in seen or any(self.is_of_rank(decorator) for decorator in function.decorator_list):
            return True
        seen |= {function}
        if self._flow.escapes(function):
            return not self.starts_processes(function)
        calls = self._flow.calls_to(function)
        return not calls or all(self._one_rank(call, seen) for call in calls)

    def _tested(self, node: ast.AST) -> bool:
        """Whether a rank test of the same function decides about a node."""
        home = self._tree.function(node)
        for child, outer in pairwise([node, *self._tree.ancestors(node)]):
            if self._tree.function(child) is not home:
                return False
            if any(self.is_of_rank(test) for test in _tests(child, outer)):
                return True
            if any(self._leaves(earlier) for earlier in _before(child, outer)):
                return True
        return False

    def _leaves(self, statement: ast.stmt) -> bool:
        """Whether a statement ends the block for some ranks: `if rank != 0: return`."""
        return (
            isinstance(statement, ast.If)
            and any(isinstance(inner, _ENDS) or self._exits(inner) for inner in statement.body[-1:])
            and self.is_of_rank(statement.test)
        )

    def _exits(self, statement: ast.stmt) -> bool:
        return (
            isinstance(statement, ast.Expr)
            and isinstance(statement.value, ast.Call)
            and self._tree.name(statement.value.func) in ("sys.exit", "exit", "quit", "os._exit")
        )

    def _is_of_parameters(self, call: ast.Call) -> bool:
        """Whether what a collective reduces has to do with gradients or parameters, or its loop has."""
        values = [*call.args, *(keyword.value for keyword in call.keywords)]
        loops = (outer for outer in self._tree.ancestors(call) if isinstance(outer, ast.For))
        return any(
            mentions(self._flow, part, _PARAMETERS, depth=2)
            for part in [*values, *(loop.iter for loop in loops)]
        )

    def _is_starter(self, call: ast.Call) -> bool:
        name = call.func.attr if isinstance(call.func, ast.Attribute) else self._tree.name(call.func)
        return name.rpartition(".")[2] in _PROCESS_STARTERS


def _tests_main(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and any(
        isinstance(part, ast.Name) and part.id == "__name__" for part in ast.walk(node.test)
    )


def _started(call: ast.Call) -> list[ast.expr]:
    """The argument of a starter that is the function to run."""
    return [*call.args[:1], *(keyword.value for keyword in call.keywords if keyword.arg in ("target", "fn"))]


def _tests(child: ast.AST, outer: ast.AST) -> list[ast.expr]:
    """What decides, in a node, about one of its children."""
    if isinstance(outer, (ast.If, ast.IfExp, ast.While)) and child is not outer.test:
        return [outer.test]
    if isinstance(outer, ast.BoolOp) and isinstance(child, ast.expr):
        return outer.values[: outer.values.index(child)]
    return []


def _before(child: ast.AST, outer: ast.AST) -> list[ast.stmt]:
    """The statements above one in its block."""
    for field in ("body", "orelse", "finalbody"):
        block = getattr(outer, field, None)
        if isinstance(block, list) and child in block:
            return block[: block.index(child)]
    return []
