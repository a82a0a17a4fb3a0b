"""What the reference scripts do in one process. The tools' own tests lint them and run them as jobs."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from pytest_sagemaker import tiny

SCRIPTS = Path(__file__).parent.parent / "reference_scripts"


def imported(name: str) -> Any:
    """The script as an endpoint has it: imported, not run."""
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def only(made: tiny.Tiny, start: str, end: str) -> tiny.Tiny:
    """The files whose path starts and ends so."""
    return tiny.Tiny(
        made.kind,
        "",
        {name: c for name, c in made.files.items() if name.startswith(start) and name.endswith(end)},
    )


@pytest.mark.parametrize(
    ("start", "end"),
    [("", ""), ("t", "ubyte"), ("t", ".gz"), ("MNIST/raw", "ubyte"), ("MNIST/raw", ".gz")],
    ids=["all", "raw", "gzipped", "torchvision's folder", "torchvision's folder, gzipped"],
)
def test_mnist_is_read_raw_gzipped_and_from_torchvisions_folder(tmp_path: Path, start: str, end: str) -> None:
    folder = only(tiny.mnist(samples=12, test=7), start, end).write(tmp_path)
    script = imported("train_ddp")
    images, labels = script.read_split(folder, "train").tensors
    assert images.shape == (12, 1, 28, 28)
    assert images[11, 0, 0, :4].tolist() == [0, 0, 0, 11]  # tiny images begin with their number
    assert labels.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    assert len(script.read_split(folder, "t10k")) == 7


def test_a_missing_idx_file_is_named_with_its_folder(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=rf"neither train-images-idx3-ubyte nor .*\.gz below {tmp_path}"
    ):
        imported("train_ddp").read_split(tmp_path, "train")


def test_a_table_is_read_into_rows_and_labels(tmp_path: Path) -> None:
    folder = tiny.csv(samples=5, columns=3).write(tmp_path)
    rows, labels = imported("train_single_host").read_table(folder / "train.csv").tensors
    assert rows.shape == (5, 3)
    assert (rows[:, 0] * 1024).tolist() == [0, 1, 2, 3, 4]  # the first feature counts the samples
    assert labels.tolist() == [0, 1, 0, 1, 0]


@pytest.mark.parametrize(
    ("name", "sizes", "shape"), [("train_ddp", (), (2, 1, 28, 28)), ("train_single_host", (6, 3), (2, 6))]
)
def test_model_fn_gives_back_what_was_saved(
    tmp_path: Path, name: str, sizes: tuple[int, ...], shape: tuple[int, ...]
) -> None:
    import torch

    script = imported(name)
    model = script.Net(*sizes)
    torch.save(model.state_dict(), tmp_path / "model.pth")
    loaded = script.model_fn(str(tmp_path))
    assert not loaded.training
    batch = torch.rand(shape)
    assert torch.equal(loaded(batch), model.eval()(batch))


@pytest.mark.parametrize("name", ["train_ddp", "train_single_host"])
def test_a_misspelled_hyperparameter_ends_the_job(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.setattr("sys.argv", ["train.py", "--batch_size", "8"])
    with pytest.raises(SystemExit):
        imported(name).main()
    assert "unrecognized arguments: --batch_size 8" in capsys.readouterr().err
