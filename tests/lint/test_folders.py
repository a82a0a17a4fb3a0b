"""Which files of a folder are scripts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_sagemaker.lint.config import Configs
from pytest_sagemaker.lint.folders import looks_like_script, scripts

TRAINS = "import torch\n\nloss.backward()\n"


def put(root: Path, *paths: str, text: str = TRAINS) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def found(*paths: Path) -> tuple[list[Path], list[Path]]:
    return scripts(paths, Configs())


@pytest.mark.parametrize(
    "text",
    [
        "import torch\nos.environ['SM_MODEL_DIR']",
        "from torch.utils.data import DataLoader",
        "import torch\ndef model_fn(model_dir): ...",
        "import pytorch_lightning as pl\npl.Trainer()",
        "from transformers import Trainer\nTrainer(model)",
        "import torch\nopen('/opt/ml/model/x')",
    ],
)
def test_looks_like_a_script(text: str) -> None:
    assert looks_like_script(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "import torch.nn as nn\nclass Net(nn.Module): ...",
        "os.environ['SM_MODEL_DIR']",
        "import torchvision_tools\nmodel.backward()",
        "import tensorflow as tf\n# SM_MODEL_DIR",
    ],
)
def test_does_not_look_like_a_script(text: str) -> None:
    assert not looks_like_script(text.encode())


def test_a_folder_gives_its_scripts_in_order(tmp_path: Path) -> None:
    put(tmp_path, "z.py", "a/train.py", "a/b/eval.py")
    put(tmp_path, "util.py", text="x = 1\n")
    put(tmp_path, "notes.txt")
    assert found(tmp_path) == ([tmp_path / "a/b/eval.py", tmp_path / "a/train.py", tmp_path / "z.py"], [])


def test_folders_of_others_are_skipped(tmp_path: Path) -> None:
    put(tmp_path, *(f"{name}/x.py" for name in (".git", "node_modules", "__pycache__", "build", "dist")))
    put(tmp_path, "env/lib/x.py", ".hidden.py")
    put(tmp_path, "env/pyvenv.cfg", text="")
    assert found(tmp_path) == ([], [tmp_path])


def test_excluded_files_are_left_out_unless_named(tmp_path: Path) -> None:
    put(tmp_path, "old/x.py", "new/x.py", "new/old_one.py")
    (tmp_path / "pyproject.toml").write_text('[tool.sm-lint]\nexclude = ["old", "old_*.py"]\n')
    assert found(tmp_path) == ([tmp_path / "new/x.py"], [])
    assert found(tmp_path / "old/x.py") == ([tmp_path / "old/x.py"], [])


def test_a_named_file_is_taken_as_it_is(tmp_path: Path) -> None:
    put(tmp_path, "util.txt", text="x = 1\n")
    assert found(tmp_path / "util.txt", tmp_path / "gone.py") == (
        [tmp_path / "gone.py", tmp_path / "util.txt"],
        [],
    )


def test_each_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "train.py")
    monkeypatch.chdir(tmp_path)
    assert found(Path("train.py"), tmp_path, Path("./train.py")) == ([Path("train.py")], [])


def test_what_is_no_file_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "dangling.py").symlink_to(tmp_path / "gone")
    assert found(tmp_path) == ([], [tmp_path])


def test_an_unreadable_folder_is_handed_on_to_be_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "train.py")
    locked = tmp_path / "locked"
    locked.mkdir()
    scandir = os.scandir

    def refuse(path: str) -> object:
        if Path(path) == locked:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert found(tmp_path) == ([locked, tmp_path / "train.py"], [])


def test_a_name_that_is_too_long_is_a_file_like_any_other() -> None:
    path = Path("x" * 5000)
    assert found(path) == ([path], [])
