"""Which functions may run when a script is started."""

from __future__ import annotations

import pytest
from rules_harness import module_of

HEAD = """\
import functools, hydra, torch
def train():
    step()
def step():
    pass
class Trainer:
    def fit(self):
        step()
"""

RUNS = {
    "nothing": ("", set()),
    "called": ("step()", {"step"}),
    "called through": ("train()", {"train", "step"}),
    "in the guard": ('if __name__ == "__main__":\n    train()', {"train", "step"}),
    "handed on": ("run(train)", {"train", "step"}),
    "in a table": ('jobs = {"train": train}', {"train", "step"}),
    "an object of a class": ("Trainer()", {"fit", "step"}),
    "an attribute of anything": ("x.fit()", {"fit", "step"}),
    "by name": ('globals()["train"]()', {"train", "step", "fit"}),
    "exported": ('__all__ = ["train"]', {"train", "step", "fit"}),
    "registered": ("@hydra.main()\ndef main():\n    train()", {"main", "train", "step"}),
    "harmless decorator": ("@torch.no_grad()\n@functools.cache\ndef main():\n    train()", set()),
    "evaluation mode": ("def test(model):\n    model.eval()", set()),
}


@pytest.mark.parametrize(("text", "names"), RUNS.values(), ids=RUNS)
def test_what_the_module_level_comes_to(text: str, names: set[str]) -> None:
    assert {function.name for function in module_of(HEAD + text).started} == names
