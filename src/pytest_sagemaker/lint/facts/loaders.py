"""The DataLoaders of a script: what each reads, how it is sampled, and whether its batches train."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from pytest_sagemaker.lint.facts.keywords import keywords

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.lint.facts.flow import Flow, Value
    from pytest_sagemaker.lint.facts.training import Training
    from pytest_sagemaker.lint.facts.tree import FunctionNode, Tree

Purpose = Literal["training", "evaluation", "unknown"]
Loop: TypeAlias = "ast.For | ast.While"
Via: TypeAlias = "tuple[FunctionNode, ast.Call]"

LOADERS = ("torch.utils.data.DataLoader", "torchdata.stateful_dataloader.StatefulDataLoader")
DISTRIBUTED_SAMPLER = "torch.utils.data.distributed.DistributedSampler"

_POSITIONS = ("dataset", "batch_size", "shuffle", "sampler", "batch_sampler")
_EVALUATION_WORDS = {"val", "valid", "validation", "dev", "test", "eval", "evaluate", "predict"}


class Loader(NamedTuple):
    """One DataLoader call. An argument has every value that it can have; none where it is not passed.

    `complete`: nothing else can be passed (no `**kwargs` from elsewhere). `samplers` are the origins of the
    sampler. `loops` are those over its batches that train: `purpose` is "training" if there is one.
    """

    call: ast.Call
    dataset: tuple[ast.expr, ...]
    shuffle: tuple[ast.expr, ...]
    sampler: tuple[ast.expr, ...]
    batch_sampler: tuple[ast.expr, ...]
    complete: bool
    samplers: tuple[Value, ...]
    purpose: Purpose
    loops: tuple[Loop, ...]


def loaders(tree: Tree, flow: Flow, training: Training) -> tuple[Loader, ...]:
    """Every DataLoader of a file, in document order."""
    calls = sorted(_calls(tree), key=lambda call: (call.lineno, call.col_offset))
    use = _Use(tree, flow, training, calls) if calls else None
    return tuple(_loader(call, tree, flow, use) for call in calls) if use else ()


def _calls(tree: Tree) -> list[ast.Call]:
    """Calls of DataLoader, and of a subclass in this file that keeps its arguments."""
    found = tree.calls(*LOADERS)
    for subclass in tree.all(ast.ClassDef):
        if (
            any(tree.name(base) in LOADERS for base in subclass.bases)
            and (subclass.name, "__init__") not in tree.methods
        ):
            for name in tree.references(subclass.name):
                parent = tree.parents[name]
                if isinstance(parent, ast.Call) and parent.func is name:
                    found.append(parent)
    return found


def _loader(call: ast.Call, tree: Tree, flow: Flow, use: _Use) -> Loader:
    named = keywords(tree, flow, call)
    starred = any(isinstance(arg, ast.Starred) for arg in call.args)
    values = {name: tuple(given) for name, given in named.values.items()}
    if not starred:
        values.update((name, (arg,)) for name, arg in zip(_POSITIONS, call.args, strict=False))
    sampler = values.get("sampler", ())
    loops = tuple(use.training_loops.get(call, ()))
    return Loader(
        call=call,
        dataset=values.get("dataset", ()),
        shuffle=values.get("shuffle", ()),
        sampler=sampler,
        batch_sampler=values.get("batch_sampler", ()),
        complete=named.complete and not starred,
        samplers=tuple(value for given in sampler for value in flow.origins(given)),
        purpose="training" if loops else "evaluation" if call in use.evaluated else "unknown",
        loops=loops,
    )


class _Use:
    """Which loops run over the batches of which loaders."""

    def __init__(self, tree: Tree, flow: Flow, training: Training, loaders: list[ast.Call]) -> None:
        self._tree = tree
        self._flow = flow
        self._training = training
        self._loaders = loaders
        self.training_loops: dict[ast.Call, list[Loop]] = {}
        self.evaluated: set[ast.Call] = set()
        for loop, iterable in self._loops():
            for loader, via in self._sources(iterable):
                if self._trains(loop, via):
                    self.training_loops.setdefault(loader, []).append(loop)
                else:
                    self.evaluated.add(loader)

    def _loops(self) -> Iterator[tuple[Loop, ast.expr]]:
        """Every loop with what it takes its items from: `for x in y`, and `next(y)` beside the steps."""
        for loop in self._tree.all(ast.For):
            yield loop, loop.iter
        for call in self._tree.calls("next"):
            around = self._loop_around(call)
            if not call.args or not isinstance(call.args[0], ast.Name) or around is None:
                continue
            if any(self._loop_around(step) is around for step in self._steps(around)):
                yield around, call.args[0]

    def _loop_around(self, node: ast.AST) -> Loop | None:
        loops = (outer for outer in self._tree.ancestors(node) if isinstance(outer, (ast.For, ast.While)))
        return next(loops, None)

    def _sources(self, node: ast.expr, depth: int = 0) -> Iterator[tuple[ast.Call, Via | None]]:
        """The loaders that an iterable takes its items from; through enumerate, tqdm, zip, iter and the like.

        With each comes the call that passed it, where it is a parameter of the function.
        """
        if depth > 4:
            return
        owner = self._tree.function(node)
        if isinstance(node, ast.Name) and owner is not None and self._is_parameter(node):
            for call in self._flow.calls_to(owner):
                passed = self._flow.argument(call, owner, node.id)
                for loader, _ in self._sources(passed, depth + 1) if passed is not None else ():
                    yield loader, (owner, call)
            return
        wrappers = [node] if isinstance(node, ast.Call) else []
        for value in self._flow.origins(node):
            if value.node in self._loaders:
                assert isinstance(value.node, ast.Call)
                yield value.node, None
            elif isinstance(value.node, ast.Call) and value.node not in wrappers:
                wrappers.append(value.node)
        for wrapper in wrappers:
            if wrapper not in self._loaders:
                receiver = [wrapper.func.value] if isinstance(wrapper.func, ast.Attribute) else []
                for part in [*wrapper.args, *receiver]:
                    yield from self._sources(part, depth + 1)

    def _is_parameter(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and any(
            binding.parameter is not None for binding in self._flow.bindings.reaching(node.id, node)
        )

    def _trains(self, loop: Loop, via: Via | None) -> bool:
        """Whether a loop trains on the loader that `via` passed to its function."""
        flags = [self._flags(step, loop) for step in self._steps(loop)]
        asked = {name for names in flags if names is not None for name in names}
        if None in flags:
            return True
        return (
            via is not None
            and bool(asked)
            and not any(_is_off(self._flow.argument(via[1], via[0], flag)) for flag in asked)
        )

    def _steps(self, outer: ast.AST) -> list[ast.Call]:
        """The calls within `outer` that train, or run a function of this file that does."""
        return [
            node
            for node in ast.walk(outer)
            if isinstance(node, ast.Call)
            and (node in self._training.calls or self._flow.local_function(node) in self._training.functions)
        ]

    def _flags(self, step: ast.Call, top: ast.AST, depth: int = 0) -> frozenset[str] | None:
        """The parameters that switch a step on, as in `if train: loss.backward()`; None if it always runs."""
        child: ast.AST = step
        for outer in self._tree.ancestors(step):
            if isinstance(outer, ast.If) and child is not outer.test:
                other = outer.orelse if child in outer.body else outer.body
                flag = self._flag(outer.test)
                if flag is not None and not any(self._steps(statement) for statement in other):
                    return frozenset({flag} - {""})
            if outer is top:
                break
            child = outer
        function = self._flow.local_function(step)
        if function is None or depth > 3:
            return None
        inner = [self._flags(call, function, depth + 1) for call in self._steps(function)]
        if None in inner or not inner:
            return None
        asked = {name for names in inner if names is not None for name in names}
        passed = [self._flow.argument(step, function, name) for name in asked]
        if passed and all(isinstance(value, ast.Constant) and not _is_off(value) for value in passed):
            return None
        return frozenset(value.id for value in passed if isinstance(value, ast.Name))

    def _flag(self, test: ast.expr) -> str | None:
        """The parameter in `train`, `not train`, `optimizer is not None`, `mode == "train"`.

        Empty for `model.training`, None where the test is of something else.
        """
        if isinstance(test, ast.UnaryOp):
            test = test.operand
        if isinstance(test, ast.Compare):
            test = test.left
        if isinstance(test, ast.Attribute) and test.attr == "training":
            return ""
        return test.id if isinstance(test, ast.Name) and self._is_parameter(test) else None


def _is_off(value: ast.expr | None) -> bool:
    """Whether a flag is False, None, or a word for evaluation."""
    return isinstance(value, ast.Constant) and (
        value.value is False or value.value is None or str(value.value).lower() in _EVALUATION_WORDS
    )
