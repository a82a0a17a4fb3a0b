"""The backend is nccl, whatever the machine has.

On CPU instances, and in a local test, the job ends at `init_process_group`: `ValueError: ProcessGroupNCCL
is only supported with GPUs, no GPUs found!`, or `Distributed package doesn't have NCCL built in`.

Why it fails:
NCCL connects GPUs and nothing else.

Use instead:
`"nccl" if torch.cuda.is_available() else "gloo"`. It chooses the same backend on every GPU instance.

False alarms:
A script that cannot do without a GPU anyway (`set_device` or `.cuda()` outside of any test, a check that
ends it) has no use for gloo and is not reported; nor is a backend that depends on anything.

Source:
https://docs.pytorch.org/docs/stable/distributed.html#which-backend-to-use
https://github.com/meta-llama/llama/issues/436
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from pytest_sagemaker.finding import Fix
from pytest_sagemaker.lint.edits import add_import, replace
from pytest_sagemaker.lint.spelling import is_free, spell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.finding import Edit, Fault
    from pytest_sagemaker.lint.module import Module

SEVERITY = "E"

BAD = {
    "plain": """\
import torch
import torch.distributed as dist

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
dist.init_process_group("nccl", rank=0, world_size=2)  # SM402
""",
    "default-of-an-argument": """\
import argparse
from torch.distributed import init_process_group

parser = argparse.ArgumentParser()
parser.add_argument("--backend", type=str, default="nccl")  # SM402
args = parser.parse_args()
init_process_group(backend=args.backend)
""",
    "default-of-a-helper": """\
import torch

def setup(backend="nccl"):  # SM402
    torch.distributed.init_process_group(backend)

if __name__ == "__main__":
    setup()
""",
    "by-or": """\
import argparse
import torch

parser = argparse.ArgumentParser()
parser.add_argument("--backend")
args = parser.parse_args()
torch.distributed.init_process_group(args.backend or "nccl")  # SM402
""",
}

GOOD = {
    "chosen-by-device": """\
import torch
import torch.distributed as dist

dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
""",
    "chosen-in-a-branch": """\
import torch
import torch.distributed as dist

def setup(use_cuda):
    if use_cuda:
        dist.init_process_group("nccl")
    else:
        dist.init_process_group("gloo")
""",
    "chosen-before": """\
import torch
import torch.distributed as dist

backend = "nccl"
if not torch.cuda.is_available():
    backend = "gloo"
dist.init_process_group(backend)
""",
    "default-that-is-used-on-gpus": """\
import argparse
import torch
import torch.distributed as dist

parser = argparse.ArgumentParser()
parser.add_argument("--backend", default="nccl")
args = parser.parse_args()
if torch.cuda.is_available():
    dist.init_process_group(args.backend)
""",
    "gpu-only-script": """\
import os
import torch
import torch.distributed as dist

torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
dist.init_process_group("nccl")
""",
    "says-so-itself": """\
import torch
import torch.distributed as dist

if not torch.cuda.is_available():
    raise SystemExit("this job needs GPUs")
dist.init_process_group("nccl")
""",
    "both": """\
import torch.distributed as dist

dist.init_process_group("cpu:gloo,cuda:nccl")
""",
    "imported-by-a-script": """\
import torch.distributed as dist

def setup():
    dist.init_process_group("nccl")
""",
    "other-default": """\
import argparse
import torch.distributed as dist

parser = argparse.ArgumentParser()
parser.add_argument("--backend", default="gloo", choices=["gloo", "nccl"])
dist.init_process_group(parser.parse_args().backend)
""",
}

INIT = "torch.distributed.init_process_group"
_DEVICE = re.compile(r"cuda|gpu|device|accel|nccl|gloo|backend", re.I)
_GPU = re.compile(r"cuda|gpu|accelerator", re.I)
_NUMBER = re.compile(r"rank|gpu", re.I)
_PLAIN_PARENTS = (ast.Call, ast.keyword, ast.Assign, ast.AnnAssign, ast.Return, ast.arguments)


def check(module: Module) -> Iterator[Fault]:
    if not (module.is_script or module.training):  # who imports it may need a GPU anyway
        return
    found: dict[ast.Constant, None] = {}
    for init in module.calls(INIT):
        if not _depends(init, module):
            found.update(dict.fromkeys(_literals(init, module)))
    if found and not _needs_gpu(module):
        for literal in found:
            yield module.fault(
                literal,
                "nccl only works between GPUs: on CPU instances, and in a local test, the job ends here",
                help='write "nccl" if torch.cuda.is_available() else "gloo"',
                fix=_fix(literal, module),
                severity="W" if _is_default(literal, module) else None,
            )


def _literals(init: ast.Call, module: Module) -> list[ast.Constant]:
    """The `"nccl"`s that are the backend; none if it can also be another one."""
    given = [*init.args[:1], *(keyword.value for keyword in init.keywords if keyword.arg == "backend")]
    leaves = [leaf for backend in given for leaf in module.made_of(backend)]
    texts = [leaf for leaf in leaves if leaf.kind == "constant" and leaf.text != "None"]
    if any(leaf.kind not in ("argument", "constant") for leaf in leaves):
        return []
    if any(leaf.text.lower() != "nccl" for leaf in texts):
        return []
    return [
        leaf.node for leaf in texts if isinstance(leaf.node, ast.Constant) and not _depends(leaf.node, module)
    ]


def _is_default(literal: ast.Constant, module: Module) -> bool:
    """Whether a hyperparameter can name another backend."""
    arguments = {argument.node for argument in module.arguments}
    return any(outer in arguments for outer in module.tree.ancestors(literal))


def _depends(node: ast.AST, module: Module) -> bool:
    """Whether a test of the device, anywhere around a node, decides about it."""
    return any(
        isinstance(outer, (ast.If, ast.IfExp)) and _is_of_device(outer.test)
        for outer in module.tree.ancestors(node)
    )


def _is_of_device(node: ast.AST, words: re.Pattern[str] = _DEVICE) -> bool:
    return any(
        isinstance(part, (ast.Name, ast.Attribute, ast.Constant)) and words.search(_word(part))
        for part in ast.walk(node)
    )


def _word(node: ast.Name | ast.Attribute | ast.Constant) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else str(node.value)


def _needs_gpu(module: Module) -> bool:
    """Whether the script cannot run without a GPU: it uses one untested, or checks for one and ends."""
    uses = [
        *module.calls("torch.cuda.set_device", "torch.cuda.device"),
        *module.method_calls("cuda"),
        *(call for call in module.method_calls("to") if _is_cuda(call)),
        *(call for call in module.calls("torch.device") if _is_cuda(call)),
        *(keyword for keyword in module.tree.all(ast.keyword) if _is_device_ids(keyword)),
    ]
    return any(not _depends(use, module) for use in uses) or _ends_without(module)


def _is_device_ids(keyword: ast.keyword) -> bool:
    """`DistributedDataParallel(model, device_ids=[...])`: the model is on a GPU."""
    return keyword.arg == "device_ids" and isinstance(keyword.value, ast.List)


def _is_cuda(call: ast.Call) -> bool:
    """`"cuda:0"`, `f"cuda:{rank}"`, or a number for a device, as in `model.to(local_rank)`."""
    for given in call.args[:1]:
        text = given.values[0] if isinstance(given, ast.JoinedStr) and given.values else given
        if isinstance(text, ast.Constant):
            return isinstance(text.value, int) or str(text.value).startswith("cuda")
        return isinstance(given, (ast.Name, ast.Attribute)) and bool(_NUMBER.search(_word(given)))
    return False


def _ends_without(module: Module) -> bool:
    """`if not torch.cuda.is_available(): raise`, or an assert."""
    checks = [node for node in module.tree.all(ast.Assert) if _is_of_device(node.test, _GPU)]
    exits = (
        node
        for node in module.tree.all(ast.If)
        if _is_of_device(node.test, _GPU) and any(_is_end(statement, module) for statement in node.body)
    )
    return bool(checks) or any(exits)


def _is_end(statement: ast.stmt, module: Module) -> bool:
    return isinstance(statement, ast.Raise) or (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Call)
        and module.name(statement.value.func) in ("sys.exit", "exit", "quit")
    )


def _fix(literal: ast.Constant, module: Module) -> Fix | None:
    edits: list[Edit] = []
    test = spell(module, "torch.cuda.is_available", literal)
    if test is None:
        if not is_free(module, "torch", literal):
            return None
        test = "torch.cuda.is_available"
        edits += add_import(module, "import torch")
    written = module.text(literal)
    text = f"{written} if {test}() else {written[-1]}gloo{written[-1]}"
    if not isinstance(module.tree.parents[literal], _PLAIN_PARENTS):
        text = f"({text})"
    return Fix("use gloo where there are no GPUs", (*edits, replace(module, literal, text)))
