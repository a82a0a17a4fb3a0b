"""Every rank writes the model.

The hosts' model folders become one model.tar.gz, where files of the same name overwrite each other; ranks
of one host write the same file at the same time, and can leave it broken.

Why it fails:
Every rank runs the whole script. What is not under a test of the rank happens once a rank.

Use instead:
`if dist.get_rank() == 0: torch.save(...)`, and a `dist.barrier()` below it, outside of the `if`.

False alarms:
A rank test anywhere on the way to the call, a file name with the rank or host in it, a buffer, and saves
that gather from all ranks are not reported; nor is a function that nobody in the file calls.

Source:
https://docs.pytorch.org/tutorials/intermediate/ddp_tutorial.html#save-and-load-checkpoints
https://github.com/huggingface/pytorch-image-models/pull/693
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from pytest_sagemaker.finding import Fix
from pytest_sagemaker.lint.edits import indent_of, replace
from pytest_sagemaker.lint.facts.mentions import mentions
from pytest_sagemaker.lint.spelling import spell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.finding import Fault
    from pytest_sagemaker.lint.facts.saving import Save
    from pytest_sagemaker.lint.module import Module

SEVERITY = "W"

BAD = {
    "at-the-end": """\
import os
import torch
import torch.distributed as dist

def train(args):
    dist.init_process_group(args.backend)
    loss.backward()
    torch.save(model.state_dict(), os.path.join(args.model_dir, "model.pth"))  # SM409

if __name__ == "__main__":
    train(parse())
""",
    "in-a-helper": """\
import torch

def save_model(model, path):
    torch.save(  # SM409
        model.state_dict(),
        path + "/model.pth",
    )

def main(args):
    if args.distributed:
        torch.distributed.init_process_group("gloo")
    loss.backward()
    if args.epochs > 1:
        save_model(model, args.model_dir)

main(parse())
""",
    "once-guarded-once-not": """\
import torch
import torch.distributed as dist

def save(model):
    torch.save(model.state_dict(), "model.pth")  # SM409

dist.init_process_group("gloo")
for epoch in range(9):
    loss.backward()
    if dist.get_rank() == 0:
        save(model)
save(model)
""",
}

GOOD = {
    "rank-zero": """\
import torch
import torch.distributed as dist

def train(args, rank):
    dist.init_process_group("gloo", rank=rank)
    loss.backward()
    if rank == 0:
        torch.save(model.state_dict(), "model.pth")

train(parse(), 0)
""",
    "others-left-before": """\
import torch
import torch.distributed as dist

def save(model):
    if dist.get_rank() != 0:
        return
    torch.save(model.state_dict(), "model.pth")

dist.init_process_group("gloo")
loss.backward()
save(model)
""",
    "tested-by-the-caller": """\
import torch
import torch.distributed as dist

def save(model):
    torch.save(model.state_dict(), "model.pth")

def main(args):
    dist.init_process_group("gloo")
    master_process = dist.get_rank() == 0
    loss.backward()
    if master_process and args.save:
        save(model)

main(parse())
""",
    "first-host": """\
import torch
import torch.distributed as dist

def main(args):
    dist.init_process_group("gloo")
    loss.backward()
    if args.current_host == args.hosts[0]:
        torch.save(model.state_dict(), "model.pth")

main(parse())
""",
    "a-file-of-its-own": """\
import os
import torch
import torch.distributed as dist

def save(model, args):
    name = f"model_{args.hosts.index(args.current_host)}.pth"
    torch.save(model.state_dict(), os.path.join(args.model_dir, name))

def main(args):
    dist.init_process_group("gloo")
    loss.backward()
    save(model, args)

main(parse())
""",
    "one-process": """\
import torch

loss.backward()
torch.save(model.state_dict(), "model.pth")
""",
    "called-from-elsewhere": """\
import torch
import torch.distributed as dist

class Trainer:
    def __init__(self):
        dist.init_process_group("gloo")

    def step(self):
        loss.backward()

    def save(self):
        torch.save(self.model.state_dict(), "model.pth")
""",
}

_GATHERS = re.compile(r"FSDP|FullyShardedDataParallel|fully_shard|get_model_state_dict|get_state_dict")
_OF_ONE_RANK = re.compile(r"rank|host|node|worker|getpid|uuid|temp|BytesIO|gpu|device", re.I)
_WRITES = ("torch.save", "torch.jit.save", "safetensors.torch.save_file", "safetensors.torch.save_model")


def check(module: Module) -> Iterator[Fault]:
    ranks = module.distributed
    if not ranks.inits or not module.training or module.training.frameworks:
        return
    for save in module.saving:
        if (
            _writes_a_file(save, module)
            and save.path is not None
            and not mentions(module.flow, save.path, _OF_ONE_RANK, depth=5)
            and not ranks.one_rank(save.node)
        ):
            harm = "of the hosts' copies the last one wins in model.tar.gz"
            if not save.in_model_dir:
                harm = "ranks of one host, and hosts that share a folder in S3, overwrite each other's"
            yield module.fault(
                save.node,
                f"every rank writes this file: {harm}",
                help="save on rank 0 only: `if dist.get_rank() == 0:`",
                fix=_fix(save, module),
            )


def _writes_a_file(save: Save, module: Module) -> bool:
    if save.how == "folder":
        return isinstance(save.node.func, ast.Attribute) and save.node.func.attr == "save_pretrained"
    name = module.name(save.node.func)
    return name in _WRITES or (save.how == "script" and not name)


def _fix(save: Save, module: Module) -> Fix | None:
    """The statement under a rank test, where it stands alone on its lines and gathers nothing."""
    statement = module.tree.statement(save.node)
    initialized = spell(module, "torch.distributed.is_initialized", save.node)
    get_rank = spell(module, "torch.distributed.get_rank", save.node)
    if not isinstance(statement, ast.Expr) or statement.value is not save.node:
        return None
    if initialized is None or get_rank is None or _gathers(module) or not _is_alone(statement, module):
        return None
    text = module.text(statement)
    if '"""' in text or "'''" in text:
        return None
    indent, newline = indent_of(module, statement), module.source.newline
    body = f"{newline}    ".join(text.splitlines())
    test = f"if not {initialized}() or {get_rank}() == 0:"
    edit = replace(module, statement, f"{test}{newline}{indent}    {body}")
    return Fix("save on rank 0 only", (edit,), safe=False)


def _is_alone(statement: ast.stmt, module: Module) -> bool:
    """Whether a statement shares its lines with no other."""
    span, source = module.span(statement), module.source
    after = source.line(span.end_line)[span.end_column - 1 :].strip()
    return not source.line(span.line)[: span.column - 1].strip() and (not after or after.startswith("#"))


def _gathers(module: Module) -> bool:
    """Whether a state_dict may be put together from all ranks: such a call belongs to every rank."""
    return any(_GATHERS.search(full) for full in module.tree.imports.values())
