"""A serving handler takes a number of parameters that the server does not pass.

The endpoint answers `TypeError: model_fn takes 3 arguments but 1 were given.`, at start-up or with every
request. A parameter beyond the handler's own gets the server's context object, whatever its name and
default say: `def model_fn(model_dir, device="cpu")` runs with the context as its device.

Why it fails:
The server counts the parameters of `model_fn` (1), `input_fn` (2), `predict_fn` (2), `output_fn` (2) and
`transform_fn` (4). With as many it passes them by position; with one more, the context comes last; any
other number is an error. `*args`, `**kwargs` and keyword-only parameters count too, and the latter two
cannot take what is passed by position.

Use instead:
`def model_fn(model_dir)`, or `def model_fn(model_dir, context)` for the context. What else the handler
needs belongs into its body.

False alarms:
None known where the functions are an endpoint's. TensorFlow's `model_fn(features, labels, mode)`, functions
that are handed on as values, and decorated ones are left alone.

Source:
https://github.com/aws/sagemaker-inference-toolkit/blob/master/src/sagemaker_inference/transformer.py
https://github.com/aws/sagemaker-inference-toolkit/pull/109
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sagemaker.lint.facts.serving import is_served

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterator

    from pytest_sagemaker.finding import Fault
    from pytest_sagemaker.lint.facts.tree import FunctionNode
    from pytest_sagemaker.lint.module import Module

SEVERITY = "E"

BAD = {
    "context-as-device": """\
import torch

def model_fn(model_dir, device="cpu"):  # SM602
    return torch.jit.load(model_dir + "/model.pt", map_location=device)
""",
    "no-parameter": """\
import torch

def model_fn():  # SM602
    return torch.jit.load("/opt/ml/model/model.pt")

def predict_fn(data, model):
    return model(data)
""",
    "too-many": """\
import json
import torch

def model_fn(model_dir):
    return torch.jit.load(model_dir + "/model.pt")

def input_fn(body, content_type, context, encoding="utf-8"):  # SM602
    return torch.tensor(json.loads(body.decode(encoding)))

def output_fn(prediction):  # SM602
    return json.dumps(prediction.tolist())
""",
    "keywords": """\
import torch

def model_fn(model_dir, **kwargs):  # SM602
    return torch.jit.load(model_dir + "/model.pt")

def predict_fn(data, *, model):  # SM602
    return model(data)
""",
    "swapped-transform": """\
def model_fn(model_dir):
    return model_dir

def transform_fn(model, data, content_type):  # SM602
    return model(data), content_type
""",
}

GOOD = {
    "plain": """\
import torch

def model_fn(model_dir):
    return torch.jit.load(model_dir + "/model.pt")

def input_fn(body, content_type="text/csv"):
    return body

def predict_fn(data, model):
    return model(data)

def output_fn(prediction, accept):
    return str(prediction)
""",
    "context": """\
import torch

def model_fn(model_dir, context=None):
    return torch.jit.load(model_dir + "/model.pt")

def input_fn(body, content_type, ctx):
    return body

def predict_fn(data, model, _):
    return model(data)

def output_fn(prediction, *args):
    return str(prediction)

def transform_fn(model, data, content_type, accept, request_context):
    return request_context
""",
    "spare-parameter-never-read": """\
import torch

def model_fn(model_dir, extra=None):
    return torch.jit.load(model_dir + "/model.pt")
""",
    "tensorflow-estimator": """\
import tensorflow as tf

def model_fn(features, labels, mode):
    return tf.estimator.EstimatorSpec(mode)

def input_fn():
    return None
""",
    "handed-on": """\
import torch

def model_fn(model_dir):
    return torch.jit.load(model_dir + "/model.pt")

def predict_fn(batch):
    return batch

def run(loader):
    return list(map(predict_fn, loader))
""",
    "diffusion": """\
import torch

def model_fn(x, t, y=None):
    return x

def sample(diffusion):
    return diffusion.loop(model_fn)
""",
}

COUNTS = {"model_fn": 1, "input_fn": 2, "predict_fn": 2, "output_fn": 2, "transform_fn": 4}

CALLS = {
    "model_fn": "(model_dir)",
    "input_fn": "(data, content_type)",
    "predict_fn": "(data, model)",
    "output_fn": "(prediction, accept)",
    "transform_fn": "(model, data, content_type, accept)",
}


def check(module: Module) -> Iterator[Fault]:
    if not is_served(module.tree, module.handlers):
        return
    for name, function in module.handlers.items():
        if function.decorator_list or module.flow.escapes(function):
            continue
        wrong = _wrong(name, function, module)
        if wrong:
            call = CALLS[name]
            yield module.fault(
                function,
                wrong,
                help=f"write `def {name}{call}`, or `{call[:-1]}, context)` to get the context",
            )


def _wrong(name: str, function: FunctionNode, module: Module) -> str:
    """What goes wrong when the server calls a handler; empty where nothing does."""
    spec, expected = function.args, COUNTS[name]
    by_position = [*spec.posonlyargs, *spec.args]
    by_keyword = [*spec.kwonlyargs, *([spec.kwarg] if spec.kwarg else [])]
    count = len(by_position) + len(by_keyword) + (spec.vararg is not None)
    if count not in (expected, expected + 1):
        return f"{name} has {_parameters(count)}; the server passes {expected} and ends in a TypeError"
    if by_keyword and spec.vararg is None:
        return f"{name} takes `{by_keyword[-1].arg}` by keyword only, and the server passes by position"
    if len(by_position) > expected and _reads(module, function, extra := by_position[expected]):
        return f"the server passes its context object as `{extra.arg}`, whatever the default says"
    return ""


def _reads(module: Module, function: FunctionNode, parameter: ast.arg) -> bool:
    """Whether a parameter that is not named for the context is read."""
    name = parameter.arg
    if name.startswith("_") or "context" in name.lower() or "ctx" in name.lower():
        return False
    return any(module.tree.function(node) is function for node in module.tree.references(name))


def _parameters(count: int) -> str:
    return f"{count or 'no'} parameter{'' if count == 1 else 's'}"
