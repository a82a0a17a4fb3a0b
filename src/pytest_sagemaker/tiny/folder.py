"""A folder of images by class, as torchvision's ImageFolder reads it. Needs no imaging library."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from pytest_sagemaker.tiny.sample import Tiny, at_least_one, numbered, pixels, sizes

if TYPE_CHECKING:
    from collections.abc import Collection


def image_folder(
    samples: int = 60,
    test: int = 20,
    *,
    classes: int = 2,
    size: int = 32,
    splits: Collection[str] = (),
    seed: int = 0,
) -> Tiny:
    """Colour PNG images of `size` x `size` pixels in one folder a class: `class_0/00000.png`.

    With `splits=("train", "val")` these folders lie below `train` and `val`, of `samples` and `test` images.
    Without, the folder holds `samples` images, and `test` is not used.

    Raises:
        ValueError: fewer images than classes in a split, images under 2 x 2, or a count below one.
    """
    at_least_one(classes=classes)
    if size < 2:
        raise ValueError(f"images of at least 2 x 2 pixels can all be different, not of {size} x {size}")
    numbers_of = numbered(tuple(splits) or ("",), samples, test)
    if any(len(numbers) < classes for numbers in numbers_of.values()):
        raise ValueError(f"{classes} classes in {sizes(numbers_of)}: a class without images has no folder")
    files = {
        f"{name}/class_{number % classes}/{number:05}.png".lstrip("/"): _png(
            size, pixels(seed, number, size * size * 3)
        )
        for name, numbers in numbers_of.items()
        for number in numbers
    }
    return Tiny(
        "image folder", f"PNG images by class, {sizes(numbers_of)}, {classes} classes, {size} x {size}", files
    )


def _png(size: int, rgb: bytes) -> bytes:
    """A square PNG, eight bits a channel, unfiltered rows. Source: https://www.w3.org/TR/png-3 section 11."""
    header = struct.pack(">2I5B", size, size, 8, 2, 0, 0, 0)  # depth 8, colour type 2 (RGB)
    row = size * 3
    rows = b"".join(b"\0" + rgb[start : start + row] for start in range(0, len(rgb), row))
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
