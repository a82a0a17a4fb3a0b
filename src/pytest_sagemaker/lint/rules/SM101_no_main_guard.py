"""Work stands at module level: an endpoint imports this file, and would do the work again.

`SystemExit: 2` from argparse, `KeyError: 'SM_HOSTS'`, or a training run inside the endpoint: the server
says `Load model failed: model, error: Worker died.`

Why it fails:
`deploy()` takes the training script along, and the endpoint imports it for `model_fn`. There are no
hyperparameters on its command line, no channels, no other hosts.

Use instead:
Functions, and `if __name__ == "__main__":` around what starts them.

False alarms:
A script with another file beside it that has `model_fn` is not imported by the endpoint, and not
reported. Without `model_fn` anywhere this is a warning: nobody can say yet what the endpoint will import.

Source:
https://docs.python.org/3/library/__main__.html
https://sagemaker.readthedocs.io/en/stable/frameworks/pytorch/using_pytorch.html
"""

from __future__ import annotations

import ast
import io
from typing import TYPE_CHECKING

from pytest_sagemaker.finding import Edit, Fault, Fix
from pytest_sagemaker.lint.edits import indent_of
from pytest_sagemaker.lint.facts.work import DOWNLOADS, MAKES_A_GROUP, PARSES_LINE, TRAINS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.lint.facts.work import Work
    from pytest_sagemaker.lint.module import Module

SEVERITY = "E"

BAD = {
    "parses-at-import": '''\
import argparse
import torch

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1, help="""the
learning rate""")
args = parser.parse_args()  # SM101


def train(model, loss):
    loss.backward()


def model_fn(model_dir):
    return torch.load(model_dir)


if __name__ == "__main__":
    train(None, None)
''',
    "trains-at-import": """\
import torch


def model_fn(model_dir):
    return torch.load(model_dir)


model = torch.nn.Linear(1, 1)
for epoch in range(3):  # SM101
    for batch in [torch.ones(1)]:
        model(batch).backward()
# the end
torch.save(model.state_dict(), "model.pth")
""",
    "calls-its-functions": '''\
import argparse
import torch.distributed as dist


def parse():
    parser = argparse.ArgumentParser()
    return parser.parse_args()


def train(args):
    """Train."""
    dist.init_process_group("gloo")
    args.loss.backward()


options = parse()  # SM101
train(options)
''',
    "beside-a-guard": """\
import torch

def train(args):
    torch.ones(1).backward()

def model_fn(model_dir):
    return None

torch.distributed.init_process_group("gloo")  # SM101
text = '''
kept
  as it is'''
if __name__ == "__main__":
  train(text)
""",
    "downloads-at-import": """\
from torchvision.datasets import MNIST

data = MNIST("data", download=True)  # SM101

def train(loss):
    loss.backward()
""",
}

GOOD = {
    "guarded": """\
import argparse
import torch

def parse():
    return argparse.ArgumentParser().parse_args()

def train(args):
    torch.distributed.init_process_group("gloo")
    args.loss.backward()

if __name__ == "__main__" and torch.cuda.is_available():
    train(parse())
""",
    "command": """\
import click
import torch

@click.command()
def main():
    torch.ones(1).backward()

if __name__ == "__main__":
    main()
""",
    "no-training-no-handlers": """\
import argparse

args = argparse.ArgumentParser().parse_args()
print(args)
""",
    "set-up": """\
import logging
import torch

logging.basicConfig(level=logging.INFO)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
torch.manual_seed(0)

def train(loss):
    loss.backward()
""",
    "handler-with-its-model": """\
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("bert-base-cased")

def model_fn(model_dir):
    return tokenizer
""",
    "serving-module-beside-it": {
        "train.py": """\
import argparse

args = argparse.ArgumentParser().parse_args()
args.loss.backward()
""",
        "inference.py": """\
def model_fn(model_dir):
    return None
""",
    },
    "given-arguments": """\
import argparse

args = argparse.ArgumentParser().parse_args([])

def train(loss):
    loss.backward()
""",
}

_AT_THE_ENDPOINT = {
    PARSES_LINE: "the server's own arguments end it with exit code 2",
    MAKES_A_GROUP: "it waits for hosts that are not there",
    TRAINS: "it trains again",
    DOWNLOADS: "it downloads again, while the server waits for its answer",
}


def check(module: Module) -> Iterator[Fault]:
    if not (module.handlers or module.training):
        return
    pieces = module.import_work.pieces
    if not pieces or (not module.handlers and module.siblings.serving):
        return
    first = pieces[0]
    who = "the endpoint" if module.handlers else "an endpoint that is deployed from it"
    yield Fault(
        module.source.span(*_header(module, first.statement)),
        f"{first.does} at import: {who} imports this file, and {_AT_THE_ENDPOINT[first.does]}",
        help='put it under `if __name__ == "__main__":`',
        fix=_fix(module),
        severity=None if module.handlers and (module.training or first.does != DOWNLOADS) else "W",
        evidence=tuple(
            dict.fromkeys(_line(work) for work in pieces[1:] if work.statement is not first.statement)
        ),
    )


def _line(work: Work) -> str:
    return f"line {work.statement.lineno}: {work.does}"


def _header(module: Module, statement: ast.stmt) -> tuple[int, int]:
    """The first line of a statement."""
    start, end = module.offsets(statement)
    return start, min(end, start + len(module.source.line(statement.lineno)))


def _fix(module: Module) -> Fix | None:
    """Everything from where the work begins to the end of the file, indented under a guard.

    None where that stretch defines what an import needs.
    """
    body = module.tree.root.body
    start = module.import_work.start
    tail = body[start:]
    last = tail[-1] if tail and tail[-1] is module.guard else None
    moved = tail[:-1] if last else tail
    if not moved or any(isinstance(node, _KEPT) or node.col_offset for node in tail):
        return None
    if module.handlers and _bound(module, moved) & _read_in_functions(module):
        return None
    if last is None:
        return Fix("put it under a guard", (_indented(module, moved, None, "    "),), safe=False)
    if last.orelse or last.body[0].lineno == last.lineno:
        return None
    edit = _indented(module, moved, last, indent_of(module, last.body[0]))
    return Fix("put it under the guard", (edit,), safe=False)


_KEPT = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)


def _bound(module: Module, statements: list[ast.stmt]) -> set[str]:
    stored = [node for node in module.tree.all(ast.Name) if isinstance(node.ctx, ast.Store)]
    return {node.id for node in stored if any(module.tree.inside(node, outer) for outer in statements)}


def _read_in_functions(module: Module) -> set[str]:
    loaded = [node for node in module.tree.all(ast.Name) if isinstance(node.ctx, ast.Load)]
    return {node.id for node in loaded if module.tree.function(node) is not None}


def _indented(module: Module, moved: list[ast.stmt], guard: ast.If | None, indent: str) -> Edit:
    """`moved` under a guard: a new one, or the one that follows, whose header goes up."""
    source = module.source
    start = source.offset(moved[0].lineno, 0)
    end = source.offset(guard.lineno, 0) if guard else len(source.text)
    inside_text = {
        line
        for node in [*module.tree.all(ast.Constant), *module.tree.all(ast.JoinedStr)]
        for line in range(node.lineno + 1, (node.end_lineno or node.lineno) + 1)
    }
    lines = io.StringIO(source.text[start:end], newline="").readlines()
    shifted = [
        line if not line.strip() or number in inside_text else indent + line
        for number, line in enumerate(lines, moved[0].lineno)
    ]
    header = 'if __name__ == "__main__":' + source.newline
    if guard is not None:
        body = source.offset(guard.body[0].lineno, 0)
        header, end = source.text[end:body], body
    return Edit(start, end, header + "".join(shifted))
