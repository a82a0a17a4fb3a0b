"""What may write into the model dir."""

from __future__ import annotations

import pytest
from rules_harness import module_of

HEAD = """\
import argparse, os, shutil, torch
from pathlib import Path
from helpers import keep, Config

def local(net, folder):
    target = os.path.join(folder, "m.pth")
    torch.save(net, target)

def where(args):
    return Path(args.model_dir) / "sub"

parser = argparse.ArgumentParser()
parser.add_argument("--model-dir", default=os.environ["SM_MODEL_DIR"])
parser.add_argument("--data", default="data")
args = parser.parse_args()
"""


def uses(lines: str) -> list[str]:
    """The calls that may write, by the last part of their name."""
    module = module_of(f"{HEAD}{lines}\n")
    return [module.text(call.func).rpartition(".")[2] for call, _ in module.model_dir.uses]


@pytest.mark.parametrize(
    ("lines", "writers"),
    [
        ("", []),
        ("os.makedirs(args.model_dir, exist_ok=True)\nprint(args.model_dir)", []),
        ("logger.info('to %s', args.model_dir)", []),
        ("torch.load(os.path.join(args.model_dir, 'm.pth'))", []),
        ("keep(args.data)", []),
        ("local(net, args.data)", []),
        ("local(net, args.model_dir)", ["save"]),
        ("keep(args.model_dir)", ["keep"]),
        ("keep(args)", ["keep"]),
        ("keep(where(args))", ["keep"]),
        ("out = Path(args.model_dir)\nshutil.copy('a', out / 'b')", ["copy"]),
        ("a, out = 1, args.model_dir\nshutil.copy('a', out)", ["copy"]),
        ("os.system(f'cp a {args.model_dir}')", ["system"]),
        ("with open(args.model_dir + '/a', 'w') as f:\n    keep(x, f)", ["keep"]),
        ("keep(str(os.path.join(args.model_dir, 'a')))", ["keep"]),
        ("Config(to=args.model_dir)", ["Config"]),
        ("keep('/opt/ml/model/a')", ["keep"]),
    ],
)
def test_uses(lines: str, writers: list[str]) -> None:
    assert uses(lines) == writers


@pytest.mark.parametrize(
    ("line", "lost"),
    [
        ("config = {'to': args.model_dir}", True),
        ("config['to'] = args.model_dir", True),
        ("config = {'to': args.data}", False),
    ],
)
def test_what_is_put_behind_a_key_is_lost(line: str, lost: bool) -> None:
    assert module_of(f"{HEAD}{line}\n").model_dir.lost is lost


def test_where_it_is_taken() -> None:
    assert len(module_of(HEAD).model_dir.taken) == 1
    assert module_of("save('/opt/ml/models/a')\n").model_dir.taken == ()
