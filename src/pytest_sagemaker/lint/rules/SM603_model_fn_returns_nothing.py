"""`model_fn` can end without a model: no return, a state_dict, or a network whose weights were never loaded.

The endpoint is InService and every request fails with `'NoneType' object is not callable`,
`'collections.OrderedDict' object has no attribute 'eval'`; or it answers with the predictions of random
weights.

Why it fails:
What `model_fn` returns is what `predict_fn` gets, unchecked. `load_state_dict` changes the model in place
and returns the names that did not fit, not the model. An `except` that only logs ends in None.

Use instead:
Build the network, load the state_dict into it, return the network; let errors end the worker.

False alarms:
A path that ends in `raise`, a loop that returns from within, cases without an else, a model that no handler
reads, and a state_dict that the script's own predict_fn loads into a network are left alone. Weights count
as loaded wherever model_fn, or what it calls, reads anything.

Source:
https://sagemaker.readthedocs.io/en/stable/frameworks/pytorch/using_pytorch.html#load-a-model
https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.load_state_dict
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from pytest_sagemaker.lint.facts.endings import falls_through
from pytest_sagemaker.lint.facts.loading import saved_by
from pytest_sagemaker.lint.facts.serving import is_served, reach

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.finding import Fault
    from pytest_sagemaker.lint.facts.tree import FunctionNode
    from pytest_sagemaker.lint.module import Module

SEVERITY = "E"

BAD = {
    "no-return": """\
import torch
from torch import nn

def model_fn(model_dir):  # SM603
    model = nn.Linear(1, 1)
    model.load_state_dict(torch.load(model_dir + "/model.pth"))
    model.eval()
""",
    "forgotten-after-a-case": """\
import os
import torch
from torch import nn

CACHE = {}

def model_fn(model_dir):  # SM603
    if model_dir in CACHE:
        return CACHE[model_dir]
    if not os.path.exists(model_dir):
        raise FileNotFoundError(model_dir)
    CACHE[model_dir] = torch.jit.load(model_dir + "/model.pt")
""",
    "error-swallowed": """\
import logging
import torch

def model_fn(model_dir):  # SM603
    try:
        model = torch.jit.load(model_dir + "/model.pt")
        return model
    except Exception as error:
        logging.exception(error)
""",
    "none": """\
import os
import torch

def model_fn(model_dir, context):
    path = os.path.join(model_dir, "model.pt")
    if not os.path.exists(path):
        return None  # SM603
    with open(path, "rb") as f:
        return torch.jit.load(f)
""",
    "what-load-state-dict-returns": """\
import torch
from torch import nn

def model_fn(model_dir):
    model = nn.Linear(1, 1)
    model = model.load_state_dict(torch.load(model_dir + "/model.pth"))
    return model  # SM603
""",
    "state-dict": """\
import torch
from torch import nn

def model_fn(model_dir):
    weights = torch.load(model_dir + "/model.pth", map_location="cpu")
    return weights  # SM603

def train(args):
    torch.save(nn.Linear(1, 1).state_dict(), args.model_dir + "/model.pth")
""",
    "weights-only": """\
import torch

def model_fn(model_dir):
    return torch.load(model_dir + "/model.pth", weights_only=True)  # SM603
""",
    "never-loaded": """\
import logging
import torch
from torch import nn

class Net(nn.Module):
    pass

def model_fn(model_dir):  # SM603
    logging.info("loading from %s", model_dir)
    device = torch.device("cpu")
    model = Net().to(device)
    model.eval()
    return model
""",
}

GOOD = {
    "loaded": """\
import torch
from torch import nn

def model_fn(model_dir):
    model = nn.Linear(1, 1)
    model.load_state_dict(torch.load(model_dir + "/model.pth"))
    return model.eval()
""",
    "helper": """\
import os
import torch
from torch import nn

class Wrapper:
    @classmethod
    def load(cls, folder):
        return torch.jit.load(os.path.join(folder, "model.pt"))

def model_fn(model_dir):
    try:
        return Wrapper.load(model_dir)
    except FileNotFoundError as error:
        raise RuntimeError("no model") from error
""",
    "pretrained-and-tuple": """\
from transformers import AutoModel, AutoTokenizer

def model_fn(model_dir):
    model = AutoModel.from_pretrained(model_dir)
    tokenizer = AutoTokenizer.from_pretrained(model_dir)
    return model, tokenizer
""",
    "from-the-hub": """\
import torch

def model_fn(model_dir):
    return torch.hub.load("ultralytics/yolov5", "yolov5s")
""",
    "every-branch": """\
import os
import sys
import torch

def model_fn(model_dir):
    for name in os.listdir(model_dir):
        if name.endswith(".pt"):
            return torch.jit.load(os.path.join(model_dir, name))
    sys.exit("no model")

class Other:
    def model_fn(self, model_dir):
        pass
""",
    "whole-module": """\
import torch
from torch import nn

def model_fn(model_dir):
    model = torch.load(model_dir + "/model.pth", weights_only=False)
    return model
""",
    "own-predict-fn-builds-the-network": """\
import torch
from torch import nn

def model_fn(model_dir):
    return torch.load(model_dir + "/model.pth", weights_only=True)

def predict_fn(data, weights):
    model = nn.Linear(1, 1)
    model.load_state_dict(weights)
    return model(data)
""",
    "weights-of-the-library": """\
import torch
from torchvision import models

def model_fn(model_dir):
    return models.resnet18(weights="DEFAULT").eval()
""",
    "loaded-at-import": """\
import torch
from torch import nn

class Net(nn.Module):
    pass

MODEL = Net()
MODEL.load_state_dict(torch.load("/opt/ml/model/model.pth"))

def model_fn(model_dir):
    return MODEL
""",
    "cases": """\
import os
import torch

def model_fn(model_dir):
    if os.path.exists(model_dir + "/model.pt"):
        return torch.jit.load(model_dir + "/model.pt")
    elif os.path.exists(model_dir + "/model.pth"):
        return torch.load(model_dir + "/model.pth", weights_only=False)
""",
    "model-is-not-used": """\
import json

def model_fn(model_dir):
    return None

def predict_fn(data, model):
    return json.dumps(data)
""",
    "abstract": """\
import torch

def model_fn(model_dir):
    raise NotImplementedError
""",
    "not-an-endpoint": """\
import torch

def model_fn(x, t):
    print(x, t)
""",
}

_READING = (
    "load",
    "read",
    "open",
    "pretrained",
    "weights",
    "restore",
    "download",
    "fetch",
    "get_object",
    "checkpoint",
)
_LOGGING = ("info", "debug", "warning", "print")


def check(module: Module) -> Iterator[Fault]:
    function = module.serving.model_fn
    if not isinstance(function, ast.FunctionDef) or not is_served(module.tree, module.handlers):
        return
    if any(module.tree.function(node) is function for node in module.tree.all(ast.Yield)):
        return
    if not _model_is_used(module):
        return
    returns = [node for node in module.tree.all(ast.Return) if module.tree.function(node) is function]
    empty = [node for node in returns if node.value is None or _is_none(node.value)]
    for node in empty:
        yield module.fault(
            node,
            "model_fn returns None here: the endpoint starts, and every request fails",
            help="raise an error, so that the worker does not start without a model",
        )
    if falls_through(function.body, module.tree, module.flow):
        yield module.fault(
            function,
            "model_fn can end without a return: the endpoint starts without a model, and every request fails",
            help="return the model on every path, or raise an error",
        )
    for node in returns:
        if node not in empty and node.value is not None:
            yield from _no_model(module, node, node.value)
    if len(returns) > len(empty) and _never_loads(module, function, returns):
        yield module.fault(
            function,
            "model_fn builds the network and never loads its weights: the endpoint predicts with random ones",
            help="load the file from model_dir into the network",
        )


def _model_is_used(module: Module) -> bool:
    """Whether the handlers read the model that they are given; the server's own do."""
    for name, position in (("predict_fn", 1), ("transform_fn", 0)):
        if name in module.handlers:
            parameters = module.handlers[name].args.args[position : position + 1]
            return any(
                module.tree.inside(node, module.handlers[name])
                for parameter in parameters
                for node in module.tree.references(parameter.arg)
            )
    return True


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _no_model(module: Module, node: ast.Return, value: ast.expr) -> Iterator[Fault]:
    """A returned state_dict, or what load_state_dict returns."""
    makers = [model.maker for model in module.models.of(value)]
    for maker in makers:
        called = maker.func.attr if maker is not None and isinstance(maker.func, ast.Attribute) else ""
        if called == "load_state_dict":
            yield module.fault(
                node,
                "model_fn returns what load_state_dict returns, the names that did not fit: not the model",
                help="call load_state_dict on a line of its own, and return the model",
            )
        elif called == "state_dict" or any(_is_state_dict(module, maker)):
            yield module.fault(
                node,
                "model_fn returns a state_dict: the weights, not the network",
                help="build the network, load the state_dict into it, and return the network",
            )


def _is_state_dict(module: Module, maker: ast.Call | None) -> Iterator[bool]:
    """Whether a call loads a file that holds tensors only, and nothing here makes a network of it."""
    for load in module.loading:
        if load.node is not maker or _networks_elsewhere(module):
            continue
        only = load.given("weights_only")
        saved = saved_by(module, load)
        yield load.how == "safetensors"
        yield isinstance(only, ast.Constant) and only.value is True
        yield bool(saved) and all(save.content.kind == "state_dict" for _, save in saved)


def _networks_elsewhere(module: Module) -> bool:
    """Whether another handler, or what it calls, loads a state_dict into a network."""
    for name in ("predict_fn", "transform_fn"):
        if name in module.handlers:
            functions = reach(module.tree, module.flow, module.handlers[name])
            if any(
                module.tree.function(call) in functions for call in module.method_calls("load_state_dict")
            ):
                return True
    return False


def _never_loads(module: Module, function: FunctionNode, returns: list[ast.Return]) -> bool:
    """Whether the model is a network built here, model_dir is not read, and nothing else is either."""
    models = [model for node in returns if node.value is not None for model in module.models.of(node.value)]
    if not models or any(
        model.kind != "module" or _comes_with_weights(module, model.maker) for model in models
    ):
        return False
    parameters = [*function.args.posonlyargs, *function.args.args]
    if parameters and any(
        module.tree.inside(node, function) and not _is_logged(module, node)
        for node in module.tree.references(parameters[0].arg)
    ):
        return False
    functions = module.serving.functions
    for call in module.tree.all(ast.Call):
        runs = module.tree.function(call) in functions or module.at_import(call)
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if runs and any(word in name.lower() for word in _READING):
            return False
    return True


def _comes_with_weights(module: Module, maker: ast.Call | None) -> bool:
    """Whether a call that makes a network may fetch weights for it: any but own and torch.nn classes."""
    if maker is None:
        return True
    own = isinstance(maker.func, ast.Name) and maker.func.id in module.models.classes
    return not own and not module.name(maker.func).startswith("torch.nn.")


def _is_logged(module: Module, node: ast.Name) -> bool:
    """Whether a name is only printed or logged."""
    for outer in module.tree.ancestors(node):
        if isinstance(outer, ast.Call):
            called = (
                outer.func.attr if isinstance(outer.func, ast.Attribute) else getattr(outer.func, "id", "")
            )
            return called in _LOGGING
    return False
