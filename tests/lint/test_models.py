"""What an expression that stands for a model is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rules_harness import module_of

if TYPE_CHECKING:
    from pytest_sagemaker.lint.facts.models import Model

HEAD = """\
import copy
import timm
import torch
import torchvision
from apex.parallel import DistributedDataParallel as ApexDDP
from torch import nn
from torch.distributed.fsdp import FullyShardedDataParallel as FSDP
from torch.nn.parallel import DistributedDataParallel as DDP
from transformers import AutoModel, AutoTokenizer
from elsewhere import Net as Imported, build, ParallelNet

class Base(nn.Module):
    pass

class Net(Base):
    pass

def made(flag):
    return nn.DataParallel(Net()) if flag else DDP(Net())

"""


def models(expression: str, before: str = "") -> tuple[Model, ...]:
    """What `expression` is, after the head and the lines `before`."""
    module = module_of(f"{HEAD}{before}\nx.show({expression})\n")
    (call,) = module.method_calls("show")
    return module.models.of(call.args[0])


def summary(expression: str, before: str = "") -> set[tuple[str, bool | None]]:
    return {(model.kind, model.wrapped) for model in models(expression, before)}


@pytest.mark.parametrize(
    ("expression", "kind", "wrapped"),
    [
        ("Net()", "module", False),
        ("nn.Sequential(nn.Linear(1, 1))", "module", False),
        ("torchvision.models.resnet18()", "module", False),
        ("timm.create_model('resnet18')", "module", False),
        ("AutoModel.from_pretrained('bert')", "module", False),
        ("AutoTokenizer.from_pretrained('bert')", "unknown", None),
        ("DDP(Net())", "module", True),
        ("ApexDDP(Net().cuda())", "module", True),
        ("made(True)", "module", True),
        ("DDP(module=Net())", "module", True),
        ("DDP(Net()).module", "module", False),
        ("getattr(DDP(Net()), 'module', None)", "module", False),
        ("accelerator.unwrap_model(DDP(Net()))", "module", False),
        ("FSDP(Net())", "module", None),
        ("torch.compile(Net())", "module", None),
        ("copy.deepcopy(DDP(Net()).to('cuda').eval())", "module", True),
        ("torch.jit.script(Net())", "script", None),
        ("Imported(3)", "unknown", False),
        ("ParallelNet(3)", "unknown", None),
        ("build()", "unknown", None),
        ("nn.functional.relu(y)", "unknown", None),
        ("y", "unknown", None),
    ],
)
def test_kind_and_wrapper(expression: str, kind: str, wrapped: bool | None) -> None:
    assert summary(expression) == {(kind, wrapped)}


def test_a_model_wrapped_on_some_paths_is_both() -> None:
    assert summary("model", "model = Net()\nif y:\n    model = DDP(model)") == {
        ("module", True),
        ("module", False),
    }


def test_a_model_that_moves_itself_in_a_loop_ends() -> None:
    assert summary("model", "model = Net()\nfor _ in y:\n    model = model.to(y)") == {("module", False)}


@pytest.mark.parametrize(
    ("expression", "on_cpu"),
    [
        ("Net().cpu()", True),
        ("Net().to('cpu').eval()", True),
        ("Net().to(torch.device('cpu'))", True),
        ("Net().to(device='cpu')", True),
        ("Net().cpu().to(device)", False),
        ("Net().cpu().cuda()", False),
        ("Net()", False),
    ],
)
def test_the_last_move_tells_where_a_model_is(expression: str, on_cpu: bool) -> None:
    assert [model.on_cpu for model in models(expression)] == [on_cpu]


def test_the_maker_is_the_call_of_the_class() -> None:
    (model,) = models("DDP(Net(1).cuda()).module")
    assert model.maker is not None
    assert model.maker.args[0].value == 1  # type: ignore[attr-defined]  # a constant
