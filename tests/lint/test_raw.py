"""Numbers and JSON of the container that are still text."""

from __future__ import annotations

import pytest
from rules_harness import module_of

from pytest_sagemaker.lint.facts.raw import raw_uses

HEAD = """\
import argparse, ast, json, os
import torch
parser = argparse.ArgumentParser()
parser.add_argument("--gpus", default=os.environ["SM_NUM_GPUS"])
parser.add_argument("--hosts", type=str, default=os.environ["SM_HOSTS"])
parser.add_argument("--number", type=int, default=os.environ["SM_NUM_GPUS"])
parser.add_argument("--names", type=json.loads, default=os.environ["SM_HOSTS"])
parser.add_argument("--many", nargs="+", default=os.environ["SM_HOSTS"])
parser.add_argument("--all", action="append", default=os.environ["SM_HOSTS"])
args = parser.parse_args()
gpus = os.environ["SM_NUM_GPUS"]
hosts = os.environ["SM_HOSTS"]
path = os.environ["SM_MODEL_DIR"]
"""

USES = (
    "gpus > -1",
    "0 < gpus", "gpus == 1", "args.gpus != 1", "gpus * 2", "len(x) % gpus", "range(gpus)",
    "range(0, gpus)", "torch.cuda.set_device(gpus)", "spawn(nprocs=gpus)", "hosts[0]", "args.hosts[0]",
    "len(hosts)", "[h for h in hosts]", "hosts.index(x)", "sorted(hosts)", "enumerate(args.hosts)",
    'os.environ.get("SM_HPS")["lr"]', 'os.getenv("SM_NUM_CPUS", 1) - 1', 'os.environ["WORLD_SIZE"] == 1',
)  # fmt: skip

INNOCENT = (
    "int(gpus) > 0", 'gpus == "0"', '"gpus: " + gpus', "json.loads(hosts)[0]", "ast.literal_eval(hosts)[0]",
    "args.number > 0", "args.names[0]", "hosts[1:]", "x in hosts", "path[0]", "len(path)",
    'os.environ["MINE"] > 1', 'os.environ.get("LOCAL_RANK", -1) == -1', "gpus > other", "unknown[gpus]",
    'f"{gpus}"', "print(gpus, hosts)", "len(gpus)", "hosts > 1", "args.many[0]", "range()", "args.all[0]",
)  # fmt: skip


@pytest.mark.parametrize("use", USES)
def test_a_use_as_something_else_is_seen(use: str) -> None:
    assert len({found.read.node for found in raw_uses(module_of(f"{HEAD}{use}\n"))}) == 1


@pytest.mark.parametrize("use", INNOCENT)
def test_a_use_as_text_or_after_parsing_is_not(use: str) -> None:
    assert list(raw_uses(module_of(f"{HEAD}{use}\n"))) == []


@pytest.mark.parametrize(
    "parsed",
    [
        "if isinstance(hosts, str):\n    hosts = json.loads(hosts)",
        "hosts = json.loads(hosts) if hosts else []",
        "hosts = other()",
    ],
)
def test_a_value_that_is_parsed_on_one_way_is_left_alone(parsed: str) -> None:
    assert list(raw_uses(module_of(f"{HEAD}{parsed}\nlen(hosts)\n"))) == []


@pytest.mark.parametrize("parsed", ["args.hosts = json.loads(args.hosts)", 'setattr(args, "hosts", [])'])
def test_an_argument_that_the_script_sets_is_left_alone(parsed: str) -> None:
    assert list(raw_uses(module_of(f"{HEAD}{parsed}\nlen(args.hosts)\n"))) == []
