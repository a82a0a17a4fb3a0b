"""What a script does as one rank of several."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_sagemaker.lint.module import Module
from pytest_sagemaker.lint.source import Source

if TYPE_CHECKING:
    from pytest_sagemaker.lint.facts.distributed import Distributed

HEAD = "import os\nimport torch\nimport torch.distributed as dist\nimport torch.multiprocessing as mp\n"


def distributed(text: str) -> Distributed:
    return Module(Source("train.py", HEAD + text)).distributed


def one_rank(text: str) -> bool:
    """Whether the call of `save` is seen as that of some ranks only."""
    module = Module(Source("train.py", HEAD + text))
    (call,) = [call for call in module.method_calls("save") if call.args]
    return module.distributed.one_rank(call)


GUARDED = {
    "rank": "if rank == 0:\n    torch.save(m)\n",
    "get_rank": "if dist.get_rank() == 0 and epoch > 3:\n    torch.save(m)\n",
    "negated": "if not local_rank:\n    torch.save(m)\n",
    "else": "if rank > 0:\n    pass\nelse:\n    torch.save(m)\n",
    "environment": 'if os.environ["RANK"] == "0":\n    torch.save(m)\n',
    "host": "if args.current_host == args.hosts[0]:\n    torch.save(m)\n",
    "a name": "first = dist.get_rank() == 0\nsaves = first and args.save\nif saves:\n    torch.save(m)\n",
    "a flag": "saves = False\nif dist.get_rank() == 0:\n    saves = True\nif saves:\n    torch.save(m)\n",
    "a function": "def chosen():\n    return dist.get_rank() == 0\nif chosen():\n    torch.save(m)\n",
    "an expression": "rank == 0 and torch.save(m)\n",
    "returns": "def f():\n    if rank != 0:\n        return\n    torch.save(m)\nf()\n",
    "exits": "import sys\nif rank:\n    sys.exit()\ntorch.save(m)\n",
    "continues": "for e in x:\n    if rank != 0:\n        continue\n    torch.save(m)\n",
    "caller": "def f():\n    torch.save(m)\ndef g():\n    f()\nif rank == 0:\n    g()\n",
    "decorator": "@rank_zero_only\ndef f():\n    torch.save(m)\nf()\n",
    "never called": "def f():\n    torch.save(m)\n",
    "handed on": "def f():\n    torch.save(m)\ntrainer.on_end(f)\n",
}
OPEN = {
    "plain": "torch.save(m)\n",
    "another test": "if epoch % 5 == 0 and world_size > 1:\n    torch.save(m)\n",
    "called": "def f():\n    torch.save(m)\nf()\n",
    "one caller of two": "def f():\n    torch.save(m)\nif rank == 0:\n    f()\nf()\n",
    "beside the test": "if rank == 0:\n    print(1)\ntorch.save(m)\n",
    "spawned": "def f(i):\n    torch.save(m)\nmp.spawn(f, nprocs=2)\n",
    "a process": "def f(i):\n    torch.save(m)\nmp.Process(target=f).start()\n",
    "a method": "class T:\n    def f(self):\n        torch.save(m)\nt = T()\nt.f()\n",
}


@pytest.mark.parametrize("text", GUARDED.values(), ids=GUARDED)
def test_a_rank_test_is_seen(text: str) -> None:
    assert one_rank(text)


@pytest.mark.parametrize("text", OPEN.values(), ids=OPEN)
def test_without_a_rank_test_every_rank_comes_here(text: str) -> None:
    assert not one_rank(text)


AVERAGES = {
    "gradients": ("for p in m.parameters():\n    dist.all_reduce(p.grad)\n", True),
    "data": ("for _, tensor in m.named_parameters():\n    dist.all_reduce(tensor)\n", True),
    "flat": ("flat = torch.cat([p.grad for p in ps])\ndist.all_reduce(flat)\n", True),
    "hook": ("p.register_hook(lambda grad: dist.all_reduce(grad))\n", True),
    "loss": ("loss = f(x)\ndist.all_reduce(loss, op=dist.ReduceOp.SUM)\n", False),
}


@pytest.mark.parametrize(("text", "averages"), AVERAGES.values(), ids=AVERAGES)
def test_gradients_averaged_by_hand(text: str, averages: bool) -> None:
    assert distributed(text).averages is averages


def test_a_wrapper_counts_where_it_is_used_not_where_it_is_imported() -> None:
    assert distributed("m = torch.nn.parallel.DistributedDataParallel(m) if many else m\n").wraps
    assert distributed("from apex.parallel import DistributedDataParallel as D\nwrap = D\nwrap(m)\n").wraps
    assert not distributed(
        "from torch.nn.parallel import DistributedDataParallel\nm = torch.nn.DataParallel(m)\n"
    ).wraps


def test_inits_are_in_order_whatever_their_name() -> None:
    found = distributed("dist.init_device_mesh('cpu', (2,))\ndist.init_process_group('gloo')\n").inits
    assert [call.lineno for call in found] == [5, 6]
