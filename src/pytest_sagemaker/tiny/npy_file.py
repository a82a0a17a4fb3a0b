"""NumPy's .npy files, written without NumPy."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pytest_sagemaker.tiny.roles import roles
from pytest_sagemaker.tiny.sample import Tiny, at_least_one, features, numbered, sizes

if TYPE_CHECKING:
    from collections.abc import Collection


def npy(
    samples: int = 60,
    test: int = 20,
    *,
    names: Collection[str] = ("x_train.npy", "y_train.npy", "x_test.npy", "y_test.npy"),
    columns: int = 8,
    classes: int = 2,
    seed: int = 0,
) -> Tiny:
    """Arrays: x is float32 of shape (rows, `columns`), y is int64 of shape (rows,).

    The name says which of them a file holds (`x_train.npy`, `train_labels.npy`). Files whose name says test,
    val or the like have `test` rows, the others `samples`; x and y of one split belong together.

    Raises:
        ValueError: a name that says neither x nor y, no name, or a size below one.
    """
    at_least_one(columns=columns, classes=classes)
    rows = numbered(names, samples, test)
    files: dict[str, bytes] = {}
    for name, role in roles(names).items():
        numbers = rows[name]
        if role == "x":
            values = [value for number in numbers for value in features(seed, number, columns)]
            files[name] = _npy("<f4", (len(numbers), columns), struct.pack(f"<{len(values)}f", *values))
        elif role == "y":
            labels = [number % classes for number in numbers]
            files[name] = _npy("<i8", (len(numbers),), struct.pack(f"<{len(labels)}q", *labels))
        else:
            raise ValueError(f"{name}: features or labels? A name with x or y says which, as x_train.npy")
    about = f"x of {columns} float32 features, y of int64 labels, {classes} classes"
    return Tiny("npy", f"{' and '.join(files)}: {sizes(rows)}, {about}", files)


def _npy(dtype: str, shape: tuple[int, ...], values: bytes) -> bytes:
    """One array, format 1.0: the values start at a multiple of 64. Source: the docs of numpy.lib.format."""
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (-(10 + len(header) + 1) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + values
