"""Where a script reads the container's variables: `os.environ`, `os.getenv`, the toolkit's Environment."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from pytest_sagemaker.contract import KNOWN_NAMES

if TYPE_CHECKING:
    from pytest_sagemaker.lint.facts.flow import Flow
    from pytest_sagemaker.lint.facts.tree import Tree

TOOLKIT_ENVIRONMENTS = (
    "sagemaker_training.environment.Environment",
    "sagemaker_training.env.Environment",
    "sagemaker_containers.training_env",
    "sagemaker_containers.beta.framework.training_env",
    "sagemaker_containers.env.TrainingEnv",
)
"""Calls that give the toolkit's own, typed view of the same variables."""

_TOOLKIT_ATTRIBUTES = frozenset(name.removeprefix("SM_").lower() for name in KNOWN_NAMES) | {
    "channel_input_dirs",
    "hyperparameters",
}


class EnvRead(NamedTuple):
    """One read of one variable.

    `how` is `subscript` (a KeyError where it is missing), `get`, or `toolkit` (an attribute of the
    toolkit's Environment: already parsed). `default` is what `get` falls back to.
    """

    name: str
    node: ast.expr
    how: Literal["subscript", "get", "toolkit"]
    key: ast.expr | None = None
    default: ast.expr | None = None


def env_reads(tree: Tree, flow: Flow) -> tuple[EnvRead, ...]:
    """Every read whose name can be followed to a constant, in document order."""
    found: list[EnvRead] = []
    for subscript in tree.all(ast.Subscript):
        if isinstance(subscript.ctx, ast.Load) and _is_environ(subscript.value, tree, flow):
            found += [
                EnvRead(name, subscript, "subscript", subscript.slice)
                for name in constants(subscript.slice, flow)
            ]
    for call in [*tree.method_calls("get"), *tree.calls("os.getenv")]:
        if not call.args:
            continue
        if tree.name(call.func) == "os.getenv" or _is_environ(_receiver(call), tree, flow):
            default = (
                call.args[1]
                if len(call.args) > 1
                else next((keyword.value for keyword in call.keywords if keyword.arg == "default"), None)
            )
            found += [
                EnvRead(name, call, "get", call.args[0], default) for name in constants(call.args[0], flow)
            ]
    found += _toolkit_reads(tree, flow)
    return tuple(sorted(found, key=lambda read: (read.node.lineno, read.node.col_offset)))


def env_writes(tree: Tree, flow: Flow) -> frozenset[str]:
    """The variables that the script sets itself: by subscript, `setdefault`, `update` or `putenv`."""
    keys: list[ast.expr | None] = [
        subscript.slice
        for subscript in tree.all(ast.Subscript)
        if isinstance(subscript.ctx, ast.Store) and tree.name(subscript.value) == "os.environ"
    ]
    keys += [call.args[0] for call in tree.calls("os.environ.setdefault", "os.putenv") if call.args]
    named: list[str | None] = []
    for call in tree.calls("os.environ.update"):
        named += [keyword.arg for keyword in call.keywords]
        keys += [key for given in call.args if isinstance(given, ast.Dict) for key in given.keys]
    return frozenset([name for key in keys if key is not None for name in constants(key, flow)]) | {
        name for name in named if name
    }


def constants(node: ast.expr, flow: Flow) -> list[str]:
    """The strings that an expression can be, as far as they are written in this file."""
    return [
        value.node.value
        for value in flow.origins(node)
        if isinstance(value.node, ast.Constant) and isinstance(value.node.value, str)
    ]


def _receiver(call: ast.Call) -> ast.expr:
    return call.func.value if isinstance(call.func, ast.Attribute) else call.func


def _is_environ(node: ast.expr, tree: Tree, flow: Flow) -> bool:
    if tree.name(node) == "os.environ":
        return True
    if not isinstance(node, (ast.Name, ast.Attribute, ast.Call)):
        return False
    for value in flow.origins(node):
        found = value.node
        if isinstance(found, ast.Call):  # os.environ.copy(), dict(os.environ)
            inner = _receiver(found) if tree.name(found.func) != "dict" else (found.args or [found.func])[0]
            if tree.name(inner) == "os.environ" and (
                tree.name(found.func) == "dict" or tree.name(found.func).endswith(".copy")
            ):
                return True
        elif isinstance(found, ast.expr) and tree.name(found) == "os.environ":
            return True
    return False


def _toolkit_reads(tree: Tree, flow: Flow) -> list[EnvRead]:
    makers = tree.calls(*TOOLKIT_ENVIRONMENTS)
    if not makers:
        return []
    found: list[EnvRead] = []
    for attribute in tree.all(ast.Attribute):
        if attribute.attr not in _TOOLKIT_ATTRIBUTES or not isinstance(attribute.ctx, ast.Load):
            continue
        if any(value.node in makers for value in flow.origins(attribute.value)):
            found += _toolkit_read(attribute, tree)
    return found


def _toolkit_read(attribute: ast.Attribute, tree: Tree) -> list[EnvRead]:
    parent = tree.parents[attribute]
    if attribute.attr == "channel_input_dirs":
        if isinstance(parent, ast.Subscript) and isinstance(parent.slice, ast.Constant):
            return [EnvRead(channel_variable(str(parent.slice.value)), parent, "toolkit")]
        return [EnvRead("SM_CHANNEL_*", attribute, "toolkit")]
    return [EnvRead("SM_" + attribute.attr.upper(), attribute, "toolkit")]


def channel_variable(channel: str) -> str:
    """The variable that holds a channel's folder (hyphens are kept: sagemaker-training mapping.py)."""
    return "SM_CHANNEL_" + re.sub(r"\s", "_", channel).upper()
