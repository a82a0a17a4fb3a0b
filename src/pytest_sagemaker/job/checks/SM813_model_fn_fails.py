"""The endpoint gets no model: `model_fn` is missing, raises, or returns something else.

`Exactly one .pth or .pt file is required for PyTorch models: []`, `Failed to load ... Please ensure model
is saved using torchscript`, or the exception of your own `model_fn`. The endpoint may say InService, and
fail on the first request.

Why it fails:
The endpoint calls `model_fn(model_dir)` of the module it imports. Without one the container's default
handler loads the only .pt or .pth file with `torch.jit.load`, which cannot read a state_dict.

Use instead:
A top-level `def model_fn(model_dir)` in the script, or in inference.py beside it: build the model, load the
state_dict with `torch.load(path, map_location="cpu", weights_only=True)`, return the model.

False alarms:
A model that is only stored, or served by another image: leave it out with `-k "not SM813"`.

Source:
https://github.com/aws/sagemaker-pytorch-inference-toolkit/issues/86
https://github.com/aws/sagemaker-pytorch-inference-toolkit/blob/master/src/sagemaker_pytorch_serving_container/default_pytorch_inference_handler.py
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_sagemaker.finding import Fault, Severity
from pytest_sagemaker.job.checks import examples
from pytest_sagemaker.job.checks.preconditions import needs_import, needs_saved
from pytest_sagemaker.job.checks.serving import module_of, told, where
from pytest_sagemaker.job.checks.wording import few
from pytest_sagemaker.job.record import Failure, JobRecord, Served

if TYPE_CHECKING:
    from collections.abc import Iterator

SEVERITY: Severity = "E"

_RAISED = examples.raised("RuntimeError", "Error(s) in loading state_dict for Net", line=62)

BAD: dict[str, JobRecord] = {
    "no-model-fn": replace(examples.SOUND, served=Served(module="train.py")),
    "raises": replace(examples.SOUND, served=Served(has_model_fn=True, module="train.py", model_fn=_RAISED)),
    "returns-a-state-dict": replace(
        examples.SOUND, served=Served(has_model_fn=True, module="train.py", returned="OrderedDict")
    ),
}
GOOD: dict[str, JobRecord] = {
    "loads": examples.SOUND,
    "torchscript-by-default-handler": replace(
        examples.SOUND, served=Served(module="train.py", returned="RecursiveScriptModule", is_model=True)
    ),
    "unjudged-failed": examples.CRASHED,
    "unjudged-import-failed": replace(examples.SOUND, served=Served(imported=_RAISED)),
    "unjudged-nothing-saved": replace(examples.SOUND, saved=(), served=None),
}


def check(record: JobRecord) -> Iterator[Fault]:
    served = needs_import(record)
    needs_saved(record)
    module, failure = module_of(record, served), served.model_fn
    saved = few(sorted({file.path for file in record.saved}), 3)
    if not served.has_model_fn and not served.is_model:
        yield Fault(
            where(record, served, 0),
            f"{module} has no model_fn: the endpoint's default handler needs one TorchScript file, "
            f"and the job saved {saved}",
            help="add a top-level model_fn(model_dir) that builds the model and loads the file: see SM601",
            evidence=told(failure)[:1] if failure else (),
        )
    elif failure:
        yield Fault(
            where(record, served, failure.line or served.model_fn_line),
            f"model_fn of {module} raised {told(failure)[0]}",
            help=_advice(failure, saved),
            evidence=told(failure)[1:],
        )
    elif not served.is_model:
        yield Fault(
            where(record, served, served.model_fn_line),
            f"model_fn of {module} returned {served.returned or 'nothing'}, not a model",
            help="load the state_dict into the model, and return the model: see SM603",
        )


def _advice(failure: Failure, saved: str) -> str:
    """What the exceptions that loading usually ends with mean."""
    said = f"{failure.kind}: {failure.message}"
    if "FileNotFoundError" in said or "No such file" in said:
        return f"the job saved {saved}: open that file (see SM506)"
    if "Weights only load failed" in said or "Can't get attribute" in said:
        return "save the state_dict, not the model or other objects (see SM502, SM504)"
    if "loading state_dict" in said:
        return "save and load the same bare model, without the wrapper's prefix (see SM505)"
    return ""
