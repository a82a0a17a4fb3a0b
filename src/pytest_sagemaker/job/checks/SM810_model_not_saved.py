"""Nothing was saved in the model dir.

The job ends as Completed, model.tar.gz is empty or missing, and deploying fails later. The PyTorch
container does not warn.

Why it fails:
SageMaker collects `/opt/ml/model` and nothing else. The script saved into its working folder, the output or
checkpoint dir, straight to S3, or not at all; or the `if rank == 0` around the saving never holds.

Use instead:
`torch.save(model.state_dict(), os.path.join(os.environ["SM_MODEL_DIR"], "model.pth"))` on rank 0.

False alarms:
A job that is not meant to leave a model (a metric, a data set).

Source:
https://github.com/aws/sagemaker-training-toolkit/issues/82
https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-output.html
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_sagemaker.finding import Fault, Severity, Span
from pytest_sagemaker.job.checks import examples
from pytest_sagemaker.job.checks.preconditions import needs_steps, needs_success
from pytest_sagemaker.job.checks.wording import joined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.job.record import JobRecord

SEVERITY: Severity = "E"

BAD: dict[str, JobRecord] = {
    "not-saved": replace(examples.SOUND, saved=(), served=None),
    "saved-in-cwd": replace(
        examples.SOUND, saved=(), served=None, elsewhere=("algo-1: /opt/ml/code/model.pth",)
    ),
    "empty-file": replace(examples.SOUND, saved=(replace(examples.MODEL, size=0),)),
}
GOOD: dict[str, JobRecord] = {
    "saved": examples.SOUND,
    "unjudged-failed": examples.CRASHED,
    "unjudged-nothing-trained": replace(examples.varied(steps=0, training=()), saved=(), served=None),
}

_SHOWN = 10


def check(record: JobRecord) -> Iterator[Fault]:
    needs_success(record)
    if any(file.size for file in record.saved):
        return
    needs_steps(record)
    empty = [file.path for file in record.saved]
    more = len(record.elsewhere) - _SHOWN
    yield Fault(
        Span(1),
        f"the model dir holds only the empty {joined(empty)}"
        if empty
        else "the model dir is empty on every host",
        help="save on rank 0 under os.environ['SM_MODEL_DIR']: see SM201, SM501",
        evidence=(
            *(f"written elsewhere: {path}" for path in record.elsewhere[:_SHOWN]),
            *([f"and {more} more files"] if more > 0 else []),
        ),
    )
