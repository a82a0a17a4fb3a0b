"""Where a script saves a model or a checkpoint: what, under which file name, into which folder."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from pytest_sagemaker.lint.facts.contents import UNKNOWN_CONTENT, Content

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.lint.facts.contents import Contents
    from pytest_sagemaker.lint.facts.leaves import Leaf
    from pytest_sagemaker.lint.facts.models import Models
    from pytest_sagemaker.lint.facts.paths import Paths
    from pytest_sagemaker.lint.facts.tree import Tree

MODEL_DIR = "/opt/ml/model"

How: TypeAlias = Literal["torch", "safetensors", "script", "folder"]

_OF_WHAT_AND_PATH: dict[str, How] = {
    "torch.save": "torch",
    "torch_xla.core.xla_model.save": "torch",
    "smdistributed.modelparallel.torch.save": "torch",
    "safetensors.torch.save_file": "safetensors",
    "safetensors.torch.save_model": "safetensors",
}

_OF_A_FOLDER = ("save_pretrained", "save_model", "save_state", "save_checkpoint")
"""Methods of models and frameworks that write a format of their own."""


class Save(NamedTuple):
    """One call that saves `what` at `path` (None where the call does not show it).

    `how` is `torch` for pickles, `script` for TorchScript, `folder` for save_pretrained and the like. `name`
    is the file name where it is written in the script, else empty. `in_model_dir` is whether the file lands
    in the folder that SageMaker uploads as the model, None where that cannot be told.
    """

    node: ast.Call
    how: How
    content: Content = UNKNOWN_CONTENT
    what: ast.expr | None = None
    path: ast.expr | None = None
    name: str = ""
    in_model_dir: bool | None = None


def is_model_dir(leaf: Leaf) -> bool:
    """Whether a leaf is the folder that SageMaker uploads as the model."""
    if leaf.kind == "env":
        return leaf.text == "SM_MODEL_DIR"
    return leaf.kind == "constant" and (leaf.text == MODEL_DIR or leaf.text.startswith(f"{MODEL_DIR}/"))


class Saving:
    """Finds the saves of a file."""

    def __init__(self, tree: Tree, models: Models, contents: Contents, paths: Paths) -> None:
        """Look into `tree` on demand."""
        self._tree = tree
        self._models = models
        self._contents = contents
        self._paths = paths

    def saves(self) -> tuple[Save, ...]:
        """Every call that saves a model or a checkpoint, in document order."""
        return tuple(sorted(self._find(), key=lambda save: (save.node.lineno, save.node.col_offset)))

    def _find(self) -> Iterator[Save]:
        for name, how in _OF_WHAT_AND_PATH.items():
            for call in self._tree.calls(name):
                yield self._torch(call, how)
        for call in self._tree.calls("torch.jit.save"):
            yield self._save(call, "script", argument(call, 0, "m"), argument(call, 1, "f"))
        for call in self._tree.method_calls("save"):
            yield from self._method(call)
        for call in self._tree.method_calls(*_OF_A_FOLDER):
            if not self._tree.name(call.func):
                yield self._save(call, "folder", None, argument(call, 0, "save_directory"))

    def _method(self, call: ast.Call) -> Iterator[Save]:
        """`scripted.save(path)` and `accelerator.save(what, path)`; any other save is not of a model."""
        assert isinstance(call.func, ast.Attribute)
        receiver = call.func.value
        if self._tree.name(call.func):
            return
        models = self._models.of(receiver)
        if models and all(model.kind == "script" for model in models):
            yield self._save(call, "script", receiver, argument(call, 0, "f"))
        elif any(
            model.maker and self._tree.name(model.maker.func).endswith(".Accelerator") for model in models
        ):
            yield self._torch(call, "torch")

    def _torch(self, call: ast.Call, how: How) -> Save:
        return self._save(call, how, argument(call, 0, "obj"), argument(call, 1, "f"))

    def _save(self, call: ast.Call, how: How, what: ast.expr | None, path: ast.expr | None) -> Save:
        content = self._contents.of(what) if what else UNKNOWN_CONTENT
        if path is None:
            return Save(call, how, content, what)
        name = "" if how == "folder" else self._paths.name(path)
        return Save(call, how, content, what, path, name, self._in_model_dir(path))

    def _in_model_dir(self, path: ast.expr) -> bool | None:
        roots = self._paths.roots(path)
        if any(is_model_dir(leaf) for leaves in roots for leaf in leaves):
            return True
        return False if all(map(in_sight, roots)) else None


def argument(call: ast.Call, position: int, name: str) -> ast.expr | None:
    """What a call passes at a position or by a name; None where it cannot be seen."""
    if any(isinstance(passed, ast.Starred) for passed in call.args[: position + 1]):
        return None
    if len(call.args) > position:
        return call.args[position]
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)


def in_sight(root: tuple[Leaf, ...]) -> bool:
    """Whether everything that a path begins with is known; an argument is, where it has a default."""
    for leaf in root:
        if leaf.kind == "argument":
            if not isinstance(leaf.node, ast.Call) or all(k.arg != "default" for k in leaf.node.keywords):
                return False
        elif leaf.kind not in ("constant", "file") and not leaf.text.startswith("SM_"):
            return False
    return True
