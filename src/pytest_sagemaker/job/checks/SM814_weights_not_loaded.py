"""What `model_fn` returns does not hold the trained parameters.

No error: the endpoint answers, at the level of chance.

Why it fails:
`model_fn` builds the model and never loads the file, loads with `strict=False` a state_dict whose names
carry `module.`.

Use instead:
Save `model.module.state_dict()` of the wrapped model after training, and load it with
`model.load_state_dict(state)`, strictly, in `model_fn`.

False alarms:
The state at any save counts as trained, so a best epoch is no fault. What is saved and never was the state of
the model (an average of weights, a conversion) is not judged; so another model saved by mistake goes unseen.

Source:
https://github.com/pytorch/pytorch/issues/3805
https://docs.pytorch.org/tutorials/beginner/saving_loading_models.html
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_sagemaker.catalogue import Unjudged
from pytest_sagemaker.finding import Fault, Severity
from pytest_sagemaker.job.checks import examples
from pytest_sagemaker.job.checks.preconditions import needs_model, needs_steps
from pytest_sagemaker.job.checks.serving import module_of, where
from pytest_sagemaker.job.checks.wording import few
from pytest_sagemaker.job.record import JobRecord, Served

if TYPE_CHECKING:
    from collections.abc import Iterator

SEVERITY: Severity = "E"

BAD: dict[str, JobRecord] = {
    "never-loaded": replace(
        examples.SOUND, served=replace(examples.LOADED, weights="initial", differing=("fc.weight", "fc.bias"))
    ),
    "not-strict": replace(
        examples.SOUND, served=replace(examples.LOADED, weights="different", differing=("fc.weight",))
    ),
}
GOOD: dict[str, JobRecord] = {
    "trained": examples.SOUND,
    "unjudged-no-model-fn": replace(examples.SOUND, served=Served(module="train.py")),
    "unjudged-nothing-trained": replace(
        examples.varied(steps=0), served=replace(examples.LOADED, weights="initial")
    ),
    "unjudged-average-of-weights": replace(
        examples.SOUND, served=replace(examples.LOADED, weights="artifact", differing=("fc.weight",))
    ),
    "unjudged-unknown": replace(examples.SOUND, served=replace(examples.LOADED, weights="unknown")),
}

_SAID = {
    "initial": "model_fn of {module} returns the parameters that the model was created with: "
    "the trained ones were not loaded",
    "different": "model_fn of {module} returns other parameters than the trained ones",
}
_HELP = {
    "initial": "call model.load_state_dict(...) in model_fn: see SM603",
    "different": "load the saved state_dict in model_fn, strictly: see SM505, SM603",
}


def check(record: JobRecord) -> Iterator[Fault]:
    served = needs_model(record)
    needs_steps(record)
    if served.weights == "unknown":
        raise Unjudged("the trained parameters cannot be compared with the loaded ones")
    if served.weights == "trained":
        return
    if served.weights == "artifact":
        raise Unjudged("the saved file holds what the model never held: an average of weights, perhaps")
    yield Fault(
        where(record, served, served.model_fn_line),
        _SAID[served.weights].format(module=module_of(record, served)),
        help=_HELP[served.weights],
        evidence=(f"differing: {few(served.differing)}",) if served.differing else (),
    )
