"""What model_fn loads, and which loads reach a network."""

from __future__ import annotations

import pytest
from rules_harness import module_of

from pytest_sagemaker.lint.facts.serving import is_served

SERVED = """\
import torch
from model import Net

class Wrapper:
    def __init__(self, folder):
        self.net = read(folder)

    @classmethod
    def load(cls, folder):
        return cls(folder)

def read(folder):
    return torch.jit.load(folder + "/a.pt")

def other(folder):
    return torch.load(folder + "/b.pt")

def model_fn(model_dir):
    return Wrapper.load(model_dir) or Wrapper(model_dir)
"""


def test_model_fn_reaches_through_functions_methods_and_constructors() -> None:
    serving = module_of(SERVED).serving
    assert {function.name for function in serving.functions} == {"model_fn", "load", "__init__", "read"}
    assert [load.name for load in serving.loads] == ["a.pt"]


@pytest.mark.parametrize(
    ("state", "reaches"),
    [
        ("torch.load('f')", True),
        ("torch.load('f')['model']", True),
        ("torch.load('f').get('model')", True),
        ("{k: v for k, v in torch.load('f').items()}", True),
        ("rename(torch.load('f'))", False),
        ("other", False),
    ],
)
def test_what_reaches_load_state_dict(state: str, reaches: bool) -> None:
    loads = module_of(f"import torch\ntorch.load('f')\nmodel.load_state_dict({state})\n").loading
    assert any(load.networks for load in loads) is reaches


def test_an_optimizers_state_reaches_no_network() -> None:
    (load,) = module_of("import torch\noptimizer.load_state_dict(torch.load('f'))\n").loading
    assert len(load.into) == 1
    assert load.networks == ()


@pytest.mark.parametrize(
    ("line", "handles"),
    [
        ("model.load_state_dict(state, strict=False)", True),
        ("state = {k.replace('module.', ''): v for k, v in state.items()}", True),
        ("consume_prefix_in_state_dict_if_present(state, prefix)", True),
        ("model.load_state_dict(state)", False),
    ],
)
def test_whether_names_are_changed_on_the_way(line: str, handles: bool) -> None:
    assert module_of(f"def model_fn(model_dir):\n    {line}\n").serving.handles_prefix is handles


@pytest.mark.parametrize(
    ("text", "served"),
    [
        ("def model_fn(model_dir):\n    pass\n", True),
        ("def model_fn(path, context):\n    pass\n", True),
        ("def model_fn(x, t):\n    pass\n", False),
        ("def input_fn(a, b):\n    pass\n", False),
        ("def input_fn(a, b):\n    pass\ndef output_fn(a, b):\n    pass\n", True),
        ("import tensorflow as tf\ndef model_fn(model_dir):\n    pass\n", False),
    ],
)
def test_whose_functions_are_an_endpoints(text: str, served: bool) -> None:
    module = module_of(text)
    assert is_served(module.tree, module.handlers) is served
