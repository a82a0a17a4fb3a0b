from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from pytest_sagemaker.contract import HyperparameterError
from pytest_sagemaker.job import channels, sources
from pytest_sagemaker.job.channels import ChannelError
from pytest_sagemaker.job.container import build, ranks
from pytest_sagemaker.job.spec import JobSpec

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "project" / "train.py"
    path.parent.mkdir()
    path.write_text("print('training')\n")
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    (path / "raw").mkdir(parents=True)
    (path / "raw" / "a.csv").write_text("1,2\n")
    return path


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path / "hosts"


def below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_each_host_has_its_own_tree(script: Path, data: Path, base: Path) -> None:
    hosts = build(JobSpec(script, hosts=2, channels={"training": data}), base)
    assert [(host.name, host.index, host.root) for host in hosts] == [
        ("algo-1", 0, base / "algo-1"),
        ("algo-2", 1, base / "algo-2"),
    ]
    for host in hosts:
        ml = host.root / "opt" / "ml"
        assert below(host.root) == {
            "opt/ml/code/train.py",
            "opt/ml/input/config/hyperparameters.json",
            "opt/ml/input/config/inputdataconfig.json",
            "opt/ml/input/config/resourceconfig.json",
            "opt/ml/input/data/training/raw/a.csv",
        }
        assert (host.model, host.checkpoints) == (ml / "model", ml / "checkpoints")
        assert all(path.is_dir() for path in (host.model, host.output / "data", host.checkpoints))
        assert host.cwd == host.code == ml / "code"
        assert host.notes == ()


def test_environment_points_into_the_hosts_own_tree(script: Path, data: Path, base: Path) -> None:
    _, second = build(JobSpec(script, channels={"training": data}), base, gpus=4)
    assert second.environ["SM_MODEL_DIR"] == str(second.model)
    assert second.environ["SM_OUTPUT_DATA_DIR"] == str(second.output / "data")
    assert (base / "algo-2/opt/ml/input/data/training").samefile(second.environ["SM_CHANNEL_TRAINING"])
    assert second.environ["PYTHONPATH"] == str(second.code)
    assert second.environ["SM_CURRENT_HOST"] == "algo-2"
    assert second.environ["SM_NUM_GPUS"] == "4"
    assert "RANK" not in second.environ


def test_config_files_hold_what_the_platform_writes(script: Path, data: Path, base: Path) -> None:
    sent = {"lr": 0.1, "amp": True, "name": "adam"}
    _, second = build(JobSpec(script, hyperparameters=sent, channels={"training": data}), base)
    config = second.root / "opt/ml/input/config"
    hyperparameters = json.loads((config / "hyperparameters.json").read_text())
    assert hyperparameters.items() >= {"lr": "0.1", "amp": "true", "name": '"adam"'}.items()
    assert hyperparameters["sagemaker_program"] == '"train.py"'
    assert json.loads((config / "resourceconfig.json").read_text())["current_host"] == "algo-2"
    assert (
        json.loads((config / "inputdataconfig.json").read_text())["training"]["TrainingInputMode"] == "File"
    )


def test_argv_is_split_by_the_shell_in_the_hosts_folder(script: Path, base: Path) -> None:
    (script.parent / "labels.txt").touch()
    sent = {"files": "*.txt", "home": "$SM_CURRENT_HOST", "text": "a b"}
    first, second = build(JobSpec(script, hyperparameters=sent), base)
    assert first.argv == ("train.py", "--files", "labels.txt", "--home", "algo-1", "--text", "a", "b")
    assert second.argv[4] == "algo-2"


def test_hyperparameter_that_the_shell_refuses_leaves_nothing_behind(script: Path, base: Path) -> None:
    with pytest.raises(HyperparameterError, match="'note' holds"):
        build(JobSpec(script, hyperparameters={"note": "it's"}), base)
    assert not base.exists()


def test_hosts_stand_in_the_order_of_their_names(script: Path, base: Path) -> None:
    hosts = build(JobSpec(script, hosts=11), base)
    assert [host.name for host in hosts][:4] == ["algo-1", "algo-10", "algo-11", "algo-2"]
    assert [host.index for host in hosts] == list(range(11))


def test_an_earlier_jobs_tree_is_replaced(script: Path, base: Path) -> None:
    (stale,) = build(JobSpec(script, hosts=1), base)
    (stale.model / "model.pth").touch()
    (fresh,) = build(JobSpec(script, hosts=1), base)
    assert below(fresh.model) == set()


def test_missing_script(tmp_path: Path, base: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"absent\.py"):
        build(JobSpec(tmp_path / "absent.py"), base)


def test_script_launcher_starts_one_rank_a_host_and_tells_it_nothing_more(script: Path, base: Path) -> None:
    spec = JobSpec(script, hosts=2, processes=2)
    hosts = build(spec, base)
    plans = ranks(spec, hosts)
    assert [(plan.rank, plan.local_rank, plan.host.name) for plan in plans] == [
        (0, 0, "algo-1"),
        (1, 0, "algo-2"),
    ]
    assert [plan.environ for plan in plans] == [host.environ for host in hosts]


def test_torchrun_starts_its_processes_on_each_host(script: Path, base: Path) -> None:
    spec = JobSpec(script, hosts=2, processes=2, launcher="torchrun")
    plans = ranks(spec, build(spec, base))
    assert [(plan.rank, plan.local_rank, plan.host.name) for plan in plans] == [
        (0, 0, "algo-1"),
        (1, 1, "algo-1"),
        (2, 0, "algo-2"),
        (3, 1, "algo-2"),
    ]
    last = plans[3]
    told = {
        name: last.environ[name] for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "GROUP_RANK", "NCCL_PROTO")
    }
    assert told == {
        "RANK": "3",
        "LOCAL_RANK": "1",
        "WORLD_SIZE": "4",
        "GROUP_RANK": "1",
        "NCCL_PROTO": "simple",
    }
    assert last.environ["SM_CURRENT_HOST"] == "algo-2"
    assert (last.argv, last.cwd) == (last.host.argv, last.host.cwd)


# channels


def test_missing_channel_says_what_to_give(script: Path, tmp_path: Path, base: Path) -> None:
    with pytest.raises(
        ChannelError, match=r"'training': there is no .*absent.*--sagemaker-channel training=PATH"
    ):
        build(JobSpec(script, channels={"training": tmp_path / "absent"}), base)
    assert not base.exists()


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".", "..", "a" * 65, "data set"])
def test_channel_name_that_sagemaker_refuses(script: Path, data: Path, base: Path, name: str) -> None:
    with pytest.raises(ChannelError, match="SageMaker takes letters"):
        build(JobSpec(script, channels={name: data}), base)


def test_a_file_lies_inside_its_channel(script: Path, data: Path, base: Path) -> None:
    host, _ = build(JobSpec(script, channels={"test": data / "raw" / "a.csv"}), base)
    assert below(host.root / "opt/ml/input/data") == {"test/a.csv"}


def test_what_a_host_writes_into_a_small_channel_stays_there(script: Path, data: Path, base: Path) -> None:
    first, second = build(JobSpec(script, channels={"training": data}), base)
    for host in (first, second):
        raw = host.root / "opt/ml/input/data/training/raw"
        assert below(raw) == {"a.csv"}
        (raw / "a.csv").write_text(host.name)
        (raw / "cache").touch()
    assert (data / "raw" / "a.csv").read_text() == "1,2\n"
    assert below(data) == {"raw/a.csv"}


@pytest.mark.parametrize(("limit", "value"), [("COPIED_FILES", 1), ("COPIED_BYTES", 3)])
def test_a_large_channel_is_linked_and_said(
    script: Path, data: Path, base: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(channels, limit, value)
    hosts = build(JobSpec(script, channels={"training": data, "one": data / "raw" / "a.csv"}), base)
    for host in hosts:
        folder = host.root / "opt/ml/input/data"
        assert (folder / "training").is_symlink()
        assert (folder / "training/raw/a.csv").samefile(data / "raw" / "a.csv")
        assert (folder / "one/a.csv").read_text() == "1,2\n"
        assert f"the hosts share {data} itself, also for writing" in host.notes[0]


def test_channel_with_links_inside_is_linked(script: Path, data: Path, base: Path) -> None:
    (data.parent / "outer").symlink_to(data)
    host, _ = build(JobSpec(script, channels={"training": data.parent / "outer"}), base)
    assert not (host.root / "opt/ml/input/data/training").is_symlink()
    (data / "loop").symlink_to(data)
    host, _ = build(JobSpec(script, channels={"training": data}), base)
    assert (host.root / "opt/ml/input/data/training").is_symlink()


def test_relative_channel_is_found_from_the_hosts(
    script: Path, data: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data / "link").symlink_to("raw")
    monkeypatch.chdir(data.parent)
    relative = JobSpec(script, channels={"training": data.relative_to(data.parent)})
    host, _ = build(relative, base.relative_to(data.parent))
    assert host.root.is_absolute()
    assert (host.root / "opt/ml/input/data/training/raw/a.csv").exists()


def test_read_only_folders_do_not_make_the_hosts_read_only(script: Path, data: Path, base: Path) -> None:
    (data / "raw").chmod(0o555)
    host, _ = build(JobSpec(script, channels={"training": data}), base)
    assert (host.root / "opt/ml/input/data/training/raw").stat().st_mode & 0o200
    (data / "raw").chmod(0o755)


def test_channel_whose_variable_the_shell_drops_is_said(script: Path, data: Path, base: Path) -> None:
    host, _ = build(JobSpec(script, channels={"my-data": data}), base)
    assert host.notes == ("channel 'my-data': the container's shell drops SM_CHANNEL_MY-DATA",)
    assert (host.root / "opt/ml/input/data/my-data/raw/a.csv").exists()


# sources


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def test_siblings_of_the_script_are_copied_and_litter_is_not(script: Path, base: Path) -> None:
    project = script.parent
    make(
        project,
        "helpers.py",
        "model/__init__.py",
        "model/net.py",
        "requirements.txt",
        "conf/a.yaml",
        "run.sh",
    )
    make(
        project,
        ".git/config",
        ".env",
        "__pycache__/x.pyc",
        "node_modules/a.js",
        "myenv/pyvenv.cfg",
        "myenv/b.py",
    )
    (project / "run.sh").chmod(0o755)
    host, _ = build(JobSpec(script), base)
    assert below(host.code) == {
        *("train.py", "helpers.py", "model/__init__.py", "model/net.py"),
        *("requirements.txt", "conf/a.yaml", "run.sh"),
    }
    assert os.access(host.code / "run.sh", os.X_OK)


def test_the_hosts_own_trees_are_no_sources(script: Path) -> None:
    kept = script.parent / "kept"
    for _ in range(2):
        host, _ = build(JobSpec(script), kept)
    assert below(host.code) == {"train.py"}


def test_sources_are_copied_not_shared(script: Path, base: Path) -> None:
    host, _ = build(JobSpec(script), base)
    (host.code / "train.py").write_text("changed")
    assert script.read_text() == "print('training')\n"


def test_big_files_are_left_out_and_named(script: Path, base: Path) -> None:
    with (script.parent / "weights.bin").open("wb") as file:
        file.truncate(sources.MAX_FILE_BYTES + 1)
    host, _ = build(JobSpec(script), base)
    assert below(host.code) == {"train.py"}
    assert host.notes == ("not copied to the hosts: weights.bin (over 50 MB)",)


@pytest.mark.parametrize(("limit", "value"), [("MAX_FILES", 4), ("MAX_BYTES", 36)])
def test_a_crowded_folder_gives_its_nearest_files_and_a_note(
    script: Path, base: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(sources, limit, value)
    make(script.parent, "a.txt", "z.py", "b.txt", "c.txt", "deep/c.py")
    host, _ = build(JobSpec(script), base)
    assert below(host.code) == {"train.py", "z.py", "a.txt", "b.txt"}
    assert "only the 4 files nearest to train.py" in host.notes[0]


def test_nearer_files_come_first_and_python_before_the_rest(script: Path, base: Path) -> None:
    make(script.parent, "b/deep/d.py", "b/c.txt", "b/c.py", "a/e.py", "z.py", "a.txt")
    found = sources.select(script, skip=base)
    names = [str(path.relative_to(found.folder)) for path in found.files]
    assert names == ["train.py", "z.py", "a.txt", "a/e.py", "b/c.py", "b/c.txt", "b/deep/d.py"]


def test_linked_folders_are_followed_once(script: Path, tmp_path: Path, base: Path) -> None:
    make(tmp_path / "shared", "lib/__init__.py")
    (script.parent / "lib").symlink_to(tmp_path / "shared" / "lib")
    (script.parent / "loop").symlink_to(script.parent)
    host, _ = build(JobSpec(script), base)
    assert below(host.code) == {"train.py", "lib/__init__.py"}
    assert not (host.code / "lib").is_symlink()


def test_dead_links_are_no_sources(script: Path, base: Path) -> None:
    (script.parent / "gone.py").symlink_to("nowhere")
    host, _ = build(JobSpec(script), base)
    assert below(host.code) == {"train.py"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_what_cannot_be_read_is_named(script: Path, data: Path, base: Path) -> None:
    make(script.parent, "secret.key", "locked/a.py")
    (script.parent / "secret.key").chmod(0)
    (script.parent / "locked").chmod(0)
    (data / "raw" / "a.csv").chmod(0)
    host, _ = build(JobSpec(script), base)
    (script.parent / "locked").chmod(0o755)
    assert host.notes == ("not copied to the hosts: secret.key (cannot be read), locked (cannot be read)",)
    with pytest.raises(ChannelError, match=r"a\.csv cannot be read"):
        build(JobSpec(script, channels={"training": data}), base)
