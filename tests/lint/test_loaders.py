"""DataLoaders: which train, what samples them."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from pytest_sagemaker.lint.module import Module
from pytest_sagemaker.lint.source import Source

if TYPE_CHECKING:
    from pytest_sagemaker.lint.facts.loaders import Loader

HEAD = "from torch.utils.data import DataLoader, DistributedSampler\n"


def loaders(text: str) -> tuple[Loader, ...]:
    return Module(Source("train.py", HEAD + text)).loaders


TRAINS = {
    "loop": """
        for x in DataLoader(d):
            f(x).backward()
    """,
    "wrapped": """
        for i, x in enumerate(tqdm(DataLoader(d))):
            f(x).backward()
    """,
    "zipped": """
        a = DataLoader(d)
        for x, y in zip(a, b):
            f(x).backward()
    """,
    "method": """
        for x in log.every(DataLoader(d), 10):
            f(x).backward()
    """,
    "iterator": """
        i = iter(DataLoader(d))
        while True:
            f(next(i)).backward()
    """,
    "generator": """
        def forever(l):
            while True:
                yield from l

        for x in forever(DataLoader(d)):
            f(x).backward()
    """,
    "through functions": """
        def make():
            return 1, DataLoader(d)

        def step(x):
            f(x).backward()

        def run(loader):
            for x in loader:
                step(x)

        _, loader = make()
        run(loader)
    """,
    "through an object": """
        class T:
            def __init__(self, loader):
                self.loader = loader

            def epoch(self):
                for x in self.loader:
                    f(x).backward()

        T(DataLoader(d)).epoch()
    """,
    "closure": """
        for x in DataLoader(d):
            def closure():
                f(x).backward()
            optimizer.step(closure)
    """,
    "both branches step": """
        def run(l, amp):
            for x in l:
                if amp:
                    g(x).backward()
                else:
                    f(x).backward()

        run(DataLoader(d), False)
    """,
    "subclass": """
        class L(DataLoader):
            pass

        for x in L(d):
            f(x).backward()
    """,
}


@pytest.mark.parametrize("text", TRAINS.values(), ids=TRAINS)
def test_batches_that_reach_a_backward_pass_train(text: str) -> None:
    assert [loader.purpose for loader in loaders(dedent(text))] == ["training"]


def test_batches_that_reach_none_evaluate() -> None:
    (loader,) = loaders("for x in DataLoader(d):\n    f(x)\nloss.backward()\n")
    assert loader.purpose == "evaluation"


def test_a_loader_that_goes_elsewhere_is_unknown() -> None:
    (loader,) = loaders("loader = DataLoader(d)\nfit(loader)\n")
    assert loader.purpose == "unknown"


def test_a_batch_that_is_peeked_at_trains_nothing() -> None:
    (loader,) = loaders(
        dedent("""
            i = iter(DataLoader(d))
            for e in range(9):
                next(i)
                for x in y:
                    f(x).backward()
        """)
    )
    assert loader.purpose == "unknown"


FLAGS = {
    "a flag": ("train", "if train:", "True", "False"),
    "a default": ("train=True", "if train:", "", "train=False"),
    "an optimizer": ("opt=None", "if opt is not None:", "optimizer", ""),
    "a phase": ("phase", 'if phase == "train":', '"train"', '"val"'),
}


@pytest.mark.parametrize(("parameter", "test", "on", "off"), FLAGS.values(), ids=FLAGS)
def test_one_function_for_training_and_evaluation(parameter: str, test: str, on: str, off: str) -> None:
    found = loaders(
        f"def run(loader, {parameter}):\n    for x in loader:\n        y = f(x)\n"
        f"        {test}\n            y.backward()\n"
        f"a = DataLoader(1)\nb = DataLoader(2)\nrun(a, {on})\nrun(b, {off})\n"
    )
    assert [loader.purpose for loader in found] == ["training", "evaluation"]


def test_a_flag_is_followed_into_the_step() -> None:
    found = loaders(
        "class T:\n"
        "    def batch(self, x, train=True):\n        if train:\n            f(x).backward()\n"
        "    def epoch(self, loader, train):\n        for x in loader:\n            self.batch(x, train)\n"
        "t = T()\nt.epoch(DataLoader(1), train=True)\nt.epoch(DataLoader(2), train=False)\n"
    )
    assert [loader.purpose for loader in found] == ["training", "evaluation"]


def test_every_origin_of_a_sampler_is_known() -> None:
    (loader,) = loaders(
        "s = DistributedSampler(d) if many else None\nDataLoader(d, sampler=s, shuffle=s is None)\n"
    )
    assert [type(value.node).__name__ for value in loader.samplers] == ["Call", "Constant"]


KWARGS = {
    "a dictionary": ('k = {"sampler": s}\nDataLoader(d, **k)\n', ["sampler"], True),
    "changed later": (
        'k = dict(shuffle=True)\nk["sampler"] = s\nDataLoader(d, **k)\n',
        ["sampler", "shuffle"],
        True,
    ),
    "updated": (
        'k = {}\nk.update({"shuffle": True}, sampler=s)\nDataLoader(d, **k)\n',
        ["sampler", "shuffle"],
        True,
    ),
    "either": ('k = {"sampler": s} if many else {}\nDataLoader(d, **k)\n', ["sampler"], True),
    "from the caller": (
        "def make(d, **k):\n    return DataLoader(d, **k)\nmake(d, sampler=s)\n",
        ["sampler"],
        True,
    ),
    "by parameter": (
        "def make(d, k):\n    return DataLoader(d, **k)\nmake(d, {'shuffle': True})\n",
        ["shuffle"],
        True,
    ),
    "out of sight": ("def make(d, **k):\n    return DataLoader(d, **k)\n", [], False),
    "read from a file": ("DataLoader(d, **yaml.safe_load(text))\n", [], False),
    "positional": ("DataLoader(d, 8, True, s)\n", ["sampler", "shuffle"], True),
    "starred": ("DataLoader(d, *rest)\n", [], False),
}


@pytest.mark.parametrize(("text", "given", "complete"), KWARGS.values(), ids=KWARGS)
def test_arguments_are_followed_through_dictionaries(text: str, given: list[str], complete: bool) -> None:
    (loader,) = loaders(text)
    names = [name for name in ("sampler", "shuffle") if getattr(loader, name)]
    assert (names, loader.complete) == (given, complete)
