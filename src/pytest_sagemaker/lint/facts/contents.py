"""What an object that a script saves holds: a state_dict, a whole network, a checkpoint, or no weights."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Literal, NamedTuple

from pytest_sagemaker.lint.facts.models import UNKNOWN_MODEL, Model, is_network

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_sagemaker.lint.facts.flow import Flow
    from pytest_sagemaker.lint.facts.models import Models
    from pytest_sagemaker.lint.facts.tree import Tree

Kind = Literal["state_dict", "checkpoint", "module", "script", "other", "unknown"]
"""`checkpoint` is a dict that holds a state_dict or a whole network; `other` holds no weights at all."""

MAX_DEPTH = 6
"""Dicts and copies nested deeper are given up as unknown."""

_COPIES = ("copy.copy", "copy.deepcopy", "dict", "collections.OrderedDict")
_STATE_GETTERS = ("get_state_dict", "get_model_state_dict", "get_peft_model_state_dict")


class Content(NamedTuple):
    """What is saved. `models` are the networks whose weights it holds, `on_cpu` if all tensors are there."""

    kind: Kind
    models: tuple[Model, ...] = ()
    on_cpu: bool = False

    @property
    def wrapped(self) -> bool | None:
        """Whether the names in the state_dict begin with `module.`; None where it cannot be told."""
        answers = {model.wrapped for model in self.models}
        return answers.pop() if len(answers) == 1 else None


UNKNOWN_CONTENT = Content("unknown")


class Contents:
    """Reads what saved expressions hold."""

    def __init__(self, tree: Tree, flow: Flow, models: Models) -> None:
        """Look into `tree` on demand."""
        self._tree = tree
        self._flow = flow
        self._models = models

    def of(self, node: ast.expr, frame: tuple[ast.Call, ...] = (), _depth: int = 0) -> Content:
        """What an expression holds; unknown where it can hold different kinds of things."""
        found = list(self._each(node, frame, _depth))
        kinds = {content.kind for content in found}
        if len(kinds) != 1:
            return UNKNOWN_CONTENT
        return Content(kinds.pop(), _networks(found), all(content.on_cpu for content in found))

    def _each(self, node: ast.expr, frame: tuple[ast.Call, ...], depth: int) -> Iterator[Content]:
        for value in self._flow.origins(node, frame):
            if not isinstance(value.node, ast.expr) or value.item is not None or depth > MAX_DEPTH:
                yield UNKNOWN_CONTENT
            elif isinstance(value.node, ast.Constant):
                if value.node.value is not None:  # None: a name that is given its value later
                    yield Content("other", on_cpu=True)
            else:
                yield self._origin(value.node, value.frame, depth)

    def _origin(self, node: ast.expr, frame: tuple[ast.Call, ...], depth: int) -> Content:
        if isinstance(node, ast.Dict):
            return self._dict(node, frame, depth)
        if isinstance(node, ast.DictComp):
            return self._comprehension(node, frame, depth)
        if isinstance(node, ast.Call):
            method = node.func if isinstance(node.func, ast.Attribute) else None
            if method and method.attr == "state_dict":
                return self._state_dict(node, method.value, frame)
            if method and method.attr in _STATE_GETTERS:
                return Content("state_dict", (UNKNOWN_MODEL,))
            if node.args and self._tree.name(node.func) in _COPIES:
                copied = self.of(node.args[0], frame, depth + 1)
                if copied.kind != "unknown":
                    return copied
            if method and method.attr == "copy" and not node.args:
                return self.of(method.value, frame, depth + 1)
        models = self._models.of(node, frame)
        kinds = {model.kind for model in models}
        if len(kinds) != 1:
            return UNKNOWN_CONTENT
        return Content(kinds.pop(), models, all(model.on_cpu for model in models))

    def _state_dict(self, call: ast.Call, owner: ast.expr, frame: tuple[ast.Call, ...]) -> Content:
        if not is_network(owner):
            return Content("other")
        models = self._models.of(owner, frame) or (UNKNOWN_MODEL,)
        on_cpu = all(model.on_cpu for model in models) or self._moved_before(call, ast.unparse(owner))
        return Content("state_dict", models, on_cpu)

    def _moved_before(self, call: ast.Call, written: str) -> bool:
        """Whether `model.cpu()` stands as a statement above a call in the same function."""
        return any(
            isinstance(self._tree.parents[move], ast.Expr)
            and isinstance(move.func, ast.Attribute)
            and ast.unparse(move.func.value) == written
            and self._tree.function(move) is self._tree.function(call)
            and move.lineno < call.lineno
            and self._models.moves_to_cpu(move)
            for move in self._tree.method_calls("cpu", "to")
        )

    def _dict(self, node: ast.Dict, frame: tuple[ast.Call, ...], depth: int) -> Content:
        inner = [self.of(value, frame, depth + 1) for value in node.values]
        held = [content for content in inner if content.kind in ("state_dict", "module", "checkpoint")]
        on_cpu = all(content.on_cpu for content in inner)
        if held:
            return Content("checkpoint", _networks(held), on_cpu)
        plain = all(content.kind == "other" for content in inner) and None not in node.keys
        return Content("other", on_cpu=on_cpu) if plain else UNKNOWN_CONTENT

    def _comprehension(self, node: ast.DictComp, frame: tuple[ast.Call, ...], depth: int) -> Content:
        """`{name: value.cpu() for name, value in model.state_dict().items()}`."""
        source, target = node.generators[0].iter, node.generators[0].target
        if not (isinstance(source, ast.Call) and isinstance(source.func, ast.Attribute)):
            return UNKNOWN_CONTENT
        content = self.of(source.func.value, frame, depth + 1)
        if not (isinstance(target, ast.Tuple) and ast.unparse(target.elts[0]) == ast.unparse(node.key)):
            content = content._replace(models=tuple(m._replace(wrapped=None) for m in content.models))
        moves = [part for part in ast.walk(node.value) if isinstance(part, ast.Call)]
        return content._replace(on_cpu=content.on_cpu or any(map(self._models.moves_to_cpu, moves)))


def _networks(contents: Sequence[Content]) -> tuple[Model, ...]:
    return tuple(dict.fromkeys(model for content in contents for model in content.models))
