from __future__ import annotations

import csv
import gzip
import io
import struct
import subprocess
import sys
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sagemaker import tiny

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

MNIST_FILES = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
]


def read_idx(content: bytes) -> NDArray[np.uint8]:
    zeros, kind, dimensions = struct.unpack_from(">HBB", content)
    assert (zeros, kind) == (0, 8)
    shape = struct.unpack_from(f">{dimensions}I", content, 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def read_png(content: bytes) -> tuple[int, int, bytes]:
    """Width, height and unfiltered RGB of a PNG, its checksums verified."""
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    chunks: dict[bytes, bytes] = {}
    start = 8
    while start < len(content):
        (length,) = struct.unpack_from(">I", content, start)
        kind, body = content[start + 4 : start + 8], content[start + 8 : start + 8 + length]
        assert struct.unpack_from(">I", content, start + 8 + length) == (zlib.crc32(kind + body),)
        chunks[kind] = body
        start += 12 + length
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, depth, colour, *rest = struct.unpack(">2I5B", chunks[b"IHDR"])
    assert (depth, colour, rest) == (8, 2, [0, 0, 0])
    rows = zlib.decompress(chunks[b"IDAT"])
    assert len(rows) == height * (1 + 3 * width)
    lines = [rows[at : at + 1 + 3 * width] for at in range(0, len(rows), 1 + 3 * width)]
    assert {line[0] for line in lines} == {0}
    return width, height, b"".join(line[1:] for line in lines)


def read_csv(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode())))


def read_npy(content: bytes) -> NDArray[Any]:
    loaded: NDArray[Any] = np.load(io.BytesIO(content), allow_pickle=False)
    return loaded


def samples_of(made: tiny.Tiny) -> list[bytes]:
    """The bytes of every sample of every split, read back with another reader."""
    if made.kind == "mnist":
        images = [read_idx(made.files[name]) for name in (MNIST_FILES[0], MNIST_FILES[2])]
        return [image.tobytes() for split in images for image in split]
    if made.kind == "csv":
        return [
            ",".join(row[:-1]).encode() for content in made.files.values() for row in read_csv(content)[1:]
        ]
    if made.kind == "npy":
        return [row.tobytes() for name in made.files if "x_" in name for row in read_npy(made.files[name])]
    return [read_png(content)[2] for content in made.files.values()]


MAKERS: dict[str, Callable[[int, int, int], tiny.Tiny]] = {
    "mnist": lambda samples, test, seed: tiny.mnist(samples, test, seed=seed),
    "csv": lambda samples, test, seed: tiny.csv(samples, test, columns=1, seed=seed),
    "npy": lambda samples, test, seed: tiny.npy(samples, test, columns=1, seed=seed),
    "image folder": lambda samples, test, seed: tiny.image_folder(
        samples, test, classes=1, size=2, splits=["train", "test"], seed=seed
    ),
}
COUNTS = st.integers(1, 80)


@pytest.mark.parametrize("kind", MAKERS)
@given(samples=COUNTS, test=COUNTS, seed=st.integers(0, 3))
@settings(max_examples=15, deadline=None)
def test_every_sample_is_unique(kind: str, samples: int, test: int, seed: int) -> None:
    read = samples_of(MAKERS[kind](samples, test, seed))
    assert len(set(read)) == len(read) == samples + test


@pytest.mark.parametrize("kind", MAKERS)
@given(samples=COUNTS, test=COUNTS, seed=st.integers(0, 3))
@settings(max_examples=5, deadline=None)
def test_the_same_arguments_make_the_same_bytes(kind: str, samples: int, test: int, seed: int) -> None:
    assert MAKERS[kind](samples, test, seed) == MAKERS[kind](samples, test, seed)


@pytest.mark.parametrize(
    "make", [tiny.mnist, lambda seed: tiny.csv(seed=seed), tiny.npy, tiny.image_folder], ids=list(MAKERS)
)
def test_another_seed_makes_other_data(make: Callable[..., tiny.Tiny]) -> None:
    assert make(seed=1).files != make(seed=2).files


def test_the_first_sample_is_what_it_was() -> None:
    """Data must not change with the machine, the Python or a release: results are compared across them."""
    assert read_csv(tiny.csv(columns=3).files["train.csv"])[2] == [
        "0.0009765625",
        "-0.621176",
        "-0.572637",
        "1",
    ]


@pytest.mark.parametrize("kind", MAKERS)
def test_a_split_without_samples_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="test of at least 1, not 0"):
        MAKERS[kind](5, 0, 0)


def test_write_makes_the_folders_and_returns_the_root(tmp_path: Path) -> None:
    made = tiny.mnist()
    root = made.write(tmp_path / "input" / "training")
    assert root == tmp_path / "input" / "training"
    written = {
        path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }
    assert written == made.files


def test_a_tiny_prints_without_its_content() -> None:
    assert len(repr(tiny.mnist())) < 100


class TestMnist:
    def test_files_lie_flat_and_where_torchvision_looks_raw_and_gzipped(self) -> None:
        files = tiny.mnist().files
        flat = {name + end for name in MNIST_FILES for end in ("", ".gz")}
        assert files.keys() == flat | {f"MNIST/raw/{name}" for name in flat}
        for name in MNIST_FILES:
            assert files[name] == files[f"MNIST/raw/{name}"] == gzip.decompress(files[f"{name}.gz"])
            assert files[f"{name}.gz"] == files[f"MNIST/raw/{name}.gz"]

    def test_images_and_labels_have_mnists_shape(self) -> None:
        files = tiny.mnist(samples=25, test=7).files
        train, train_labels, test, test_labels = (read_idx(files[name]) for name in MNIST_FILES)
        assert (train.shape, test.shape) == ((25, 28, 28), (7, 28, 28))
        assert (train_labels.shape, test_labels.shape) == ((25,), (7,))

    def test_labels_are_spread_over_the_classes(self) -> None:
        labels = read_idx(tiny.mnist(samples=30, classes=3).files[MNIST_FILES[1]])
        assert np.bincount(labels).tolist() == [10, 10, 10]

    def test_other_data_sets_have_their_own_folders(self) -> None:
        files = tiny.mnist(datasets=["FashionMNIST", "KMNIST"]).files
        assert {
            f"{name}/raw/{file}" for name in ("FashionMNIST", "KMNIST") for file in MNIST_FILES
        } < files.keys()
        assert not [name for name in files if name.startswith("MNIST/")]

    def test_a_dot_is_for_the_flat_files_only(self) -> None:
        files = tiny.mnist(separator=".").files
        assert "train-images.idx3-ubyte.gz" in files
        assert "MNIST/raw/train-images-idx3-ubyte" in files
        assert "MNIST/raw/train-images.idx3-ubyte" not in files

    @pytest.mark.parametrize("classes", [0, 257])
    def test_a_label_is_one_byte(self, classes: int) -> None:
        with pytest.raises(ValueError, match="1 to 256 classes"):
            tiny.mnist(classes=classes)


class TestImageFolder:
    def test_images_lie_by_class(self) -> None:
        files = tiny.image_folder(samples=7, classes=3, size=5).files
        assert sorted(files) == [
            "class_0/00000.png",
            "class_0/00003.png",
            "class_0/00006.png",
            "class_1/00001.png",
            "class_1/00004.png",
            "class_2/00002.png",
            "class_2/00005.png",
        ]
        assert {read_png(content)[:2] for content in files.values()} == {(5, 5)}

    def test_splits_have_their_own_sizes_and_the_same_classes(self) -> None:
        files = tiny.image_folder(samples=6, test=4, splits=["train", "val"]).files
        folders = [name.rpartition("/")[0] for name in files]
        assert {folder: folders.count(folder) for folder in folders} == {
            "train/class_0": 3,
            "train/class_1": 3,
            "val/class_0": 2,
            "val/class_1": 2,
        }

    def test_a_class_without_images_is_refused(self) -> None:
        with pytest.raises(ValueError, match="10 classes in 60 train, 9 val"):
            tiny.image_folder(test=9, classes=10, splits=["train", "val"])

    def test_images_too_small_to_differ_are_refused(self) -> None:
        with pytest.raises(ValueError, match="2 x 2"):
            tiny.image_folder(size=1)


class TestCsv:
    def test_columns_are_numbers_and_a_label_under_a_header(self) -> None:
        head, *rows = read_csv(tiny.csv(samples=6, columns=2, classes=3, label="species").files["train.csv"])
        assert head == ["feature_0", "feature_1", "species"]
        assert [row[-1] for row in rows] == ["0", "1", "2", "0", "1", "2"]
        assert all(-1 <= float(cell) <= 1 for row in rows for cell in row[:-1])

    def test_files_named_for_evaluation_are_of_the_other_size(self) -> None:
        files = tiny.csv(names=["a.csv", "val.csv", "my_test.csv"], samples=9, test=4).files
        assert {name: len(read_csv(content)) - 1 for name, content in files.items()} == {
            "a.csv": 9,
            "val.csv": 4,
            "my_test.csv": 4,
        }
        assert files["val.csv"] != files["my_test.csv"]

    def test_the_layout_of_built_in_algorithms(self) -> None:
        rows = read_csv(tiny.csv(columns=2, header=False, label_first=True).files["train.csv"])
        assert len(rows) == 60
        assert [row[0] for row in rows[:4]] == ["0", "1", "0", "1"]
        assert {len(row) for row in rows} == {3}

    def test_a_header_follows_the_label(self) -> None:
        head = read_csv(tiny.csv(columns=2, label_first=True).files["train.csv"])[0]
        assert head == ["label", "feature_0", "feature_1"]

    def test_no_name_is_refused(self) -> None:
        with pytest.raises(ValueError, match="name of at least one file"):
            tiny.csv(names=[])


class TestNpy:
    def test_x_and_y_of_a_split_belong_together(self) -> None:
        files = tiny.npy(samples=12, test=5, columns=4, classes=3).files
        x, y = read_npy(files["x_train.npy"]), read_npy(files["y_train.npy"])
        assert (x.shape, x.dtype) == ((12, 4), np.dtype("float32"))
        assert (y.shape, y.dtype) == ((12,), np.dtype("int64"))
        assert (x[:, 0] * 1024 % 3).tolist() == y.tolist()  # the first feature counts the samples
        assert read_npy(files["x_test.npy"]).shape == (5, 4)
        assert read_npy(files["y_test.npy"]).tolist() == [0, 1, 2, 0, 1]

    @pytest.mark.parametrize("samples", [1, 10, 100, 1000])
    def test_values_start_at_a_multiple_of_64(self, samples: int) -> None:
        content = tiny.npy(samples, names=["y.npy"]).files["y.npy"]
        assert (len(content) - samples * 8) % 64 == 0

    def test_data_means_features_beside_labels_only(self) -> None:
        files = tiny.npy(names=["train_data.npy", "train_labels.npy"]).files
        assert read_npy(files["train_data.npy"]).ndim == 2
        assert read_npy(files["train_labels.npy"]).ndim == 1
        with pytest.raises(ValueError, match=r"train_data\.npy: features or labels"):
            tiny.npy(names=["train_data.npy"])


class TestPt:
    @staticmethod
    def load(content: bytes) -> Any:
        import torch

        return torch.load(io.BytesIO(content), weights_only=True)

    def test_a_file_holds_x_and_y(self) -> None:
        import torch

        files = tiny.pt(samples=9, test=4, columns=3).files
        assert list(files) == ["train.pt", "test.pt"]
        x, y = self.load(files["train.pt"])
        assert (x.shape, x.dtype) == (torch.Size([9, 3]), torch.float32)
        assert y.tolist() == [0, 1, 0, 1, 0, 1, 0, 1, 0]
        assert len({tuple(row) for row in x.tolist()}) == 9

    def test_a_name_with_x_or_y_holds_that_tensor(self) -> None:
        files = tiny.pt(samples=9, names=["x_train.pt", "y_train.pt"]).files
        x, y = self.load(files["x_train.pt"]), self.load(files["y_train.pt"])
        assert x.shape == (9, 8)
        assert y.shape == (9,)

    def test_the_same_arguments_make_the_same_bytes(self) -> None:
        assert tiny.pt() == tiny.pt()

    @pytest.mark.parametrize(
        "names", [["data.pt"], ["x.pt", "y.pt"], ["features.pt", "labels.pt"], ["val.pth", "sets/train.pth"]]
    )
    def test_for_reads_takes_names_of_data_for_tensors(self, names: list[str]) -> None:
        found = tiny.for_reads({"torch.load"}, {*names, "model.pth", "net.pt", "train"})
        assert found == tiny.pt(names=sorted(names))


TRAIN_IMAGES = "train-images-idx3-ubyte"
HEADERLESS = tiny.csv(names=["train.csv"], header=False, label_first=True)
READS: dict[str, tuple[set[str], set[str], tiny.Tiny | None]] = {
    "nothing": (set(), set(), None),
    "no data at all": ({"torch.save", "torch.optim.SGD"}, {"model.pth", "train"}, None),
    "torchvision MNIST": ({"torchvision.datasets.MNIST"}, {"SM_CHANNEL_TRAINING"}, tiny.mnist()),
    "MNIST by its module": ({"torchvision.datasets.mnist.MNIST"}, set(), tiny.mnist()),
    "FashionMNIST": ({"torchvision.datasets.FashionMNIST"}, set(), tiny.mnist(datasets=["FashionMNIST"])),
    "two of MNIST's kind": (
        {"torchvision.datasets.MNIST", "torchvision.datasets.KMNIST"},
        set(),
        tiny.mnist(datasets=["KMNIST", "MNIST"]),
    ),
    "MNIST and a model that is loaded": (
        {"torchvision.datasets.MNIST", "torch.load", "PIL.Image.open", "numpy.load"},
        {"model.pth", "model.pt", "application/x-npy"},
        tiny.mnist(),
    ),
    "a method beside a data set": (
        {"torchvision.datasets.MNIST", "torchvision.datasets.MNIST.mirrors.insert"},
        set(),
        tiny.mnist(),
    ),
    "MNIST or CIFAR10": ({"torchvision.datasets.MNIST", "torchvision.datasets.CIFAR10"}, set(), None),
    "MNIST or an image folder": (
        {"torchvision.datasets.MNIST", "torchvision.datasets.ImageFolder"},
        set(),
        None,
    ),
    "CIFAR10 compares checksums": ({"torchvision.datasets.CIFAR10"}, set(), None),
    "fake data needs no channel": ({"torchvision.datasets.FakeData"}, set(), None),
    "idx files by name": ({"gzip.open"}, {f"{TRAIN_IMAGES}.gz"}, tiny.mnist()),
    "idx files by the end of their names": ({"struct.unpack"}, {"-images-idx3-ubyte", "train"}, tiny.mnist()),
    "idx files by a pattern": ({"glob.glob"}, {"**/*-idx3-ubyte.gz"}, tiny.mnist()),
    "idx files after a folder in a variable": (set(), {f"/{TRAIN_IMAGES}"}, tiny.mnist()),
    "idx files where torchvision puts them": (
        set(),
        {f"FashionMNIST/raw/{TRAIN_IMAGES}"},
        tiny.mnist(datasets=["FashionMNIST"]),
    ),
    "idx files in a folder that is not made": (set(), {f"mine/{TRAIN_IMAGES}"}, None),
    "idx files with a dot": (set(), {"train-images.idx3-ubyte"}, tiny.mnist(separator=".")),
    "a sentence about idx files": (set(), {f"put {TRAIN_IMAGES} into the channel"}, None),
    "image folder": (
        {"torchvision.datasets.ImageFolder"},
        {"SM_CHANNEL_TRAIN", "--train"},
        tiny.image_folder(),
    ),
    "image folder by its module": ({"torchvision.datasets.folder.ImageFolder"}, set(), tiny.image_folder()),
    "image folder with splits": (
        {"torchvision.datasets.ImageFolder", "torchvision.datasets.FakeData", "torch.load"},
        {"val", "train", "checkpoint.pth.tar"},
        tiny.image_folder(splits=["train", "val"]),
    ),
    "image folder with splits after a slash": (
        {"torchvision.datasets.ImageFolder"},
        {"/test", "/training"},
        tiny.image_folder(splits=["training", "test"]),
    ),
    "pandas by the names of columns": (
        {"pandas.read_csv"},
        {"train.csv", "test.csv", "Target"},
        tiny.csv(names=["test.csv", "train.csv"], label="Target"),
    ),
    "pandas by the likelier name": (
        {"pandas.read_csv"},
        {"train.csv", "y", "class", "label"},
        tiny.csv(names=["train.csv"]),
    ),
    "pandas by the places of columns": (
        {"pandas.read_csv"},
        {"train.csv", "labelled"},
        tiny.csv(names=["train.csv"], header=False, label_first=True),
    ),
    "a single table of any name": ({"csv.DictReader"}, {"iris.csv"}, tiny.csv(names=["iris.csv"])),
    "tables of any names": ({"csv.DictReader"}, {"report.csv", "leaderboard.csv"}, None),
    "a table and what is written beside it": (
        {"csv.DictReader"},
        {"train.csv", "metrics.csv"},
        tiny.csv(names=["metrics.csv", "train.csv"]),
    ),
    "tables of x and y": ({"pandas.read_csv"}, {"x_train.csv", "y_train.csv"}, None),
    "a table of tokens": ({"pandas.read_csv", "torch.nn.Embedding"}, {"train.csv"}, None),
    "DictReader": ({"csv.DictReader"}, {"data/train.csv"}, tiny.csv(names=["data/train.csv"])),
    "csv.reader": ({"csv.reader"}, {"train.csv"}, HEADERLESS),
    "numpy.loadtxt": ({"numpy.loadtxt"}, {"/train.csv", ","}, HEADERLESS),
    "a container's own path": (
        {"pandas.read_csv"},
        {"/opt/ml/input/data/training/train.csv"},
        HEADERLESS,
    ),
    "CSV by a pattern": ({"pandas.read_csv"}, {"data/*.csv"}, HEADERLESS),
    "CSV by split": (
        {"csv.DictReader"},
        {".csv", "train", "validation"},
        tiny.csv(names=["train.csv", "validation.csv"]),
    ),
    "CSV with no name": ({"pandas.read_csv"}, {"text/csv", "train"}, None),
    "CSV in a bucket": ({"pandas.read_csv"}, {"s3://bucket/train.csv"}, None),
    "CSV by a format": ({"pandas.read_csv"}, {"{}_train.csv", "../train.csv"}, None),
    "CSV that is written": ({"csv.writer"}, {"metrics.csv"}, None),
    "CSV with and without a header": ({"csv.reader", "pandas.read_csv"}, {"train.csv"}, None),
    "CSV that lists images": ({"pandas.read_csv", "PIL.Image.open"}, {"train.csv"}, None),
    "CSV and arrays": ({"pandas.read_csv", "numpy.load"}, {"train.csv", "x_train.npy"}, None),
    "CSV or parquet": ({"pandas.read_csv", "pandas.read_parquet"}, {"train.csv"}, None),
    "arrays": (
        {"numpy.load"},
        {"x_train.npy", "y_train.npy", "train", "model.pth"},
        tiny.npy(names=["x_train.npy", "y_train.npy"]),
    ),
    "arrays of data and labels": (
        {"numpy.load"},
        {"train/data.npy", "train/labels.npy"},
        tiny.npy(names=["train/data.npy", "train/labels.npy"]),
    ),
    "arrays of images": ({"numpy.load", "torch.nn.Conv2d"}, {"x_train.npy", "y_train.npy"}, None),
    "an array of who knows what": ({"numpy.load"}, {"embeddings.npy"}, None),
    "an array that is written": ({"numpy.save"}, {"x_train.npy"}, None),
    "tensors of images": ({"torch.load", "torch.nn.Conv2d"}, {"train.pt"}, None),
    "a model of the training": ({"torch.load"}, {"train_state.pt", "best.pt", "net.pth"}, None),
    "tensors that are written": ({"torch.save"}, {"train.pt"}, None),
}


@pytest.mark.parametrize("case", READS)
def test_for_reads(case: str) -> None:
    calls, literals, expected = READS[case]
    assert tiny.for_reads(calls, literals) == expected


@given(st.permutations(["test.csv", "train.csv", "label", "val", "x"]))
@settings(max_examples=10, deadline=None)
def test_for_reads_does_not_depend_on_order(literals: list[str]) -> None:
    expected = tiny.csv(names=["test.csv", "train.csv"])
    assert tiny.for_reads(["pandas.read_csv", "print"], literals) == expected


def test_importing_tiny_imports_nothing_heavy() -> None:
    heavy = {"torch", "pytest", "numpy", "PIL"}
    code = f"import sys, pytest_sagemaker.tiny; print({heavy} & sys.modules.keys() or 'none')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "none\n"
