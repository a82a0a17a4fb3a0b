"""`print` in place of a logger.

What is printed reaches the job's log, but mixed up: every rank prints, and no line says when, how severe,
or from whom it is. A print of several values can fall apart into several log lines, and a metric's regex
misses it.

Why it fails:
The containers set PYTHONUNBUFFERED=1, so print writes each of its arguments by itself. The toolkit reads
what has come so far and logs each piece as a line of its own.

Use instead:
`logger.info("epoch %d loss %.4f", epoch, loss)`: one record, one write, with the level, time and rank that
the handler's format asks for.

False alarms:
A print into a file of its own is not reported, nor is one in a file that neither trains nor serves. Prints
of one value by one rank are a matter of style: the first is reported for all of them, `--extend-select
SM301` lists each, and `ignore = ["SM301"]` turns the rule off.

Source:
https://github.com/aws/sagemaker-training-toolkit/blob/master/src/sagemaker_training/process.py
https://docs.python.org/3/howto/logging.html#when-to-use-logging
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sagemaker.finding import Fix
from pytest_sagemaker.lint.facts.logs import ROOT
from pytest_sagemaker.lint.printing import new_logger, record

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterator

    from pytest_sagemaker.finding import Fault
    from pytest_sagemaker.lint.module import Module

SEVERITY = "W"

BAD = {
    "beside-a-logger": """\
import logging
import sys

logger = logging.getLogger(__name__)
logger.setLevel(logging.INFO)
logger.addHandler(logging.StreamHandler(sys.stdout))

def train():
    loss.backward()
    print("loss:", loss.item())  # SM301
    print(f"100% of {len(data)}", flush=True)  # SM301
    print(  # SM301
        "done"
    )
""",
    "without-a-logger": """\
'''Trains.'''
from __future__ import annotations
import torch

def train(epoch):
    loss.backward()
    print("epoch", epoch, "100%", sep=" ")  # SM301
    print(loss.item(), end="")  # SM301

if __name__ == "__main__":
    train(1)
""",
    "serving": """\
def model_fn(model_dir):
    print("loading", model_dir)  # SM301
    return load(model_dir)
""",
    "kept-as-it-is": """\
import sys

loss.backward()
print(*losses)  # SM301
print("failed", file=sys.stderr)  # SM301
""",
}

GOOD = {
    "logger": """\
import logging

logging.basicConfig(level=logging.INFO)
loss.backward()
logging.info("done")
""",
    "into-a-file": """\
with open("losses.csv", "w") as file:
    loss.backward()
    print(loss.item(), file=file)
""",
    "own-print": """\
from rich import print

loss.backward()
print("done")
""",
    "blank-line": """\
loss.backward()
print()
""",
    "launcher": """\
estimator.fit()
print("job", estimator.name)
""",
}


HELP = "log it: logger.info(...)"
TITLE = "log it instead"


def check(module: Module) -> Iterator[Fault]:
    if not (module.training or module.handlers):
        return
    harmless = []
    for call in module.logs.prints:
        harm = _harm(call, module)
        if harm:
            yield module.fault(call, harm, HELP, _fix(call, module))
        else:
            harmless.append(call)
    yield from _once(harmless, module)


def _harm(call: ast.Call, module: Module) -> str:
    """What goes wrong with what a print writes; empty where it is a matter of style."""
    if len(call.args) > 1:
        return "print writes each value by itself: in the log they can end up as lines of their own"
    ranks = module.distributed
    if ranks.many_ranks and not any(map(ranks.names_rank, call.args)) and not ranks.one_rank(call):
        return "every rank prints this line, and nothing in the log tells which one"
    return ""


def _once(calls: list[ast.Call], module: Module) -> Iterator[Fault]:
    """The first print, for all that are a matter of style, and the others as advice."""
    fixes = {call: fix for call in calls if (fix := _fix(call, module)) is not None}
    safe = {edit: None for fix in fixes.values() if fix.safe for edit in fix.edits}
    for call in calls[:1]:
        lines = "a line" if len(calls) == 1 else f"{len(calls)} lines"
        message = f"print gives the log {lines} without level or time, which no filter can tell from others"
        fix = Fix(TITLE, tuple(safe)) if safe else fixes.get(call)
        yield module.fault(call, message, HELP, fix)
    for call in calls[1:]:
        message = "print gives the log a line without level or time, which no filter can tell from others"
        yield module.fault(call, message, HELP, fixes.get(call), severity="I")


def _fix(call: ast.Call, module: Module) -> Fix | None:
    """`logger.info` with the same text, with a logger that shows INFO, or a new one that does."""
    logs = module.logs
    scripted = bool(module.calls("torch.jit.script"))  # TorchScript compiles print, and no logger
    for name, key in logs.names.items():
        if logs.sees(name, call) and logs.shows_info(key):
            edit = record(module, call, name)
            safe = not scripted and logs.is_ready(key, call) and not module.distributed.spawns
            return Fix(TITLE, (edit,), safe) if edit is not None else None
    edit = record(module, call, "logger")
    new = new_logger(module, call)
    safe = not scripted and (not logs.handled or logs.is_ready(ROOT, call))
    return Fix(TITLE, (*new, edit), safe) if new and edit is not None else None
