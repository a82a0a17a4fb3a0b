"""An endpoint's process: imports the handlers, loads the model, predicts. Runs in a child of the engine.

The rules are those of sagemaker-inference and sagemaker-pytorch-inference (`transformer.py`,
`default_pytorch_inference_handler.py`).
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import pickle
import zipfile
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

from pytest_sagemaker.job.child import Place, settle
from pytest_sagemaker.job.failures import failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    import torch

    from pytest_sagemaker.job.observe.recorder import Recorder

_SUFFIXES = (".pt", ".pth")  # of the one file that the default model_fn loads


class StageFailedError(Exception):
    """Something that belongs to the script failed; it has been noted."""


@dataclass(frozen=True)
class ServeTask:
    """What to serve: `module` is the file with the handlers, `model` the folder with what was saved, if any.

    `root` stands for the endpoint's `/`. `inputs` are recorded training inputs, each with the digests of the
    module that it was given to.
    """

    place: Place
    module: Path
    root: Path
    model: Path | None
    inputs: tuple[tuple[Path, Mapping[str, str]], ...]
    evidence: Path

    def run(self, started: float, output: int) -> NoReturn:
        """Never returns. What is seen goes into the events that `served.py` lists."""
        from pytest_sagemaker.job.observe.recorder import Recorder
        from pytest_sagemaker.job.observe.watch import watch_endpoint

        settle(self.place, output)
        recorder = Recorder(self.evidence, started)
        watch_endpoint(recorder, str(self.root))
        try:
            _Endpoint(self, recorder).serve()
        except StageFailedError:
            recorder.emit("stage", "end")
        recorder.flush()
        os._exit(0)


class _Endpoint:
    def __init__(self, task: ServeTask, recorder: Recorder) -> None:
        self._task = task
        self._recorder = recorder

    def serve(self) -> None:
        """Import, load, predict, and last of all look into the saved files."""
        with self._stage("import"):
            handlers = self._import()
        model_fn = getattr(handlers, "model_fn", None)
        self._recorder.emit("handler", model_fn is not None, _line(model_fn, self._task.module))
        if self._task.model:
            self._load(handlers, model_fn or default_model_fn, self._task.model)
        self._recorder.emit("stage", "end")

    def _load(self, handlers: ModuleType | None, model_fn: Callable[..., Any], folder: Path) -> None:
        with self._stage("model_fn"):
            loaded = call(model_fn, str(folder))
        model = module_in(loaded)
        self._recorder.emit("returned", type(loaded).__name__, model is not None)
        if model is not None:
            self._compare(model, folder)
            self._predict(handlers, loaded, model)

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        """Note what begins, on disk: if the process hangs or dies, it was in this stage."""
        self._recorder.emit("stage", name)
        self._recorder.flush()
        try:
            yield
        except BaseException as error:  # SystemExit too: argparse ends a server with it
            described = failure(error, self._task.module, self._recorder.now())
            self._recorder.emit("failure", name, asdict(described))
            raise StageFailedError from error

    def _import(self) -> ModuleType | None:
        name = self._task.module.stem
        return importlib.import_module(name) if importlib.util.find_spec(name) else None

    def _compare(self, model: torch.nn.Module, folder: Path) -> None:
        from pytest_sagemaker.job.observe.parameters import digests, tensor_digests

        self._recorder.emit("parameters", digests(model))
        for state in saved_states(folder):
            self._recorder.emit("artifact", tensor_digests(state))

    def _predict(self, handlers: ModuleType | None, loaded: Any, model: torch.nn.Module) -> None:
        """Put one recorded input twice to the handlers, or to the model where they are of no use for that.

        A predict_fn of its own may want what an input_fn of its own makes; if it refuses the input that the
        model takes, nothing is proved.
        """
        given = self._input(model)
        if given is None or hasattr(handlers, "transform_fn"):
            return
        predict_fn = getattr(handlers, "predict_fn", None)
        args, kwargs = given
        with self._stage("predict"):
            if predict_fn and len(args) == 1 and not kwargs:
                try:
                    answers = [call(predict_fn, args[0], loaded) for _ in range(2)]
                except Exception:
                    default_predict_fn(model, args, kwargs)
                    return
            else:
                answers = [default_predict_fn(model, args, kwargs) for _ in range(2)]
        self._recorder.emit("predicted", verdict(*answers))

    def _input(self, model: torch.nn.Module) -> tuple[list[Any], dict[str, Any]] | None:
        """The input of the trained module that is most like the loaded one."""
        import torch

        from pytest_sagemaker.job.observe.parameters import digests

        found = digests(model)
        alike = [
            (len(found.keys() & theirs.keys()) or len({*found.values()} & {*theirs.values()}), path)
            for path, theirs in self._task.inputs
        ]
        score, path = max(alike, default=(0, self._task.evidence))
        if not score:
            return None
        args, kwargs = torch.load(path, weights_only=True)
        return args, kwargs


def call(handler: Callable[..., Any], *args: Any) -> Any:
    """Call a handler as the server does: with the context last where it has one parameter more.

    Raises:
        TypeError: it has another number of parameters; in the server's words.
    """
    count = len(inspect.signature(handler).parameters)
    if count == len(args):
        return handler(*args)
    if count == len(args) + 1:
        return handler(*args, SimpleNamespace(system_properties={"gpu_id": None}, manifest={}))
    name = getattr(handler, "__name__", "handler")
    raise TypeError(f"{name} takes {count} arguments but {len(args)} were given.")


def default_model_fn(model_dir: str) -> Any:
    """What the server does without a model_fn: load the one TorchScript file.

    Raises:
        ValueError: there is no such file, or it holds no TorchScript; in the server's words.
    """
    import torch

    found = [path for path in sorted(Path(model_dir).iterdir()) if path.suffix in _SUFFIXES]
    if len(found) != 1:
        names = [path.name for path in found]
        raise ValueError(f"Exactly one .pth or .pt file is required for PyTorch models: {names}")
    try:
        return torch.jit.load(str(found[0]), map_location="cpu")
    except RuntimeError as error:
        raise ValueError(
            f"Failed to load {found[0].name}. Please ensure model is saved using torchscript."
        ) from error


def default_predict_fn(model: torch.nn.Module, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """What the server does without a predict_fn."""
    import torch

    with torch.no_grad():
        return model.to("cpu").eval()(*args, **kwargs)


def verdict(first: Any, second: Any) -> str:
    """`nan`, `differs` or `ok` for two answers to the same input."""
    import torch

    from pytest_sagemaker.job.observe.content import tensors_in

    one, other = list(tensors_in(first)), list(tensors_in(second))
    if any(tensor.is_floating_point() and bool(torch.isnan(tensor).any()) for tensor in one):
        return "nan"
    if one:
        same = len(one) == len(other) and all(map(torch.equal, one, other))
    else:
        same = repr(first) == repr(second)
    return "ok" if same else "differs"


def module_in(loaded: Any) -> torch.nn.Module | None:
    """The model that model_fn returned, alone or as a part of a tuple, a dict, a pipeline."""
    import torch

    if isinstance(loaded, torch.nn.Module):
        return loaded
    parts = loaded if isinstance(loaded, list | tuple) else getattr(loaded, "__dict__", {}).values()
    if isinstance(loaded, Mapping):
        parts = loaded.values()
    return next((part for part in parts if isinstance(part, torch.nn.Module)), None)


def saved_states(folder: Path) -> Iterator[Mapping[str, torch.Tensor]]:
    """The state_dicts in the files that torch.save wrote; one level down too, as in a checkpoint."""
    import torch

    for path in sorted(folder.rglob("*")):
        if path.is_file() and zipfile.is_zipfile(path):
            try:
                content = torch.load(path, map_location="cpu", weights_only=True)
            except (pickle.UnpicklingError, RuntimeError):
                continue  # a whole model, TorchScript, another kind of archive
            for state in (content, *(content.values() if isinstance(content, Mapping) else ())):
                if isinstance(state, Mapping):
                    tensors = {name: item for name, item in state.items() if isinstance(item, torch.Tensor)}
                    if tensors:
                        yield tensors


def _line(handler: Callable[..., Any] | None, file: Path) -> int:
    code = getattr(inspect.unwrap(handler), "__code__", None) if handler else None
    return code.co_firstlineno if code and code.co_filename == str(file) else 0
