"""Hosts are read, and no process group is ever made.

A job of two hosts trains the same model twice: each host works through all the data alone, at twice the
price, and one of the two models overwrites the other in model.tar.gz.

Why it fails:
SageMaker starts the script once on each host and connects nothing. That is the script's part, or that of a
framework.

Use instead:
`dist.init_process_group(backend, rank=hosts.index(current_host), world_size=len(hosts))`, then
DistributedDataParallel and DistributedSampler. For one host, leave SM_HOSTS out.

False alarms:
An argument that is declared and never read, frameworks, and scripts that call into files or packages that
we do not know are not reported.

Source:
https://github.com/aws/sagemaker-python-sdk/issues/1110
https://github.com/aws/sagemaker-training-toolkit/blob/master/ENVIRONMENT_VARIABLES.md
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterator

    from pytest_sagemaker.finding import Fault
    from pytest_sagemaker.lint.module import Module

SEVERITY = "W"

BAD = {
    "as-an-argument": """\
import argparse
import json
import os

def train(args):
    rank = args.hosts.index(args.current_host)  # SM401
    loss.backward()
    if rank == 0:
        save()

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--hosts", type=json.loads, default=os.environ["SM_HOSTS"])
    parser.add_argument("--current-host", default=os.environ["SM_CURRENT_HOST"])
    train(parser.parse_args())
""",
    "directly": """\
import json
import os

hosts = json.loads(os.environ.get("SM_HOSTS", "[]"))  # SM401
is_distributed = len(hosts) > 1
for x in data:
    loss(x).backward()
""",
    "from-the-toolkit": """\
from sagemaker_training import environment

env = environment.Environment()
files = all_files[env.hosts.index(env.current_host) :: len(env.hosts)]  # SM401
loss(files).backward()
""",
}

GOOD = {
    "group-made": """\
import json
import os
import torch.distributed as dist

hosts = json.loads(os.environ["SM_HOSTS"])
dist.init_process_group("gloo", rank=hosts.index(os.environ["SM_CURRENT_HOST"]), world_size=len(hosts))
loss.backward()
""",
    "declared-only": """\
import argparse
import json
import os

parser = argparse.ArgumentParser()
parser.add_argument("--hosts", default=json.loads(os.environ["SM_HOSTS"]))
args = parser.parse_args()
loss.backward()
""",
    "for-the-log": """\
import json
import logging
import os

logging.info("hosts: %s", os.environ["SM_HOSTS"])
loss.backward()
""",
    "elsewhere": """\
import json
import os
from ranks import connect

connect(json.loads(os.environ["SM_HOSTS"]))
loss.backward()
""",
    "framework": """\
import json
import os
import horovod.torch as hvd

hvd.init()
print(len(json.loads(os.environ["SM_HOSTS"])))
loss.backward()
""",
    "launches-another-script": """\
import json
import os
import subprocess

hosts = json.loads(os.environ["SM_HOSTS"])
subprocess.run(["torchrun", f"--nnodes={len(hosts)}", "train.py"])
""",
}

HOSTS = {"SM_HOSTS", "SM_HOST_COUNT", "SM_CURRENT_HOST_RANK"}
"""SM_CURRENT_HOST alone is also a name for a file or a log line."""


def check(module: Module) -> Iterator[Fault]:
    if not module.training or module.training.frameworks or module.strangers:
        return
    if module.distributed.inits or module.distributed.wraps:
        return
    uses = sorted(_uses(module), key=lambda node: (node.lineno, node.col_offset))
    if uses:
        yield module.fault(
            uses[0],
            "hosts are read and never joined: each of N hosts trains on all data alone, at N times the price",
            help="make a process group with init_process_group, or leave SM_HOSTS out if one host is meant",
        )


def _uses(module: Module) -> Iterator[ast.expr]:
    """Where the hosts are used, beyond a declared argument or a line of the log."""
    dests = {argument.node: argument.dest for argument in module.arguments}
    for read in module.env_reads:
        if read.name in HOSTS:
            dest = next((dests[node] for node in module.tree.ancestors(read.node) if node in dests), None)
            uses = [read.node] if dest is None else module.namespaces.reads(dest)
            yield from (use for use in uses if not _is_logged(use, module))


def _is_logged(node: ast.expr, module: Module) -> bool:
    """Whether a value is only written to the log."""
    logged = {record.call for record in module.logs.records} | set(module.logs.prints)
    return any(outer in logged for outer in module.tree.ancestors(node))
