"""Where a script loads a model or other tensors, and which `load_state_dict` calls get what was loaded."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from pytest_sagemaker.lint.facts.models import is_network
from pytest_sagemaker.lint.facts.saving import argument

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.lint.facts.flow import Flow
    from pytest_sagemaker.lint.facts.paths import Paths
    from pytest_sagemaker.lint.facts.saving import Save
    from pytest_sagemaker.lint.facts.tree import Tree
    from pytest_sagemaker.lint.module import Module

_LOADS: dict[str, Literal["torch", "script", "safetensors"]] = {
    "torch.load": "torch",
    "torch.jit.load": "script",
    "safetensors.torch.load_file": "safetensors",
}


class Load(NamedTuple):
    """One call that reads a file of tensors.

    `name` is the file name where it is written in the script, else empty. `into` are the `load_state_dict`
    calls that its content reaches, whole or by a key.
    """

    node: ast.Call
    how: Literal["torch", "script", "safetensors"]
    path: ast.expr | None
    name: str
    into: tuple[ast.Call, ...]

    @property
    def networks(self) -> tuple[ast.Call, ...]:
        """Those of `into` that can be a network's, not an optimizer's or a loader's."""
        return tuple(
            taker
            for taker in self.into
            if isinstance(taker.func, ast.Attribute) and is_network(taker.func.value)
        )

    def given(self, keyword: str) -> ast.expr | None:
        """The value of a keyword; None where it is absent."""
        return next((given.value for given in self.node.keywords if given.arg == keyword), None)

    @property
    def open_ended(self) -> bool:
        """Whether arguments are passed on that cannot be seen: `*args`, `**kwargs`."""
        return any(isinstance(passed, ast.Starred) for passed in self.node.args) or any(
            keyword.arg is None for keyword in self.node.keywords
        )


def loading(tree: Tree, flow: Flow, paths: Paths) -> tuple[Load, ...]:
    """Every load of a file, in document order."""
    into: dict[ast.Call, list[ast.Call]] = {}
    calls = [(call, how) for name, how in _LOADS.items() for call in tree.calls(name)]
    for taker in tree.method_calls("load_state_dict") if calls else ():
        for state in [*taker.args[:1], *(k.value for k in taker.keywords if k.arg == "state_dict")]:
            for source in _sources(state, (), flow, 0):
                into.setdefault(source, []).append(taker)
    found = []
    for call, how in calls:
        path = argument(call, 0, "filename" if how == "safetensors" else "f")
        name = paths.name(path) if path is not None else ""
        found.append(Load(call, how, path, name, tuple(dict.fromkeys(into.get(call, ())))))
    return tuple(sorted(found, key=lambda load: (load.node.lineno, load.node.col_offset)))


def saved_by(module: Module, load: Load) -> tuple[tuple[Module, Save], ...]:
    """The saves of the file that a load reads, by its name, each with its script: this one, else siblings."""
    if not load.name:
        return ()
    own = tuple((module, save) for save in module.saving if save.name == load.name)
    if own:
        return own
    siblings = module.siblings
    naming = siblings.mentioning(rf"\b{re.escape(load.name)}\b")
    others = [siblings.module(file) for file in siblings.mentioning(r"\bsave\w*\(") if file in naming]
    return tuple((other, save) for other in others for save in other.saving if save.name == load.name)


def _sources(node: ast.expr, frame: tuple[ast.Call, ...], flow: Flow, depth: int) -> Iterator[ast.Call]:
    """The calls that made a state_dict, through keys (`checkpoint["model"]`) and renaming comprehensions."""
    if depth > 6:
        return
    for value in flow.origins(node, frame):
        made = value.node
        if isinstance(made, ast.Subscript):
            yield from _sources(made.value, value.frame, flow, depth + 1)
        elif isinstance(made, ast.DictComp):
            yield from _sources(made.generators[0].iter, value.frame, flow, depth + 1)
        elif isinstance(made, ast.Call):
            yield made
            if isinstance(made.func, ast.Attribute) and made.func.attr in ("get", "pop", "items", "copy"):
                yield from _sources(made.func.value, value.frame, flow, depth + 1)
