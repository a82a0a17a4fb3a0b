"""Choose the tiny data that a script can read, from the calls it makes and the strings it holds.

Each format looks for itself. It yields nothing where the script does not read it, the data where it does, and
None where it does but the data cannot be told.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_sagemaker.tiny.folder import image_folder
from pytest_sagemaker.tiny.idx import mnist
from pytest_sagemaker.tiny.npy_file import npy
from pytest_sagemaker.tiny.roles import roles
from pytest_sagemaker.tiny.sample import Tiny, words
from pytest_sagemaker.tiny.table import csv
from pytest_sagemaker.tiny.tensor_file import pt

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_MNISTS = {"MNIST", "FashionMNIST", "KMNIST"}  # torchvision's classes that share MNIST's file names
_SPLITS = {"train", "training", "val", "valid", "validation", "test", "eval"}
_IDX = re.compile(r"/?(?P<folder>(?:[\w.*-]+/)*)[\w.*-]*idx[13]-ubyte(?:\.gz)?")
_FILE = re.compile(r"(?:/opt/ml/(?:[\w.-]+/)*|/)?(?P<name>(?:[\w-][\w.-]*/)*[\w-][\w.-]*)")

_READ_FRAME = {"pandas.read_csv", "polars.read_csv"}  # by the names of columns, or by their places
_READ_HEADER = {"csv.DictReader"}
_READ_NO_HEADER = {"csv.reader", "numpy.loadtxt", "numpy.genfromtxt"}
_READ_IMAGE = {"PIL.Image.open", "cv2.imread", "torchvision.io.read_image"}
_READ_OTHER = {
    "datasets.load_dataset",
    "datasets.load_from_disk",
    "h5py.File",
    "pandas.read_excel",
    "pandas.read_json",
    "pandas.read_parquet",
    "polars.read_parquet",
}
_NO_ROWS = {f"torch.nn.{layer}" for layer in ("Conv1d", "Conv2d", "Conv3d", "Embedding")}  # images, tokens
_LABELS = ("label", "target", "class", "labels", "targets", "y")  # as a column's name, the likelier first
_DATA = _SPLITS | {"data", "dataset"}
_MODEL = {
    "model",
    "checkpoint",
    "ckpt",
    "snapshot",
    "weights",
    "state",
    "optimizer",
    "best",
    "last",
    "final",
    "epoch",
}


def for_reads(calls: Collection[str], literals: Collection[str]) -> Tiny | None:
    """The tiny data that a script can read, or None where that cannot be told: it never guesses.

    `calls` are the full names of the calls that the script makes (`torchvision.datasets.MNIST`,
    `pandas.read_csv`), `literals` the string constants in it (`train.csv`). What cannot be told: a script
    that reads two formats, or one that is not made here; tables, arrays or tensors whose file is not named,
    or that hold images or tokens. What is assumed (the columns, a header or none) stands in the `summary`.

    Raises:
        ModuleNotFoundError: the script reads tensors from a file, and torch is not installed.
    """
    called, said = set(calls), sorted(literals)
    found = [tiny for look in (_images, _tables, _arrays, _tensors, _others) for tiny in look(called, said)]
    return found[0] if len(found) == 1 else None


def _images(calls: set[str], literals: list[str]) -> Iterator[Tiny | None]:
    """MNIST's files or image folders: by torchvision's class, by the name of an idx file."""
    names = (call.rpartition(".")[2] for call in calls if call.startswith("torchvision.datasets."))
    classes = {name for name in names if name[0].isupper()} - {"FakeData"}
    if classes - _MNISTS - {"ImageFolder"}:
        yield None  # CIFAR10 and others compare checksums
    if "ImageFolder" in classes:
        yield image_folder(splits=_split_folders(literals))
    files = [found for literal in literals if (found := _IDX.fullmatch(literal))]
    if classes & _MNISTS or files:
        raw = {f"{name}/raw/": name for name in _MNISTS}
        folders = {found["folder"] for found in files} - {"", "**/"}
        datasets = classes & _MNISTS | {raw[folder] for folder in folders & raw.keys()}
        separator = "." if any(".idx" in found[0] for found in files) else "-"
        known = folders <= raw.keys()
        yield mnist(datasets=sorted(datasets or {"MNIST"}), separator=separator) if known else None


def _tables(calls: set[str], literals: list[str]) -> Iterator[Tiny | None]:
    """CSV files, named or matched by a pattern: a header where a column is asked for by name."""
    names = _files(literals, ".csv")
    if any(literal.rpartition("/")[2] in {".csv", "*.csv"} for literal in literals):
        names += [f"{split}.csv" for split in _split_folders(literals) or ["train"]]
    readers = [read for read in (_READ_FRAME, _READ_HEADER, _READ_NO_HEADER) if calls & read]
    if not names or not readers:
        return
    one_of_many = len(names) > 1 and not any(_DATA & set(words(name)) for name in names)
    if len(readers) > 1 or one_of_many or "y" in roles(names).values() or calls & (_READ_IMAGE | _NO_ROWS):
        yield None
        return
    label = next((literal for name in _LABELS for literal in literals if literal.lower() == name), "")
    header = bool(label) if readers == [_READ_FRAME] else readers == [_READ_HEADER]
    yield csv(names=names, header=header, label=label or "label", label_first=not header)


def _arrays(calls: set[str], literals: list[str]) -> Iterator[Tiny | None]:
    """NumPy arrays, where each name says features or labels."""
    names = _files(literals, ".npy")
    if names and "numpy.load" in calls:
        yield npy(names=names) if all(roles(names).values()) and not calls & _NO_ROWS else None


def _tensors(calls: set[str], literals: list[str]) -> Iterator[Tiny | None]:
    """Tensors, where the name says data and no word says model."""
    if "torch.load" not in calls:
        return
    named = {name: set(words(name)) for name in _files(literals, ".pt", ".pth")}
    roles_of = roles(named)
    names = [name for name, said in named.items() if (said & _DATA or roles_of[name]) and not said & _MODEL]
    if names:
        yield None if calls & _NO_ROWS else pt(names=names)


def _others(calls: set[str], _literals: list[str]) -> Iterator[Tiny | None]:
    """Formats that are not made here."""
    if calls & _READ_OTHER:
        yield None


def _split_folders(literals: list[str]) -> list[str]:
    """The literals that are just the name of a split, `train` or `/val`; train first."""
    found = {literal.strip("/") for literal in literals} & _SPLITS
    return sorted(found, key=lambda name: (not name.startswith("train"), name))


def _files(literals: list[str], *suffixes: str) -> list[str]:
    """The literals that are the path of such a file below a channel. A container's own path is taken off."""
    found = (_FILE.fullmatch(literal) for literal in literals if literal.endswith(suffixes))
    return sorted({match["name"] for match in found if match})
