"""MNIST's idx files: raw and gzipped, in the folder itself and where torchvision looks for them.

The format: four bytes (0, 0, 8 for unsigned bytes, the number of dimensions), each dimension as a big-endian
32-bit number, the values. Source: http://yann.lecun.com/exdb/mnist, and torchvision/datasets/mnist.py.
"""

from __future__ import annotations

import gzip
import struct
from typing import TYPE_CHECKING

from pytest_sagemaker.tiny.sample import Tiny, numbered, pixels, sizes

if TYPE_CHECKING:
    from collections.abc import Collection

SIDE = 28  # pixels


def mnist(
    samples: int = 60,
    test: int = 20,
    *,
    classes: int = 10,
    datasets: Collection[str] = ("MNIST",),
    separator: str = "-",
    seed: int = 0,
) -> Tiny:
    """Grey images of 28 x 28 pixels with labels 0 to `classes` - 1, as `train-*` and `t10k-*` idx files.

    The files lie in the folder itself, raw and gzipped, as SageMaker's examples have them in a channel, and
    below `<data set>/raw`, where torchvision's MNIST, FashionMNIST and KMNIST find them without a download.
    `separator="."` spells those in the folder itself `train-images.idx3-ubyte`, as some mirrors do.

    Raises:
        ValueError: a split without samples, or no class.
    """
    if not 1 <= classes <= 256:
        raise ValueError(f"an idx label is one byte: 1 to 256 classes, not {classes}")
    files: dict[str, bytes] = {}
    splits = numbered(["train", "t10k"], samples, test)
    for name, numbers in splits.items():
        size = len(numbers)
        images = _idx((size, SIDE, SIDE), b"".join(pixels(seed, number, SIDE * SIDE) for number in numbers))
        labels = _idx((size,), bytes(number % classes for number in numbers))
        for what, content in (("images{}idx3", images), ("labels{}idx1", labels)):
            spelling = f"{name}-{what}-ubyte"
            zipped = gzip.compress(content, mtime=0)
            for path in (
                spelling.format(separator),
                *(f"{of}/raw/{spelling.format('-')}" for of in datasets),
            ):
                files |= {path: content, f"{path}.gz": zipped}
    return Tiny("mnist", f"MNIST idx files, {sizes(splits)}, {classes} classes", files)


def _idx(shape: tuple[int, ...], values: bytes) -> bytes:
    """One idx file of unsigned bytes."""
    return struct.pack(f">4B{len(shape)}I", 0, 0, 8, len(shape), *shape) + values
