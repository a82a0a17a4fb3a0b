"""A number or JSON list of the container used as the text it is.

`TypeError: '>' not supported between instances of 'str' and 'int'`; `os.environ["SM_HOSTS"][0]` is `[`,
and `len(os.environ["SM_HOSTS"])` is 19 for two hosts.

Why it fails:
A variable is always text. SM_NUM_GPUS is `1`, SM_HOSTS is `["algo-1","algo-2"]`.

Use instead:
`int(os.environ["SM_NUM_GPUS"])`, `json.loads(os.environ["SM_HOSTS"])`. As an argparse default, `type=int`
and `type=json.loads` do it: argparse converts a default that is text.

False alarms:
None known: it is reported only where the value is this text on every way to its use. A comparison with
-1, which asks whether the variable is set, is left alone.

Source:
https://github.com/aws/sagemaker-training-toolkit/blob/master/ENVIRONMENT_VARIABLES.md
https://docs.python.org/3/library/argparse.html#default
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from pytest_sagemaker.finding import Edit, Fix
from pytest_sagemaker.lint.edits import add_import, in_f_string, set_keyword
from pytest_sagemaker.lint.facts.raw import PARSERS, RawUse, kind, raw_read, raw_uses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.finding import Fault
    from pytest_sagemaker.lint.facts.arguments import Argument
    from pytest_sagemaker.lint.facts.environment import EnvRead
    from pytest_sagemaker.lint.module import Module

SEVERITY = "E"

BAD = {
    "first-host": """\
import os

os.environ["MASTER_ADDR"] = os.environ["SM_HOSTS"][0]  # SM208
""",
    "gpus-compared": """\
import os

if os.environ.get("SM_NUM_GPUS", 0) > 0:  # SM208
    print("cuda")
""",
    "rank-zero-that-never-is": """\
from os import environ

if environ["RANK"] == 0:  # SM208
    print("save")
""",
    "through-variables": """\
import os

def world(hosts):
    return len(hosts)

hosts = os.getenv("SM_HOSTS")  # SM208
size = world(hosts)
for host in hosts:
    print(host)
""",
    "argument-without-type": """\
import argparse
import os

def train(args):
    return args.num_gpus > 1

parser = argparse.ArgumentParser()
parser.add_argument("--num-gpus", default=os.environ["SM_NUM_GPUS"])  # SM208
parser.add_argument("--hosts", type=str, default=os.environ["SM_HOSTS"])  # SM208
args = parser.parse_args()
print(args.hosts.index("algo-1"), train(args))
""",
    "list-of-characters": """\
import argparse
import os

parser = argparse.ArgumentParser()
parser.add_argument("--hosts", type=list, default=os.environ["SM_HOSTS"])  # SM208
""",
    "world-size": """\
import os
import torch.distributed as dist

dist.init_process_group("gloo", world_size=os.environ["WORLD_SIZE"], rank=0)  # SM208
""",
    "no-default": """\
import os

if os.environ.get("SM_NUM_GPUS") > 0:  # SM208
    print("cuda")
""",
    "calculated": """\
import os

workers = os.environ["SM_NUM_CPUS"]  # SM208
print(workers // 2)
""",
}

GOOD = {
    "parsed": """\
import json
import os

hosts = json.loads(os.environ["SM_HOSTS"])
gpus = int(os.environ.get("SM_NUM_GPUS", 0))
print(hosts[0], len(hosts), gpus > 0)
""",
    "parsed-by-argparse": """\
import argparse
import json
import os

parser = argparse.ArgumentParser()
parser.add_argument("--num-gpus", type=int, default=os.environ["SM_NUM_GPUS"])
parser.add_argument("--hosts", type=json.loads, default=os.environ["SM_HOSTS"])
args = parser.parse_args()
print(args.num_gpus > 0, args.hosts[0])
""",
    "parsed-later": """\
import json
import os

hosts = os.environ["SM_HOSTS"]
if isinstance(hosts, str):
    hosts = json.loads(hosts)
print(len(hosts))
""",
    "parsed-in-place": """\
import argparse
import json
import os

def train(args):
    return len(args.hosts)

parser = argparse.ArgumentParser()
parser.add_argument("--hosts", type=str, default=os.environ["SM_HOSTS"])
args = parser.parse_args()
args.hosts = json.loads(args.hosts)
train(args)
""",
    "text-is-meant": """\
import os

print("GPUs: " + os.environ["SM_NUM_GPUS"], os.environ["SM_NUM_GPUS"] == "0")
print("algo-1" in os.environ["SM_HOSTS"], os.environ["SM_CURRENT_HOST"][5:], len(os.environ["SM_MODEL_DIR"]))
os.environ["WORLD_SIZE"] = os.environ["SM_NUM_GPUS"]
""",
    "is-it-set": """\
import os

distributed = os.environ.get("LOCAL_RANK", -1) != -1
""",
    "toolkit": """\
from sagemaker_training.environment import Environment

env = Environment()
print(env.hosts[0], env.num_gpus > 0)
""",
}

_SAMPLES = {"int": "a number", "json": "JSON"}


def check(module: Module) -> Iterator[Fault]:
    by_read: dict[ast.expr, list[RawUse]] = {}
    for use in raw_uses(module):
        by_read.setdefault(use.read.node, []).append(use)
    for uses in by_read.values():
        read = uses[0].read
        elsewhere = [use for use in uses if use.node.lineno != read.node.lineno]
        where = f" (line {elsewhere[0].node.lineno})" if elsewhere else ""
        parser = "int" if kind(read) == "int" else "json.loads"
        fault = module.fault(
            read.node,
            f"{read.name} is {_SAMPLES[kind(read)]} as text: {uses[0].says}{where}",
            help=f"parse it: {parser}(...)",
            fix=_fix(module, read, parser, uses),
        )
        yield fault._replace(evidence=tuple(f"line {use.node.lineno}: {use.says}" for use in elsewhere[1:]))


def _fix(module: Module, read: EnvRead, parser: str, uses: list[RawUse]) -> Fix | None:
    argument = _argument(module, read)
    start, end = module.offsets(read.node)
    edits: tuple[Edit, ...] = (Edit(start, start, f"{parser}("), Edit(end, end, ")"))
    if argument is not None:
        edits = (set_keyword(module, argument.node, "type", parser),)
    elif read.how == "get" and read.default is None and read.key is not None and parser == "int":
        if in_f_string(module, read.node):
            return None
        _, after_key = module.offsets(read.key)
        edits += (Edit(after_key, after_key, ', "0"'),)
    elif parser == "json.loads" and read.default is not None and not _is_text(read.default):
        return None
    if parser == "json.loads":
        edits += add_import(module, "import json")
    return Fix(f"parse with {parser}", edits, safe=_all_known(module, read, uses))


def _argument(module: Module, read: EnvRead) -> Argument | None:
    """The argument whose default the read is."""
    return next((argument for argument in module.arguments if argument.default is read.node), None)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _all_known(module: Module, read: EnvRead, uses: list[RawUse]) -> bool:
    """Whether nothing else needs the value to stay text."""
    if all(use.node is read.node for use in uses):  # no name holds it
        return True
    known = {use.node for use in uses}
    names: list[ast.expr] = [*module.tree.all(ast.Name), *module.tree.all(ast.Attribute)]
    return all(
        node in known or _passes_on(module, node) or raw_read(module, node) is not read
        for node in names
        if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Load)
    )


def _passes_on(module: Module, node: ast.expr) -> bool:
    """Whether a use only hands the value on to a name or a function of this file, or into a text."""
    parent = module.tree.parents[node]
    if isinstance(parent, ast.keyword):
        parent = module.tree.parents[parent]
    if isinstance(parent, ast.Assign):
        return all(isinstance(target, ast.Name) for target in parent.targets)
    if isinstance(parent, ast.Call):
        name = module.name(parent.func)
        return module.flow.local_function(parent) is not None or name in PARSERS - {"json.loads"} | {"print"}
    return isinstance(parent, (ast.FormattedValue, ast.Return, ast.IfExp, ast.BoolOp))
