"""The process group is never destroyed.

At the end of the job a rank leaves while others still use its connections: with NCCL, exit can hang or
abort, and torch warns that `destroy_process_group() was not called before program exit, which can leak
resources`.

Why it fails:
Threads and connections of the group run until the process dies. Ranks end at different times, so the first
to die tears them down under the others.

Use instead:
`torch.distributed.destroy_process_group()` as the last line of what every rank runs.

False alarms:
A file that only makes the group for others to use, or cleans up through a function of another file, is not
reported.

Source:
https://docs.pytorch.org/docs/stable/distributed.html#shutdown
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from pytest_sagemaker.finding import Fix
from pytest_sagemaker.lint.edits import insert_after, insert_before
from pytest_sagemaker.lint.spelling import spell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.finding import Fault
    from pytest_sagemaker.lint.module import Module

SEVERITY = "W"

BAD = {
    "plain": """\
import torch.distributed as dist

def train(args):
    dist.init_process_group("gloo")  # SM411
    loss.backward()

if __name__ == "__main__":
    train(None)
""",
    "made-by-a-helper": """\
import torch

def setup(args):
    if args.distributed:
        torch.distributed.init_process_group("gloo")  # SM411

def main():
    args = parse()
    setup(args)
    loss.backward()
    if args.rank == 0:
        torch.save(model.state_dict(), "model.pth")
    return args

if __name__ == "__main__":
    main()
    print("done")
""",
    "returns-before": """\
import torch.distributed as dist

def setup(args):
    if args.hosts == 1:
        return
    dist.init_process_group("gloo")  # SM411

def main(args):
    setup(args)
    loss.backward()

if __name__ == "__main__":
    main(parse())
""",
    "spawned": """\
import torch.distributed as dist
import torch.multiprocessing as mp

def worker(rank):
    dist.init_process_group("gloo", rank=rank)  # SM411
    loss.backward()

if __name__ == "__main__":
    mp.spawn(worker, nprocs=2)
""",
    "exits-at-the-end": """\
import sys
from torch.distributed import init_process_group

def main():
    init_process_group("gloo")  # SM411
    return 0

if __name__ == "__main__":
    sys.exit(main())
""",
}

GOOD = {
    "destroyed": """\
import torch.distributed as dist

def main():
    dist.init_process_group("gloo")
    try:
        loss.backward()
    finally:
        dist.destroy_process_group()

if __name__ == "__main__":
    main()
""",
    "no-entry-point": """\
import torch.distributed as dist

def setup(rank):
    dist.init_process_group("gloo", rank=rank)
""",
    "cleaned-up-elsewhere": """\
import torch.distributed as dist
from helpers import cleanup

def main():
    dist.init_process_group("gloo")
    cleanup()

if __name__ == "__main__":
    main()
""",
    "registered": """\
import atexit
import torch.distributed as dist

dist.init_process_group("gloo")
atexit.register(dist.destroy_process_group)
""",
}

INIT = "torch.distributed.init_process_group"
_CLEANS = re.compile(r"destroy|clean_?up|tear_?down|shutdown|finali[sz]e", re.I)
_LEAVES = (ast.Return, ast.Raise, ast.Continue, ast.Break)


def check(module: Module) -> Iterator[Fault]:
    inits = sorted(module.calls(INIT), key=lambda call: call.lineno)
    if inits and _is_run(inits[0], module) and not module.training.frameworks and not _cleans_up(module):
        yield module.fault(
            inits[0],
            "the process group is never destroyed: with NCCL a rank can hang or abort as the job ends",
            help="call torch.distributed.destroy_process_group() as the last thing that every rank does",
            fix=_fix(inits, module),
        )


def _is_run(init: ast.Call, module: Module) -> bool:
    """Whether this file is started, rather than imported by what uses the group."""
    return module.guard is not None or module.at_import(init)


def _cleans_up(module: Module) -> bool:
    return any(_CLEANS.search(name) for name in module.tree.imports.values()) or any(
        _CLEANS.search(node.attr) for node in module.tree.all(ast.Attribute)
    )


def _fix(inits: list[ast.Call], module: Module) -> Fix | None:
    """The call at the end of the outermost function that leads to the only init, or of the guard."""
    place = _last_statement(inits[0], module) if len(inits) == 1 else None
    if place is None:
        return None
    statement, certain = place
    destroy = spell(module, "torch.distributed.destroy_process_group", statement)
    initialized = spell(module, "torch.distributed.is_initialized", statement)
    if destroy is None or initialized is None:
        return None
    lines = [f"{destroy}()"] if certain else [f"if {initialized}():", f"    {destroy}()"]
    insert = insert_before if isinstance(statement, ast.Return) else insert_after
    return Fix("destroy the process group at the end", (insert(module, statement, *lines),))


def _last_statement(init: ast.Call, module: Module) -> tuple[ast.stmt, bool] | None:
    """The last statement of what every rank runs, and whether the group is always made before it."""
    node: ast.AST = init
    certain = True
    while True:
        function = module.tree.function(node)
        certain = certain and not module.distributed.conditional(node) and not _returns_before(node, module)
        if function is None:
            body = _top_level(node, module)
            break
        calls = module.flow.calls_to(function)
        if module.distributed.starts_processes(function):
            body = function.body
            break
        if len(calls) != 1 or module.flow.escapes(function):
            return None
        node = calls[0]
    last = body[-1]
    if isinstance(last, ast.Return):
        return (last, certain) if _is_plain(last.value) and len(body) > 1 else None
    if isinstance(last, _LEAVES) or _exits(last, module) or ";" in module.source.line(last.end_lineno or 0):
        return None
    return last, certain


def _top_level(node: ast.AST, module: Module) -> list[ast.stmt]:
    """The guard's body where it holds the node, else the module's."""
    guard = module.guard
    return guard.body if guard is not None and module.tree.inside(node, guard) else module.tree.root.body


def _returns_before(node: ast.AST, module: Module) -> bool:
    """Whether a function may return before it comes to a node: `if not distributed: return`."""
    function = module.tree.function(node)
    line = module.tree.statement(node).lineno
    returns = (found for found in module.tree.all(ast.Return) if found.lineno < line)
    return any(module.tree.function(found) is function for found in returns)


def _is_plain(value: ast.expr | None) -> bool:
    return value is None or isinstance(value, (ast.Constant, ast.Name))


def _exits(statement: ast.stmt, module: Module) -> bool:
    return isinstance(statement, ast.Expr) and any(
        isinstance(node, ast.Call) and module.name(node.func) in ("sys.exit", "exit", "quit", "os._exit")
        for node in ast.walk(statement)
    )
