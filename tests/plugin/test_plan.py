"""What is chosen for a script where the user said nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_sagemaker.catalogue import Unjudged
from pytest_sagemaker.plugin.plan import Options, Plan, PlanError, plan

CSV = """
import csv, os
rows = csv.reader(open(os.path.join(os.environ["SM_CHANNEL_TRAINING"], "train.csv")))
"""


def planned(tmp_path: Path, text: str, options: Options = Options()) -> Plan:  # noqa: B008 -- frozen
    script = tmp_path / "train.py"
    script.write_text(text)
    return plan(script, options, tmp_path / "data")


def arguments(*declared: str) -> str:
    calls = "".join(f"parser.add_argument({text})\n" for text in declared)
    return f"import argparse\nparser = argparse.ArgumentParser()\n{calls}args = parser.parse_args()\n"


# -- hyperparameters


def test_small_values_for_what_is_declared(tmp_path: Path) -> None:
    text = arguments(
        "'--epochs', type=int, default=90", "'-b', '--batch-size', type=int", "'--lr', type=float"
    )
    found = planned(tmp_path, text)
    assert found.spec.hyperparameters == {"epochs": 2, "batch-size": 8}
    assert found.chosen == ("launcher script", "epochs=2", "batch-size=8")


def test_the_flags_own_spelling_is_sent(tmp_path: Path) -> None:
    text = arguments("'--num_train_epochs', type=int", "'--train_batch_size', type=int")
    assert planned(tmp_path, text).spec.hyperparameters == {"num_train_epochs": 2, "train_batch_size": 8}


def test_what_the_user_sends_stays(tmp_path: Path) -> None:
    text = arguments("'--epochs', '--num-epochs', type=int", "'--batch-size', type=int")
    options = Options(hyperparameters={"num-epochs": 7, "depth": 3})
    found = planned(tmp_path, text, options)
    assert found.spec.hyperparameters == {"num-epochs": 7, "depth": 3, "batch-size": 8}
    assert found.chosen == ("launcher script", "batch-size=8")


@pytest.mark.parametrize("declared", ["'epochs', type=int", "'-e', type=int", "'--epochs', action='count'"])
def test_what_cannot_be_sent_is_left_alone(tmp_path: Path, declared: str) -> None:
    assert planned(tmp_path, arguments(declared)).spec.hyperparameters == {}


# -- launcher


ENV_RANK = "import os\nrank = int(os.environ['RANK'])\n"
DERIVED = "import json, os\nhosts = json.loads(os.environ['SM_HOSTS'])\n"


@pytest.mark.parametrize(
    ("text", "launcher"),
    [
        pytest.param("", "script", id="single-process"),
        pytest.param(DERIVED, "script", id="rank-from-hosts"),
        pytest.param(DERIVED + "os.environ['RANK'] = '0'\n" + ENV_RANK, "script", id="sets-rank-itself"),
        pytest.param(DERIVED + f"if 'RANK' in os.environ:\n    {ENV_RANK[10:]}", "script", id="either-way"),
        pytest.param(DERIVED + ENV_RANK, "torchrun", id="needs-rank"),
        pytest.param("import os\nrank = os.getenv('LOCAL_RANK', 0)\n", "torchrun", id="local-rank-only"),
        pytest.param(
            "import torch.distributed as dist\ndist.init_process_group('gloo')\n",
            "torchrun",
            id="env-rendezvous",
        ),
        pytest.param(
            "import torch.distributed as dist\ndist.init_process_group('gloo', rank=0, world_size=1)\n",
            "script",
            id="explicit-rank",
        ),
        pytest.param("import accelerate\n", "torchrun", id="framework"),
    ],
)
def test_the_launcher_is_what_the_script_needs(tmp_path: Path, text: str, launcher: str) -> None:
    found = planned(tmp_path, text)
    assert found.spec.launcher == launcher
    assert found.chosen == (f"launcher {launcher}",)


def test_several_processes_need_torchrun_unless_the_script_spawns_them(tmp_path: Path) -> None:
    options = Options(processes=2)
    spawns = DERIVED + "import torch.multiprocessing as mp\nmp.spawn(print, nprocs=2)\n"
    assert planned(tmp_path, DERIVED, options).spec.launcher == "torchrun"
    assert planned(tmp_path, spawns, options).spec.launcher == "script"


def test_a_chosen_launcher_stays_and_is_not_told(tmp_path: Path) -> None:
    found = planned(tmp_path, "", Options(launcher="torchrun"))
    assert found.spec.launcher == "torchrun"
    assert found.chosen == ()


# -- data


def test_recognised_data_fills_every_channel_that_is_read(tmp_path: Path) -> None:
    found = planned(tmp_path, CSV + "os.environ.get('SM_CHANNEL_TEST-DATA')\n")
    assert found.spec.channels == dict.fromkeys(["test-data", "training"], tmp_path / "data")
    assert (tmp_path / "data" / "train.csv").exists()
    assert found.chosen[1].startswith("channels test-data and training = tiny train.csv")


def test_the_channel_of_a_literal_path_counts(tmp_path: Path) -> None:
    text = "import csv\nrows = csv.reader(open('/opt/ml/input/data/trial/train.csv'))\n"
    assert list(planned(tmp_path, text).spec.channels) == ["trial"]


def test_data_that_no_channel_names_goes_to_training(tmp_path: Path) -> None:
    text = "import csv\nrows = csv.reader(open('data/train.csv'))\n"
    assert list(planned(tmp_path, text).spec.channels) == ["training"]


def test_channels_of_the_user_stay_and_nothing_is_added(tmp_path: Path) -> None:
    found = planned(tmp_path, CSV, Options(channels={"mine": tmp_path}))
    assert found.spec.channels == {"mine": tmp_path}
    assert found.chosen == ("launcher script",)
    assert not (tmp_path / "data").exists()


def test_unknown_data_is_asked_for(tmp_path: Path) -> None:
    text = "import os\nos.environ['SM_CHANNEL_TRAIN'], os.environ['SM_CHANNEL_VAL']\n"
    with pytest.raises(
        PlanError, match=r"channels train and val.*--sagemaker-channel train=PATH --sagemaker-channel val="
    ):
        planned(tmp_path, text)


def test_a_docstring_names_no_file(tmp_path: Path) -> None:
    text = 'import csv\n"""\ntrain.csv\n"""\ncsv.reader([])\n"train.csv"\n'
    assert planned(tmp_path, text).spec.channels == {}


def test_a_script_without_channels_gets_none(tmp_path: Path) -> None:
    assert planned(tmp_path, "import torch\n").spec.channels == {}


# -- what cannot be planned, and what is handed on


@pytest.mark.parametrize(("raw", "code"), [(b"def f(:\n", "SM001"), (b"\0", "SM002")])
def test_what_does_not_parse_is_lints(tmp_path: Path, raw: bytes, code: str) -> None:
    script = tmp_path / "train.py"
    script.write_bytes(raw)
    with pytest.raises(Unjudged, match=code):
        plan(script, Options(), tmp_path)


def test_the_rest_is_handed_on(tmp_path: Path) -> None:
    spec = planned(tmp_path, "", Options(hosts=3, processes=2, timeout=5.0, keep=tmp_path / "kept")).spec
    assert (spec.hosts, spec.processes, spec.timeout, spec.keep) == (3, 2, 5.0, tmp_path / "kept" / "train")


@pytest.mark.parametrize(
    "script",
    sorted((Path(__file__).parents[2] / "reference_scripts").glob("*.py")),
    ids=lambda path: path.stem,
)
def test_reference_scripts_plan_themselves(tmp_path: Path, script: Path) -> None:
    found = plan(script, Options(), tmp_path)
    assert found.spec.launcher == "script"
    assert found.spec.hyperparameters == {"epochs": 2, "batch-size": 8}
    assert list(found.spec.channels) == ["training"]
