"""What the fixes of the SM4 rules write, where a careless one would break a script that works."""

from __future__ import annotations

from textwrap import dedent, indent
from typing import TYPE_CHECKING

import pytest

from pytest_sagemaker.lint.fixes import apply
from pytest_sagemaker.lint.module import Module
from pytest_sagemaker.lint.rules import SM301_print_call as SM301
from pytest_sagemaker.lint.rules import SM402_nccl_hardcoded as SM402
from pytest_sagemaker.lint.rules import SM407_shuffle_with_sampler as SM407
from pytest_sagemaker.lint.rules import SM408_sampler_set_epoch as SM408
from pytest_sagemaker.lint.rules import SM409_save_not_rank_zero as SM409
from pytest_sagemaker.lint.rules import SM411_pg_not_destroyed as SM411
from pytest_sagemaker.lint.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_sagemaker.finding import Fault

    Check = Callable[[Module], Iterable[Fault]]

HEAD = """\
import torch
import torch.distributed as dist
from torch.utils.data import DataLoader, DistributedSampler
"""


def added(check: Check, text: str) -> str:
    """The lines that are new once the only fault of a script is mended; empty where it has no fix."""
    (fault,) = check(Module(Source("train.py", text)))
    before = text.splitlines()
    after = apply(text, [fault.fix] if fault.fix else []).splitlines()
    return "\n".join(line for line in after if line not in before)


MAIN = """
def main(args):
    {init}
    loss.backward()

if __name__ == "__main__":
    main(parse())
"""
GUARDED = "    if dist.is_initialized():\n        dist.destroy_process_group()"
ENDS = {
    "always": ("dist.init_process_group('gloo')", "    dist.destroy_process_group()"),
    "below a test": ("if args.many:\n        dist.init_process_group('gloo')", GUARDED),
    "after a return": ("if args.dry:\n        return\n    dist.init_process_group('gloo')", GUARDED),
}


@pytest.mark.parametrize(("init", "lines"), ENDS.values(), ids=ENDS)
def test_a_group_is_destroyed_only_where_it_was_made(init: str, lines: str) -> None:
    assert added(SM411.check, HEAD + MAIN.format(init=init)) == lines


EPOCHS = """
def main(dataset, many):
{before}
    for epoch in range(9):
{inside}
        for x in loader:
            f(x).backward()
"""
SAMPLER = "sampler = DistributedSampler(dataset)"
MAYBE = "sampler = DistributedSampler(dataset) if many else None"
LOADER = "loader = DataLoader(dataset, sampler=sampler)"
INLINE = "loader = DataLoader(dataset, sampler=DistributedSampler(dataset) if many else other)"
SETS = {
    "a sampler": ([SAMPLER, LOADER], [], "        sampler.set_epoch(epoch)"),
    "or None": (
        [MAYBE, LOADER],
        [],
        "        if sampler is not None:\n            sampler.set_epoch(epoch)",
    ),
    "or another one": (
        [INLINE],
        [],
        indent(
            "if isinstance(loader.sampler, DistributedSampler):\n    loader.sampler.set_epoch(epoch)", " " * 8
        ),
    ),
    "made anew in every epoch": ([], [SAMPLER, LOADER], ""),
    "loader made anew": ([SAMPLER], [LOADER], ""),
}


@pytest.mark.parametrize(("before", "inside", "lines"), SETS.values(), ids=SETS)
def test_the_epoch_is_set_on_what_is_there(before: list[str], inside: list[str], lines: str) -> None:
    text = EPOCHS.format(
        before=indent("\n".join(before or ["pass"]), " " * 4),
        inside=indent("\n".join(inside or ["pass"]), " " * 8),
    )
    assert added(SM408.check, HEAD + text) == lines


def test_shuffling_stays_where_there_is_no_sampler() -> None:
    text = dedent(f"""
        def main(dataset, many):
            {MAYBE}
            return DataLoader(dataset, sampler=sampler, shuffle=True)
    """)
    line = "    return DataLoader(dataset, sampler=sampler, shuffle=sampler is None)"
    assert added(SM407.check, HEAD + text) == line


def test_a_state_that_is_gathered_from_all_ranks_is_not_put_under_a_rank_test() -> None:
    text = "dist.init_process_group('gloo')\nloss.backward()\ntorch.save(model.state_dict(), 'model.pth')\n"
    test = "if not dist.is_initialized() or dist.get_rank() == 0:"
    assert added(SM409.check, HEAD + text).startswith(test)
    sharded = "from torch.distributed.fsdp import FullyShardedDataParallel as FSDP\n"
    assert added(SM409.check, HEAD + sharded + text) == ""


def test_a_backend_keeps_its_quotes_and_brings_its_import() -> None:
    text = "from torch.distributed import init_process_group as init\nloss.backward()\ninit('nccl')\n"
    assert added(SM402.check, text) == ("import torch\ninit('nccl' if torch.cuda.is_available() else 'gloo')")


PRINTS = {
    "by every rank": ("print('done')", "every rank prints"),
    "by one": ("if rank == 0:\n    print('done')", "print gives the log a line"),
    "with the rank": ("print(f'rank {rank} is done')", "print gives the log a line"),
    "in pieces": ("if rank == 0:\n    print('loss', loss)", "print writes each value"),
}


@pytest.mark.parametrize(("text", "message"), PRINTS.values(), ids=PRINTS)
def test_a_print_is_reported_for_what_it_does(text: str, message: str) -> None:
    script = f"{HEAD}dist.init_process_group('gloo')\nloss.backward()\n{text}\n"
    (fault,) = SM301.check(Module(Source("train.py", script)))
    assert fault.message.startswith(message)
    assert fault.severity is None


def test_prints_that_are_a_matter_of_style_are_reported_once() -> None:
    text = "import torch\nloss.backward()\nprint(1)\nprint(2)\nprint(3)\n"
    first, *others = SM301.check(Module(Source("train.py", text)))
    assert "3 lines" in first.message
    assert [fault.severity for fault in (first, *others)] == [None, "I", "I"]
    assert first.fix
    assert "print" not in apply(text, [first.fix])
