"""The loaded model cannot predict: it raises, gives NaN, or answers the same input twice differently.

A 500 with the exception in its body, `NaN` in the response, or scores that change from one request to the
next.

Why it fails:
The model that `model_fn` built takes other inputs than the one that was trained, training diverged, or
dropout and batch norm still act because nobody called `eval()`.

Use instead:
Build the model from the same arguments in training and in `model_fn` (store them beside the weights), and
`model.eval()` before it is returned.

False alarms:
A model that samples on purpose (diffusion, generation, Monte Carlo dropout). NaN that only tiny data gives:
send a smaller learning rate, or real samples with `--sagemaker-channel`.

Source:
https://github.com/aws/sagemaker-pytorch-inference-toolkit/blob/master/src/sagemaker_pytorch_serving_container/default_pytorch_inference_handler.py
https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html#torch.nn.Module.eval
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_sagemaker.catalogue import Unjudged
from pytest_sagemaker.finding import Fault, Severity
from pytest_sagemaker.job.checks import examples
from pytest_sagemaker.job.checks.preconditions import needs_model
from pytest_sagemaker.job.checks.serving import told, where
from pytest_sagemaker.job.record import JobRecord, Served

if TYPE_CHECKING:
    from collections.abc import Iterator

SEVERITY: Severity = "E"

_SHAPE = examples.raised(
    "RuntimeError", "mat1 and mat2 shapes cannot be multiplied (1x784 and 100x10)", line=24
)

BAD: dict[str, JobRecord] = {
    "raises": replace(examples.SOUND, served=replace(examples.LOADED, predicted="failed", prediction=_SHAPE)),
    "nan": replace(examples.SOUND, served=replace(examples.LOADED, predicted="nan")),
    "dropout-active": replace(examples.SOUND, served=replace(examples.LOADED, predicted="differs")),
}
GOOD: dict[str, JobRecord] = {
    "predicts": examples.SOUND,
    "unjudged-no-model": replace(examples.SOUND, served=Served(module="train.py")),
    "unjudged-no-input": replace(examples.SOUND, served=replace(examples.LOADED, predicted="not tried")),
}


def check(record: JobRecord) -> Iterator[Fault]:
    served = needs_model(record)
    if served.predicted == "not tried":
        raise Unjudged("no training input was recorded to predict with")
    failure = served.prediction
    if served.predicted == "failed":
        yield Fault(
            where(record, served, failure.line if failure else 0),
            "the loaded model fails on an input it was trained on"
            + (f": {told(failure)[0]}" if failure else ""),
            help="build the model in model_fn from the same arguments as in training",
            evidence=told(failure)[1:] if failure else (),
        )
    elif served.predicted == "nan":
        yield Fault(
            where(record, served, served.model_fn_line),
            "the loaded model answers an input it was trained on with NaN",
            help="training diverged: lower the learning rate, or look at the loss in the log",
        )
    elif served.predicted == "differs":
        yield Fault(
            where(record, served, served.model_fn_line),
            "the loaded model answers the same input twice differently",
            help="call model.eval() before model_fn returns it: see SM604",
        )
