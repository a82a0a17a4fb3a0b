"""Importing the module, as an endpoint does, fails, trains or exits.

`KeyError: 'SM_CHANNEL_TRAINING'`, argparse's `SystemExit: 2`, or a training run at import. At the endpoint:
`Load model failed: model, error: Worker died`, or a health check that times out.

Why it fails:
The endpoint imports the module to find `model_fn`. Whatever stands at module level runs then, in a process
without SM_ training variables, without the training channels, and with the server's own argv.

Use instead:
Put the work under `if __name__ == "__main__":`; leave only imports, constants, classes and functions at
module level.

False alarms:
A script whose model is served by another module: put the handlers in inference.py beside it, and that file
is imported.

Source:
https://github.com/aws/sagemaker-python-sdk/issues/605
https://sagemaker.readthedocs.io/en/v2/frameworks/pytorch/using_pytorch.html#prepare-a-pytorch-training-script
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_sagemaker.catalogue import Unjudged
from pytest_sagemaker.finding import Fault, Severity, Span
from pytest_sagemaker.job.checks import examples
from pytest_sagemaker.job.checks.preconditions import needs_success
from pytest_sagemaker.job.checks.serving import module_of, told, where
from pytest_sagemaker.job.checks.wording import joined
from pytest_sagemaker.job.record import JobRecord, Served

if TYPE_CHECKING:
    from collections.abc import Iterator

SEVERITY: Severity = "E"

_KEY = examples.raised("KeyError", "'SM_CHANNEL_TRAINING'", line=14)

BAD: dict[str, JobRecord] = {
    "env-at-import": replace(examples.SOUND, served=Served(imported=_KEY, module="train.py")),
    "parse-args-at-import": replace(
        examples.SOUND,
        served=Served(imported=examples.raised("SystemExit", "2", line=9), module="train.py"),
    ),
    "trains": replace(examples.SOUND, served=replace(examples.LOADED, effects=("took 8 optimizer steps",))),
    "inference-module": replace(examples.SOUND, served=Served(imported=_KEY, module="inference.py")),
}
GOOD: dict[str, JobRecord] = {
    "defines-only": examples.SOUND,
    "unjudged-failed": examples.CRASHED,
    "unjudged-nothing-to-serve": replace(examples.SOUND, served=None),
}


def check(record: JobRecord) -> Iterator[Fault]:
    needs_success(record)
    served = record.served
    if served is None:
        raise Unjudged("no endpoint was tried")
    module = module_of(record, served)
    advice = f'put the work of {module} under `if __name__ == "__main__":`'
    failure = served.imported
    if failure:
        exits = failure.kind.rpartition(".")[2] == "SystemExit"
        yield Fault(
            where(record, served, failure.line),
            f"importing {module} as an endpoint does {'exits' if exits else 'fails'}: {told(failure)[0]}",
            help=advice,
            evidence=told(failure)[1:],
        )
    elif served.effects:
        yield Fault(
            Span(1),
            f"importing {module} as an endpoint does has effects: {joined(served.effects)}",
            help=advice,
        )
