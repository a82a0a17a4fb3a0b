"""Scripts and libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rules_harness import module_of

if TYPE_CHECKING:
    from pathlib import Path

TRAINS = "def train(loss):\n    loss.backward()\n"

SIGNS = {
    "guard": (f'{TRAINS}if __name__ == "__main__":\n    train(None)\n', True),
    "arguments": (f'import argparse\n{TRAINS}argparse.ArgumentParser().add_argument("--lr")\n', True),
    "module level": ("loss.backward()\n", True),
    "none": (TRAINS, False),
    "no training": ('if __name__ == "__main__":\n    print(1)\n', False),
}


@pytest.mark.parametrize(("text", "is_one"), SIGNS.values(), ids=SIGNS)
def test_signs_of_a_script(text: str, is_one: bool) -> None:
    assert module_of(text).script.looks_like_one is is_one


USERS = {
    "script": ("main.py", "from training import train\n", True),
    "notebook": ("main.ipynb", '{"source": ["import training"]}', True),
    "script that names it": ("main.py", 'run("training.py")\n', False),
    "notebook that names it": ("main.ipynb", '{"source": ["from_training_to_test"]}', False),
}


@pytest.mark.parametrize(("name", "text", "imports"), USERS.values(), ids=USERS)
def test_a_file_is_imported_by_what_stands_beside_it(
    tmp_path: Path, name: str, text: str, imports: bool
) -> None:
    path = tmp_path / "training.py"
    path.write_text(TRAINS)
    (tmp_path / name).write_text(text)
    assert module_of(TRAINS, str(path)).script.is_imported is imports


@pytest.mark.parametrize("name", ["test_train.py", "train_test.py", "conftest.py"])
def test_pytest_imports_its_own_files(name: str) -> None:
    assert module_of(TRAINS, name).script.is_imported


def test_a_launch_stands_beside_the_script_or_above(tmp_path: Path) -> None:
    path = tmp_path / "src" / "train.py"
    path.parent.mkdir()
    path.write_text(TRAINS)
    (tmp_path / "launch.ipynb").write_text("PyTorch('train.py', hyperparameters={'out': '/opt/ml/model'})")
    script = module_of(TRAINS, str(path)).script
    assert script.is_launched_with("/opt/ml/model")
    assert not script.is_launched_with("/opt/ml/input")


@pytest.mark.parametrize(("text", "starts"), [("python train.py --fast", True), ("python other.py", False)])
def test_a_shell_script_beside_it_starts_the_script(tmp_path: Path, text: str, starts: bool) -> None:
    path = tmp_path / "train.py"
    path.write_text(TRAINS)
    (tmp_path / "start.sh").write_text(text)
    (tmp_path / "train.ipynb").write_text("train.py")
    assert module_of(TRAINS, str(path)).script.is_started_by_shell is starts


def test_standard_input_has_nothing_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "main.ipynb").write_text("import train; /opt/ml/model")
    monkeypatch.chdir(tmp_path)
    script = module_of(TRAINS, "train").script
    assert not script.is_imported
    assert not script.is_launched_with("/opt/ml/model")
