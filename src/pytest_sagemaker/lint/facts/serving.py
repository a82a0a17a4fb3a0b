"""What of a script runs at an endpoint: its handlers, and how `model_fn` loads the model."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_sagemaker.lint.facts.flow import Flow
    from pytest_sagemaker.lint.facts.loading import Load
    from pytest_sagemaker.lint.facts.tree import FunctionNode, Tree
    from pytest_sagemaker.lint.module import Module

_PREFIX_WORDS = ("module.", "consume_prefix_in_state_dict_if_present", "removeprefix", "_orig_mod")


class Serving(NamedTuple):
    """`model_fn` of a module, and `functions`: itself and what it calls in the same file.

    `loads` are the files of tensors that they read. `handles_prefix`: whether they rename what they load, or
    load it only in part, so that `module.` before the names does no harm.
    """

    model_fn: FunctionNode | None
    functions: frozenset[FunctionNode]
    loads: tuple[Load, ...]
    handles_prefix: bool


def serving(tree: Tree, flow: Flow, loads: Iterable[Load]) -> Serving:
    """What `model_fn` does; without one everything is empty."""
    model_fn = tree.functions.get("model_fn")
    if model_fn is None:
        return Serving(None, frozenset(), (), False)
    functions = reach(tree, flow, model_fn)
    return Serving(
        model_fn,
        functions,
        tuple(load for load in loads if tree.function(load.node) in functions),
        any(_handles_prefix(function) for function in functions),
    )


def endpoint(module: Module) -> Module | None:
    """The module that serves what this one saves: itself, else the one sibling with a model_fn.

    None where another sibling saves too: what the endpoint then gets cannot be told.
    """
    if module.serving.model_fn is not None:
        return module
    siblings = module.siblings
    if len(siblings.serving) != 1:
        return None
    served = siblings.serving[0]
    savers = siblings.mentioning(r"\bsave\w*\(")
    return served if all(str(file) == served.source.path for file in savers) else None


def is_served(tree: Tree, handlers: Mapping[str, FunctionNode]) -> bool:
    """Whether functions with the names of handlers are meant for an endpoint.

    TensorFlow's estimators have a model_fn and an input_fn of their own.
    """
    if any(full.partition(".")[0] in ("tensorflow", "jax") for full in tree.imports.values()):
        return False
    model_fn = handlers.get("model_fn")
    if model_fn is None:
        return len(handlers) > 1
    parameters = [*model_fn.args.posonlyargs, *model_fn.args.args]
    return len(handlers) > 1 or any(
        word in parameter.arg.lower() for parameter in parameters[:1] for word in ("dir", "path", "folder")
    )


def reach(tree: Tree, flow: Flow, start: FunctionNode) -> frozenset[FunctionNode]:
    """A function and every function, method and constructor of this file that it calls, also indirectly."""
    found: set[FunctionNode] = set()
    todo = [start]
    while todo:
        function = todo.pop()
        if function in found:
            continue
        found.add(function)
        for node in ast.walk(function):
            if isinstance(node, ast.Call):
                todo += _called(node, tree, flow)
    return frozenset(found)


def _called(call: ast.Call, tree: Tree, flow: Flow) -> list[FunctionNode]:
    target = call.func
    local = flow.local_function(call)
    if local is not None:
        return [local]
    if isinstance(target, ast.Name):
        keys = [(target.id, "__init__")]
    elif isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
        keys = [(target.value.id, target.attr)]
    else:
        keys = []
    return [tree.methods[key] for key in keys if key in tree.methods]


def _handles_prefix(function: FunctionNode) -> bool:
    for node in ast.walk(function):
        if isinstance(node, ast.keyword) and node.arg == "strict":
            return True
        text = (
            node.value
            if isinstance(node, ast.Constant)
            else node.attr
            if isinstance(node, ast.Attribute)
            else node.id
            if isinstance(node, ast.Name)
            else ""
        )
        if isinstance(text, str) and any(word in text for word in _PREFIX_WORDS):
            return True
    return False
