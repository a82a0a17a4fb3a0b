"""Fixes and severities of the rules on saving, loading and serving, where the examples do not show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rules_harness import faults

from pytest_sagemaker.catalogue import scan
from pytest_sagemaker.lint.fixes import apply
from pytest_sagemaker.lint.run import RULES

if TYPE_CHECKING:
    from pytest_sagemaker.finding import Fault

ENTRIES = {rule.code: rule for rule in scan(RULES)}

LOAD = """\
import torch
from torch import nn

def resume(model, path):
    {load}

def train(model, net, path):
    torch.save({what}, path + "/model.pth")

train(nn.DataParallel(nn.Linear(1, 1)).cuda(), nn.Linear(1, 1), "here")
"""


def only(code: str, text: str) -> Fault:
    (fault,) = faults(ENTRIES[code], text)
    return fault


@pytest.mark.parametrize(
    ("what", "fixed"),
    [
        ("net.state_dict()", True),
        ("{'model': net.state_dict(), 'args': path}", False),
        ("net", False),
        ("other", False),
    ],
)
def test_weights_only_is_added_for_a_state_dict_alone(what: str, fixed: bool) -> None:
    load = 'model.load_state_dict(torch.load(path + "/model.pth"))'
    fault = only("SM504", LOAD.format(load=load, what=what))
    assert (fault.fix is not None) is fixed


@pytest.mark.parametrize(
    ("load", "safe"),
    [
        ("model.load_state_dict(torch.load(path))", True),
        ("state = torch.load(path)\n    model.load_state_dict(state['model'])", True),
        ("state = torch.load(path)\n    model.load_state_dict(state['model'])\n    return state", False),
    ],
)
def test_map_location_is_safe_where_all_is_copied(load: str, safe: bool) -> None:
    fault = only("SM503", LOAD.format(load=load, what="other"))
    assert fault.fix is not None
    assert fault.fix.safe is safe


def test_a_load_in_training_code_is_a_warning() -> None:
    text = LOAD.format(load="model.load_state_dict(torch.load(path))", what="other")
    assert only("SM503", text).severity == "W"
    assert (
        only("SM503", text.replace("def resume(model, path)", "def model_fn(path, model)")).severity is None
    )


def test_a_whole_network_of_an_importable_class_is_a_warning() -> None:
    text = "import torch, torchvision\ntorch.save(torchvision.models.resnet18(), 'a')\n"
    assert only("SM502", text).severity == "W"


STUB = """\
import os
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, size=2):
        super().__init__()
        self.layer = nn.Linear(size, 1)

def train(model_dir):
    model = {model}
    torch.save(model.state_dict(), {path})

if __name__ == "__main__":
    train(os.environ["SM_MODEL_DIR"])
"""


@pytest.mark.parametrize(
    ("model", "path", "stub"),
    [
        ("Net()", "os.path.join(model_dir, 'net.pth')", "model = Net()"),
        ("Net(size=3)", "model_dir + '/net.pth'", "model = Net(size=3)"),
        ("nn.DataParallel(Net(3))", "f'{model_dir}/net.pth'", 'removeprefix("module.")'),
        ("Net(len(model_dir))", "model_dir + '/net.pth'", ""),
        ("Net()", "model_dir + '/sub/net.pth'", ""),
        ("Net()", "model_dir + '/' + unknown", ""),
        ("nn.Linear(1, 1)", "model_dir + '/net.pth'", ""),
    ],
)
def test_model_fn_is_written_where_the_network_can_be_built_again(model: str, path: str, stub: str) -> None:
    text = STUB.format(model=model, path=path)
    fix = only("SM601", text).fix
    if not stub:
        assert fix is None
        return
    assert fix is not None
    assert not fix.safe
    mended = apply(text, [fix])
    assert stub in mended
    assert 'os.path.join(model_dir, "net.pth")' in mended
    assert mended.index("def model_fn") < mended.index("if __name__")
    assert faults(ENTRIES["SM601"], mended) == []
