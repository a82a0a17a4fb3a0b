"""From the events of an endpoint's process to what it showed. Pure: no torch, no process.

| event | values |
|---|---|
| stage | import, model_fn, predict, end: what begins now |
| effect, step, wrote | text; nothing; path: what an import should not do |
| failure | stage, fields of record.Failure |
| handler | whether there is a model_fn, its line |
| returned | type, whether there is a model in it |
| parameters, artifact | digests of the loaded model; of what a saved file holds |
| predicted | ok, nan, differs |
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from pytest_sagemaker.job.assemble import as_on_host, relocated
from pytest_sagemaker.job.record import Failure, Served

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_sagemaker.job.evidence import Module
    from pytest_sagemaker.job.launch import Ended
    from pytest_sagemaker.job.serve import ServeTask

Weights = Literal["trained", "initial", "artifact", "different", "unknown"]

_FEW = 5  # names of differing parameters


def read_served(
    events: Iterable[Sequence[Any]], end: Ended, timeout: float, task: ServeTask, trained: Sequence[Module]
) -> Served:
    """What the endpoint showed. `trained` is what the ranks trained; `timeout` the seconds it was given."""
    fold = _Fold()
    for name, *values in events:
        getattr(fold, f"on_{name}")(*values)
    fold.close(end, timeout)
    weights, differing = compare(fold.loaded, trained, fold.artifacts)
    code, root = task.place.code, task.root
    imported, model_fn, prediction = (
        relocated(fold.failures.get(stage), code, root) for stage in ("import", "model_fn", "predict")
    )
    return replace(
        fold.served,
        module=task.module.name,
        effects=tuple(as_on_host(effect, code, root) for effect in fold.effects()),
        imported=imported,
        model_fn=model_fn,
        prediction=prediction,
        predicted="failed" if prediction else fold.served.predicted,
        weights=weights,
        differing=tuple(differing[:_FEW]),
    )


class _Fold:
    """Takes events in, one method each."""

    def __init__(self) -> None:
        self.served = Served()
        self.failures: dict[str, Failure] = {}
        self.loaded: Mapping[str, str] = {}
        self.artifacts: list[Mapping[str, str]] = []
        self._stage = ""
        self._done: dict[str, list[str]] = defaultdict(list)  # by stage

    def on_stage(self, name: str) -> None:
        self._stage = name

    def on_effect(self, text: str) -> None:
        self._done[self._stage].append(text)

    def on_step(self) -> None:
        self._done[self._stage].append("optimizer step")

    def on_wrote(self, path: str) -> None:
        self._done[self._stage].append(f"wrote {path}")

    def on_failure(self, stage: str, fields: Mapping[str, Any]) -> None:
        self.failures[stage] = Failure(**fields)

    def on_handler(self, present: bool, line: int) -> None:
        self.served = replace(self.served, has_model_fn=present, model_fn_line=line)

    def on_returned(self, kind: str, is_model: bool) -> None:
        self.served = replace(self.served, returned=kind, is_model=is_model)

    def on_parameters(self, digests: Mapping[str, str]) -> None:
        self.loaded = digests

    def on_artifact(self, digests: Mapping[str, str]) -> None:
        self.artifacts.append(digests)

    def on_predicted(self, verdict: Literal["ok", "nan", "differs"]) -> None:
        self.served = replace(self.served, predicted=verdict)

    def close(self, end: Ended, timeout: float) -> None:
        """A process that hung or died was in some stage."""
        if self._stage == "end":
            return
        if end.exit_code is None:
            self.failures[self._stage] = Failure("TimeoutError", f"did not end within {timeout:g} seconds")
        else:
            how = f"the process ended with code {end.exit_code}"
            self.failures[self._stage] = Failure("ProcessEnded", how, traceback=end.output)

    def effects(self) -> tuple[str, ...]:
        """What the import did, each thing once."""
        counted = Counter(self._done["import"])
        steps = counted.pop("optimizer step", 0)
        return (*([f"took {steps} optimizer step{'s' * (steps > 1)}"] if steps else []), *counted)


def compare(
    loaded: Mapping[str, str], trained: Sequence[Module], artifacts: Sequence[Mapping[str, str]]
) -> tuple[Weights, list[str]]:
    """Whether a model holds what was trained, by digests; and the names of parameters that differ.

    What the parameters were at any time after the first step counts: a script may save its best epoch.
    """
    states = [state for module in trained for state in (module.last, *module.snapshots)]
    alike = [state for state in states if loaded.keys() & state.keys()]
    if any(module.sharded for module in trained) or (alike and not any(_shared(loaded, s) for s in alike)):
        return "unknown", []
    if any(_holds(loaded, state) for state in states):
        return "trained", []
    differing = min(filter(None, (_differing(loaded, state) for state in states)), key=len, default=[])
    if any(_holds(loaded, module.initial) for module in trained):
        return "initial", differing
    if any(_holds(loaded, state) for state in artifacts):
        return "artifact", differing
    return ("different" if differing else "unknown"), differing


def _holds(loaded: Mapping[str, str], state: Mapping[str, str]) -> bool:
    """All that both name is equal. Without common names one wraps the other, and has all its values."""
    if loaded.keys() & state.keys():
        return bool(_shared(loaded, state)) and not _differing(loaded, state)
    ours, theirs = set(loaded.values()), set(state.values())
    return bool(ours) and bool(theirs) and (theirs <= ours or ours <= theirs)


def _differing(loaded: Mapping[str, str], state: Mapping[str, str]) -> list[str]:
    return [name for name in _shared(loaded, state) if state[name] != loaded[name]]


def _shared(loaded: Mapping[str, str], state: Mapping[str, str]) -> list[str]:
    """Parameters of both, of the same type: what was halved cannot be compared."""
    return [
        name
        for name, value in loaded.items()
        if name in state and state[name].partition(":")[0] == value.partition(":")[0]
    ]
