"""What is saved, under which name, into which folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rules_harness import module_of

if TYPE_CHECKING:
    from pytest_sagemaker.lint.facts.saving import Save

HEAD = """\
import argparse, copy, os, torch
from accelerate import Accelerator
from pathlib import Path
from safetensors.torch import save_file
from torch import nn
from torch.nn.parallel import DistributedDataParallel as DDP

class Net(nn.Module):
    pass

parser = argparse.ArgumentParser()
parser.add_argument("--model-dir", default=os.environ["SM_MODEL_DIR"])
parser.add_argument("--output", default=os.environ.get("SM_OUTPUT_DATA_DIR", "out"))
parser.add_argument("--needed")
parser.add_argument("--name", default="model.pth")
args = parser.parse_args()
model = Net()
ddp = DDP(model)
"""


def save_of(line: str) -> Save:
    """The one save in a line below the head."""
    (save,) = module_of(f"{HEAD}{line}\n").saving
    return save


@pytest.mark.parametrize(
    ("what", "kind", "wrapped"),
    [
        ("model.state_dict()", "state_dict", False),
        ("ddp.state_dict()", "state_dict", True),
        ("ddp.module.state_dict()", "state_dict", False),
        ("{k: v.cpu() for k, v in ddp.state_dict().items()}", "state_dict", True),
        ("{k[7:]: v for k, v in ddp.state_dict().items()}", "state_dict", None),
        ("copy.deepcopy(ddp.state_dict())", "state_dict", True),
        ("accelerator.get_state_dict(model)", "state_dict", None),
        ("{'model': ddp.state_dict(), 'epoch': 1, 'optimizer': optimizer.state_dict()}", "checkpoint", True),
        ("{'inner': {'model': model}}", "checkpoint", False),
        ("model.cuda()", "module", False),
        ("torch.jit.trace(model, x)", "script", None),
        ("optimizer.state_dict()", "other", None),
        ("{'inputs': 3, 'name': 'net'}", "other", None),
        ("{'inputs': x, **y}", "unknown", None),
        ("model.state_dict() if x else model", "unknown", None),
        ("x", "unknown", None),
    ],
)
def test_content(what: str, kind: str, wrapped: bool | None) -> None:
    content = save_of(f"torch.save({what}, 'f')").content
    assert (content.kind, content.wrapped) == (kind, wrapped)


@pytest.mark.parametrize(
    ("lines", "on_cpu"),
    [
        ("torch.save(model.cpu().state_dict(), 'f')", True),
        ("torch.save({k: v.cpu() for k, v in model.state_dict().items()}, 'f')", True),
        ("model.cpu()\ntorch.save(model.state_dict(), 'f')", True),
        ("torch.save(model.state_dict(), 'f')\nmodel.cpu()", False),
        ("ddp.cpu()\ntorch.save(model.state_dict(), 'f')", False),
        ("torch.save(model.cuda().state_dict(), 'f')", False),
        ("torch.save({'a': model.cpu().state_dict(), 'b': x}, 'f')", False),
    ],
)
def test_whether_the_tensors_are_on_the_cpu(lines: str, on_cpu: bool) -> None:
    assert save_of(lines).content.on_cpu is on_cpu


@pytest.mark.parametrize(
    ("path", "in_model_dir"),
    [
        ("os.path.join(args.model_dir, 'm')", True),
        ("Path(args.model_dir) / args.name", True),
        ("f'{args.model_dir}/m_{epoch}.pth'", True),
        ("'/opt/ml/model/m'", True),
        ("'/opt/ml/models/m'", False),
        ("'m'", False),
        ("f'm_{epoch}.pth'", False),
        ("args.output + '/m'", False),
        ("os.path.join(os.path.dirname(__file__), 'm')", False),
        ("args.name", False),
        ("args.needed", None),
        ("os.path.join(os.environ['OUT'], 'm')", None),
        ("folder + '/m'", None),
        ("buffer()", None),
    ],
)
def test_whether_a_path_is_in_the_model_dir(path: str, in_model_dir: bool | None) -> None:
    assert save_of(f"torch.save(model.state_dict(), {path})").in_model_dir is in_model_dir


@pytest.mark.parametrize(
    ("line", "how", "name"),
    [
        ("torch.jit.save(torch.jit.script(model), 'm.pt')", "script", "m.pt"),
        ("torch.jit.script(model).save('m.pt')", "script", "m.pt"),
        ("save_file(model.state_dict(), 'm.safetensors')", "safetensors", "m.safetensors"),
        ("Accelerator().save(model.state_dict(), 'm.pt')", "torch", "m.pt"),
        ("torch.save(obj=model, f='m.pt')", "torch", "m.pt"),
        ("model.save_pretrained(args.model_dir)", "folder", ""),
        ("trainer.save_model()", "folder", ""),
    ],
)
def test_other_ways_to_save(line: str, how: str, name: str) -> None:
    save = save_of(line)
    assert (save.how, save.name) == (how, name)


def test_a_helper_shows_what_its_callers_give() -> None:
    save = save_of(
        "def keep(net, to):\n    torch.save(net.state_dict(), to + '/m.pth')\nkeep(ddp, args.model_dir)"
    )
    assert (save.content.wrapped, save.name, save.in_model_dir) == (True, "m.pth", True)


@pytest.mark.parametrize("line", ["image.save('a.png')", "np.save('a', x)", "torch.save(*both)"])
def test_what_is_no_save_of_a_model(line: str) -> None:
    assert all(
        save.content.kind == "unknown" for save in module_of(f"{HEAD}import numpy as np\n{line}\n").saving
    )
