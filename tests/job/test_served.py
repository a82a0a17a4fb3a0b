"""Whether a loaded model holds what was trained, and what became of an endpoint that did not get far."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_sagemaker.job.child import Place
from pytest_sagemaker.job.evidence import Module
from pytest_sagemaker.job.launch import Ended
from pytest_sagemaker.job.record import Failure
from pytest_sagemaker.job.serve import ServeTask
from pytest_sagemaker.job.served import compare, read_served

INITIAL = {"fc.w": "float32:0", "fc.b": "float32:00"}
EARLIER = {"fc.w": "float32:1", "fc.b": "float32:11"}
TRAINED = {"fc.w": "float32:2", "fc.b": "float32:22"}
MODULE = Module("Net", sharded=False, initial=INITIAL, snapshots=[EARLIER, TRAINED])
HALF = {name: value.replace("32", "16") for name, value in TRAINED.items()}


@pytest.mark.parametrize(
    ("loaded", "artifact", "weights", "differing"),
    [
        pytest.param(TRAINED, TRAINED, "trained", [], id="last"),
        pytest.param(EARLIER, EARLIER, "trained", [], id="best-epoch"),
        pytest.param(
            {f"0.{name}": value for name, value in TRAINED.items()}, {}, "trained", [], id="wrapped"
        ),
        pytest.param({**TRAINED, "head": "float32:9"}, {}, "trained", [], id="more"),
        pytest.param({"fc.w": "float32:2"}, {}, "trained", [], id="a-part"),
        pytest.param(INITIAL, TRAINED, "initial", ["fc.w", "fc.b"], id="initial"),
        pytest.param({**TRAINED, "fc.b": "float32:7"}, TRAINED, "different", ["fc.b"], id="strict-false"),
        pytest.param(
            {"fc.w": "float32:7"}, {"fc.w": "float32:7"}, "artifact", ["fc.w"], id="other-model-saved"
        ),
        pytest.param(HALF, HALF, "unknown", [], id="halved-before-saving"),
        pytest.param(HALF, TRAINED, "unknown", [], id="halved-when-loaded"),
        pytest.param({"other": "float32:5"}, {}, "unknown", [], id="nothing-in-common"),
        pytest.param({}, {}, "unknown", [], id="no-parameters"),
    ],
)
def test_weights(
    loaded: dict[str, str], artifact: dict[str, str], weights: str, differing: list[str]
) -> None:
    assert compare(loaded, [MODULE], [artifact]) == (weights, differing)


def test_sharded_parameters_cannot_be_compared() -> None:
    assert compare(TRAINED, [Module("Net", True, INITIAL, [TRAINED])], []) == ("unknown", [])


@pytest.fixture
def task() -> ServeTask:
    root = Path("/tmp/x/endpoint")
    code = root / "opt/ml/model/code"
    place = Place({}, (), root, code, root, root)
    return ServeTask(place, code / "train.py", root, None, (), root)


def test_failure_and_effects_are_told_in_the_endpoints_paths(task: ServeTask) -> None:
    failure = {
        "kind": "KeyError",
        "message": "'X'",
        "traceback": 'File "/tmp/x/endpoint/opt/ml/model/code/train.py"',
    }
    events: list[list[Any]] = [
        ["stage", "import"],
        ["step"],
        ["step"],
        ["wrote", "/tmp/x/endpoint/home/log.txt"],
        ["failure", "import", failure],
        ["stage", "end"],
    ]

    served = read_served(events, Ended(0, 1.0, False, ""), 60.0, task, [])

    assert served.imported == Failure("KeyError", "'X'", traceback='File "train.py"')
    assert served.effects == ("took 2 optimizer steps", "wrote /home/log.txt")


@pytest.mark.parametrize(
    ("exit_code", "failure"),
    [
        (None, Failure("TimeoutError", "did not end within 60 seconds")),
        (-11, Failure("ProcessEnded", "the process ended with code -11", traceback="the end")),
    ],
)
def test_process_that_hung_or_died_failed_in_its_stage(
    task: ServeTask, exit_code: int | None, failure: Failure
) -> None:
    events: list[list[Any]] = [["stage", "import"], ["handler", True, 4], ["stage", "model_fn"]]

    served = read_served(events, Ended(exit_code, 1.0, True, "the end"), 60.0, task, [])

    assert (served.imported, served.model_fn) == (None, failure)
    assert (served.has_model_fn, served.model_fn_line) == (True, 4)
