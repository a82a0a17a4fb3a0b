from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sagemaker import contract
from pytest_sagemaker.contract import (
    KNOWN_NAMES,
    PATHS,
    VARIABLES,
    TrainingJob,
    environment,
    is_known,
    lookup,
    nearest,
    torchrun_environment,
    variable_for,
)

if TYPE_CHECKING:
    from collections.abc import Callable

DUMPED = {
    name: text
    for path in sorted(Path(__file__).parent.glob("golden/*.json"))
    for name, text in json.loads(path.read_text())["environ"].items()
}
FITS: dict[str, Callable[[str], bool]] = {
    "int": str.isdecimal,
    "bool": ("true", "false").__contains__,
    "json": lambda text: isinstance(json.loads(text), list | dict),
    "path": lambda text: text.startswith("/opt/ml/"),
    "str": lambda _: True,
}


@pytest.mark.parametrize("name", sorted(DUMPED))
def test_dumped_variable_is_known_with_its_format(name: str) -> None:
    variable = lookup(name)
    if name == "PYTHONUNBUFFERED":
        assert variable is None  # the image's, no part of the contract
        return
    assert variable is not None
    assert FITS[variable.format](DUMPED[name])


def test_every_listed_variable_is_set_by_some_job() -> None:
    job = TrainingJob("train.py", ["algo-1"], {"x": 1}, ["x"], launcher="torchrun")
    ours = environment(job, "algo-1") | torchrun_environment(job.hosts, 1, 0, 0)
    listed = {variable.name.replace("<X>", "X") for variable in VARIABLES}
    assert listed - ours.keys() == {"SM_TOPOLOGY"}  # on UltraServers only


def test_no_variable_is_listed_twice_and_each_says_what_it_is() -> None:
    names = [variable.name for variable in VARIABLES]
    assert len(set(names)) == len(names)
    assert all(variable.meaning and variable.source for variable in VARIABLES)


@pytest.mark.parametrize(
    ("name", "format_"),
    [
        ("SM_CHANNEL_TRAINING", "path"),
        ("SM_CHANNEL_MY-DATA", "path"),
        ("SM_HP_LR", "str"),
        ("SM_NUM_GPUS", "int"),
        ("SM_HOSTS", "json"),
        ("SM_HOST_COUNT", "int"),  # ModelTrainer's
    ],
)
def test_lookup(name: str, format_: str) -> None:
    found = lookup(name)
    assert found is not None
    assert found.format == format_


@pytest.mark.parametrize(
    "name", ["SM_CHANNEL_", "SM_CHANNEL_<x>", "SM_CHANNEL_training", "MODEL_DIR", "HOME", ""]
)
def test_unknown(name: str) -> None:
    assert not is_known(name)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("SM_CHANEL_TRAINING", "SM_CHANNEL_TRAINING"),
        ("SM_CHANNELS_TRAINING", "SM_CHANNEL_TRAINING"),
        ("SM_CHANNEL_training", "SM_CHANNEL_TRAINING"),
        ("SM_MODELDIR", "SM_MODEL_DIR"),
        ("MODEL_DIR", "SM_MODEL_DIR"),
        ("SM_OUTPUT_DATADIR", "SM_OUTPUT_DATA_DIR"),
        ("SM_CURENT_HOST", "SM_CURRENT_HOST"),
        ("SM_NUM_GPU", "SM_NUM_GPUS"),
        ("SM_TRAINING_DIR", None),
        ("SM_DATA_DIR", None),
        ("SM_MODEL_PATH", None),
        ("SM_NUM_TPUS", None),  # as near to CPUS as to GPUS
        ("SM_HPO_METRIC", None),  # no SM_HP_METRIC
        ("SM_MY_FLAG", None),
        ("LOG_LEVEL", None),  # a script's own
        ("CHANNEL_ID", None),
        ("HOME", None),
        ("", None),
    ],
)
def test_nearest(name: str, meant: str | None) -> None:
    assert nearest(name) == meant


@given(
    st.sampled_from(sorted(name for name in KNOWN_NAMES if len(name) > 8 and name.startswith("SM_"))),
    st.data(),
)
def test_one_lost_letter_never_means_another_variable(name: str, data: st.DataObject) -> None:
    lost = data.draw(st.integers(3, len(name) - 1))
    assert nearest(name[:lost] + name[lost + 1 :]) in (name, None)


@given(st.text("SM_CHANELHPOTS"))
def test_a_guess_is_a_known_name(name: str) -> None:
    guess = nearest(name)
    assert guess is None or is_known(guess)


@pytest.mark.parametrize(
    ("path", "variable"),
    [
        ("/opt/ml/model", ("SM_MODEL_DIR", "")),
        ("/opt/ml/model/", ("SM_MODEL_DIR", "")),
        ("/opt/ml/model/model.pth", ("SM_MODEL_DIR", "model.pth")),
        ("/opt/ml/input/data/training", ("SM_CHANNEL_TRAINING", "")),
        ("/opt/ml/input/data/train/a/b.csv", ("SM_CHANNEL_TRAIN", "a/b.csv")),
        ("/opt/ml/input/data", ("SM_INPUT_DIR", "data")),
        ("/opt/ml/input/data/my-data", ("SM_INPUT_DIR", "data/my-data")),  # dash drops SM_CHANNEL_MY-DATA
        ("/opt/ml/output/data/m.json", ("SM_OUTPUT_DATA_DIR", "m.json")),
        ("/opt/ml/output/failure", ("SM_OUTPUT_DIR", "failure")),
        ("/opt/ml/checkpoints", None),
        ("/opt/ml/code/train.py", None),
        ("/opt/ml/models", None),
        ("/opt/ml", None),
        ("model", None),
    ],
)
def test_variable_for(path: str, variable: tuple[str, str] | None) -> None:
    assert variable_for(path) == variable


def test_paths_are_what_the_variables_hold() -> None:
    assert {name: path for path, name in PATHS.items()}.items() <= DUMPED.items()


def test_the_linter_starts_without_what_only_a_job_needs() -> None:
    listing = "import sys, pytest_sagemaker.contract; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", listing], capture_output=True, text=True, check=True
    ).stdout
    assert "pytest_sagemaker.contract.variables" in loaded
    assert not {"pytest_sagemaker.contract.shell", "difflib", "json"} & set(loaded.split())


def test_every_exported_name_is_there() -> None:
    assert all(hasattr(contract, name) for name in contract.__all__)
    assert not hasattr(contract, "enviroment")
