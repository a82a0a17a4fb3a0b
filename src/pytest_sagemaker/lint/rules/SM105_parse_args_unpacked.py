"""`parse_args()` unpacked like a pair, or `parse_known_args()` used like a namespace.

`TypeError: cannot unpack non-iterable Namespace object`, or `AttributeError: 'tuple' object has no
attribute 'lr'`: the first line of the job fails.

Why it fails:
`parse_args()` returns the namespace alone. `parse_known_args()` returns a pair: the namespace first, then
the list of the arguments that it did not know.

Use instead:
`args = parser.parse_args()`, or `args, unknown = parser.parse_known_args()`.

False alarms:
None known: only parsers that are made by `argparse.ArgumentParser` in this file are looked at (optparse
does return a pair).

Source:
https://docs.python.org/3/library/argparse.html#partial-parsing
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from pytest_sagemaker.finding import Fix
from pytest_sagemaker.lint.edits import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.finding import Fault
    from pytest_sagemaker.lint.module import Module

SEVERITY = "E"

BAD = {
    "wrong-half-dropped": """\
import argparse

def train(args):
    print(args.lr)

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=0.1)
    _, args = parser.parse_args()  # SM105
    train(args)
""",
    "known-args-meant": """\
from argparse import ArgumentParser

args, unknown = ArgumentParser().parse_args()  # SM105
""",
    "into-an-attribute": """\
import argparse

class Job:
    def __init__(self):
        parser = argparse.ArgumentParser()
        _, self.args = parser.parse_args()  # SM105
""",
    "pair-as-namespace": """\
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
args = parser.parse_known_args()  # SM105
print(args.lr)
""",
    "pair-handed-on": """\
import argparse

def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=0.1)
    return parser.parse_known_args()  # SM105

def train(options):
    print(options.lr)

if __name__ == "__main__":
    train(parse())
""",
}

GOOD = {
    "namespace": """\
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
args = parser.parse_args()
print(args.lr)
""",
    "pair": """\
import argparse

parser = argparse.ArgumentParser()
args, _ = parser.parse_known_args()
known = parser.parse_known_args()
args = known[0]
print(args.lr, known.count(args))
print(parser.parse_known_args()[0].lr)
""",
    "optparse": """\
from optparse import OptionParser

parser = OptionParser()
options, args = parser.parse_args()
""",
    "somebody's-parser": """\
import argparse

def parse(parser):
    options, rest = parser.parse_args()
    known = parser.parse_known_args()
    return options, known.lr
""",
}


def check(module: Module) -> Iterator[Fault]:
    for call in module.method_calls("parse_args"):
        assign = module.tree.parents[call]
        if isinstance(assign, ast.Assign) and _is_argparse(module, call):
            for target in assign.targets:
                if isinstance(target, (ast.Tuple, ast.List)):
                    yield _unpacked(module, call, target)
    for call in module.method_calls("parse_known_args"):
        used = _attribute_of_pair(module, call)
        if used is not None and _is_argparse(module, call):
            yield module.fault(
                call,
                f"parse_known_args() returns a pair, which has no `{used.attr}` (line {used.lineno})",
                help="take the first of the pair: the namespace",
                fix=Fix("take the namespace", (replace(module, call, f"{module.text(call)}[0]"),)),
            )


def _unpacked(module: Module, call: ast.Call, target: ast.Tuple | ast.List) -> Fault:
    """A namespace unpacked: keep the half that is used, as `args, _` or `_, args` tell."""
    names = [element.id if isinstance(element, ast.Name) else "" for element in target.elts]
    fix = None
    if len(names) == 2 and all(names) and isinstance(call.func, ast.Attribute):
        if names[0].startswith("_"):
            fix = Fix(f"assign to `{names[1]}` alone", (replace(module, target, names[1]),))
        else:
            method = f"{module.text(call.func.value)}.parse_known_args"
            fix = Fix("call parse_known_args()", (replace(module, call.func, method),))
    return module.fault(
        target,
        "parse_args() returns one namespace, which cannot be unpacked: the job fails with a TypeError",
        help="write `args = parser.parse_args()`, or `args, unknown = parser.parse_known_args()`",
        fix=fix,
    )


def _attribute_of_pair(module: Module, call: ast.Call) -> ast.Attribute | None:
    """The first `.x` that is read from what a call of parse_known_args() returns."""
    parent = module.tree.parents[call]
    if isinstance(parent, ast.Subscript):
        return None
    if isinstance(parent, ast.Assign) and not any(isinstance(to, ast.Name) for to in parent.targets):
        return None
    for node in module.tree.all(ast.Attribute):
        if not isinstance(node.value, (ast.Name, ast.Call)) or hasattr(tuple, node.attr):
            continue
        if any(value.node is call and value.item is None for value in module.flow.origins(node.value)):
            return node
    return None


def _is_argparse(module: Module, call: ast.Call) -> bool:
    """Whether the parser can only be one of argparse's own."""
    if not isinstance(call.func, ast.Attribute):
        return False
    makers = [value.node for value in module.flow.origins(call.func.value)]
    return all(
        isinstance(node, ast.Call) and module.name(node.func) == "argparse.ArgumentParser" for node in makers
    )
