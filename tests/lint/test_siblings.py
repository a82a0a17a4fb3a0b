"""The other scripts of the source folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_sagemaker.lint.facts.siblings import MAX_FILES
from pytest_sagemaker.lint.module import Module
from pytest_sagemaker.lint.source import Source

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, files: dict[str, str]) -> Module:
    """A source folder; the module of its first file."""
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return Module(Source.read(folder / next(iter(files))))


def test_files_beside_and_below_but_no_environments_or_hidden_folders(tmp_path: Path) -> None:
    module = write(
        tmp_path,
        dict.fromkeys(
            [
                "train.py",
                "model.py",
                "code/inference.py",
                ".git/a.py",
                "venv/b.py",
                "code/deep/c.py",
                "d.txt",
            ],
            "",
        ),
    )
    assert [file.relative_to(tmp_path).as_posix() for file in module.siblings.files] == [
        "model.py",
        "code/inference.py",
    ]


def test_the_folder_above_counts_for_a_package_only(tmp_path: Path) -> None:
    script = write(tmp_path, {"src/train.py": "", "main.py": "from src import train\n"})
    assert script.siblings.importers == ()
    package = write(tmp_path, {"src/train.py": "", "src/__init__.py": ""})
    assert [file.name for file in package.siblings.importers] == ["main.py"]


@pytest.mark.parametrize(
    ("line", "imports"),
    [
        ("import train", True),
        ("from train import fit", True),
        ("from . import train", True),
        ("import src.train as t", True),
        ("from src.train import fit as f", True),
        ("# import train", False),
        ("import trainer", False),
        ("train = 1", False),
    ],
)
def test_who_imports_a_script(tmp_path: Path, line: str, imports: bool) -> None:
    module = write(tmp_path, {"train.py": "", "main.py": f"{line}\n"})
    assert bool(module.siblings.importers) is imports


def test_inference_comes_first_of_those_that_serve(tmp_path: Path) -> None:
    serves = "def model_fn(model_dir):\n    pass\n"
    nested = "def outer():\n    def model_fn(model_dir):\n        pass\n"
    module = write(
        tmp_path, {"train.py": "", "deploy.py": serves, "code/inference.py": serves, "nested.py": nested}
    )
    found = [other.source.path.rpartition("/")[2] for other in module.siblings.serving]
    assert found == ["inference.py", "deploy.py"]


@pytest.mark.parametrize("path", ["train.py", "-", "<stdin>", ""])
def test_a_text_that_is_no_file_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    (tmp_path / "inference.py").write_text("def model_fn(model_dir):\n    pass\n")
    monkeypatch.chdir(tmp_path)
    module = Module(Source.decode(path, b""))
    assert (module.siblings.files, module.siblings.serving) == ((), ())


def test_a_large_folder_is_read_in_part_and_broken_files_do_no_harm(tmp_path: Path) -> None:
    files = {f"s{number}.py": "def model_fn(:\n" for number in range(MAX_FILES + 9)}
    module = write(tmp_path, {"train.py": "", **files})
    (tmp_path / "a.py").write_bytes(b"\xff\0def model_fn")
    (tmp_path / "b.py").symlink_to(tmp_path / "nowhere")
    assert len(module.siblings.files) == MAX_FILES
    assert all(other.syntax_error or other.unreadable for other in module.siblings.serving)
