from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sagemaker.contract import TrainingJob, argv, environment, torchrun_environment
from pytest_sagemaker.contract.environ import IMAGE

GOLDEN = {path.stem: json.loads(path.read_text()) for path in Path(__file__).parent.glob("golden/*.json")}
OF_TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "none",
    "TORCH_NCCL_ASYNC_ERROR_HANDLING": "1",
}  # torch sets them, the dumps left them out

TWO_HOSTS = TrainingJob("train.py", ["algo-1", "algo-2"], {"epochs": 1}, ["training"])


def dumped_job(dump: dict[str, Any]) -> TrainingJob:
    environ = dump["environ"]
    job = TrainingJob(
        "dump_env.py",
        json.loads(environ["SM_HOSTS"]),
        dump["hyperparameters"],
        dump["channels"],
        cpus=int(environ["SM_NUM_CPUS"]),
        torch_version=environ["SM_DLC_TORCH_VERSION"],
    )
    # what the launcher was sent, instead of what our launcher="torchrun" would send
    return replace(job, hyperparameters={**job.hyperparameters, **json.loads(environ["SM_FRAMEWORK_PARAMS"])})


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_environment_is_the_dumped_one(name: str) -> None:
    dump = GOLDEN[name]
    job, host = dumped_job(dump), dump["host"]
    ours = environment(job, host)
    expected = IMAGE | {key: value for key, value in dump["environ"].items() if "-" not in key}
    if dump["launcher"] == "torchrun":
        ours |= torchrun_environment(job.hosts, 1, job.hosts.index(host), 0)
        expected |= OF_TORCHRUN
    assert ours == expected


def test_the_dumps_are_there() -> None:
    assert len(GOLDEN) == 15
    assert {dump["launcher"] for dump in GOLDEN.values()} == {"script", "torchrun"}


@pytest.mark.parametrize("name", sorted(name for name in GOLDEN if "-511" in name))
def test_argv_is_the_dumped_one(name: str, tmp_path: Path) -> None:
    dump = GOLDEN[name]
    (tmp_path / "dump_env.py").touch()  # what * listed there
    ours = argv("dump_env.py", dump["hyperparameters"], {"HOME": "/root"}, tmp_path)
    assert ours == [word.replace("<value of HOME>", "/root") for word in dump["argv"]]


def test_torchrun_job_sends_what_its_launcher_needs() -> None:
    dump = GOLDEN["torchdist-511.algo-2"]
    job = replace(dumped_job(dump), hyperparameters=dump["hyperparameters"], launcher="torchrun")
    assert environment(job, "algo-2")["SM_FRAMEWORK_PARAMS"] == dump["environ"]["SM_FRAMEWORK_PARAMS"]


def test_paths_follow_the_base_dir() -> None:
    there, here = environment(TWO_HOSTS, "algo-1"), environment(TWO_HOSTS, "algo-1", "/tmp/algo-1/opt/ml")
    assert here.pop("SAGEMAKER_BASE_DIR") == "/tmp/algo-1/opt/ml"
    assert here == {name: text.replace("/opt/ml", "/tmp/algo-1/opt/ml") for name, text in there.items()}


def test_hosts_sort_as_strings_and_the_first_is_master() -> None:
    hosts = sorted(f"algo-{number}" for number in range(1, 11))
    seen = environment(replace(TWO_HOSTS, hosts=hosts), "algo-10")
    assert seen["SM_HOSTS"].startswith('["algo-1","algo-10","algo-2"')
    assert seen["MASTER_ADDR"] == "algo-1"
    assert json.loads(seen["SM_TRAINING_ENV"])["is_master"] is False


def test_hyperparameters_for_the_toolkit_stay_with_it() -> None:
    sent = {"lr": 0.1, "sagemaker_mpi_enabled": False, "_tuning_objective_metric": "loss"}
    seen = environment(replace(TWO_HOSTS, hyperparameters=sent), "algo-1")
    assert seen["SM_HPS"] == '{"lr":0.1}'
    assert seen["SM_USER_ARGS"] == '["--lr","0.1"]'
    assert seen["SM_FRAMEWORK_PARAMS"] == '{"sagemaker_mpi_enabled":false}'


def test_ranks_count_through_the_hosts() -> None:
    hosts = ["algo-1", "algo-2"]
    ranks = [torchrun_environment(hosts, 2, host, local) for host in (0, 1) for local in (0, 1)]
    assert [rank["RANK"] for rank in ranks] == ["0", "1", "2", "3"]
    assert [rank["LOCAL_RANK"] for rank in ranks] == ["0", "1", "0", "1"]
    assert {rank["WORLD_SIZE"] for rank in ranks} == {"4"}
    assert {rank["MASTER_ADDR"] for rank in ranks} == {"algo-1"}
    assert {rank["OMP_NUM_THREADS"] for rank in ranks} == {"1"}


def test_torchrun_on_one_host_meets_at_localhost() -> None:
    alone = torchrun_environment(["algo-1"], 1, 0, 0)
    assert alone["MASTER_ADDR"] == "localhost"
    assert "OMP_NUM_THREADS" not in alone


TEXTS = st.text("aB7 é\"'{[$-.\n")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.text("abcxyz_-.é", min_size=1, max_size=8), VALUES, max_size=4))
def test_any_hyperparameter_arrives_typed_and_as_a_variable(hyperparameters: dict[str, Any]) -> None:
    seen = environment(replace(TWO_HOSTS, hyperparameters=hyperparameters), "algo-1")
    assert json.loads(seen["SM_HPS"]) == hyperparameters
    assert all(name.isidentifier() and name.isascii() for name in seen)
    for name, value in hyperparameters.items():
        if name.isascii() and name.replace("_", "x").isalnum():
            text = seen[f"SM_HP_{name.upper()}"]
            assert (text if isinstance(value, str) else json.loads(text or "null")) == value
