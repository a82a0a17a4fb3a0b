"""Tensors as torch.save writes them: the one format here that needs torch."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from pytest_sagemaker.tiny.roles import roles
from pytest_sagemaker.tiny.sample import Tiny, at_least_one, features, numbered, sizes

if TYPE_CHECKING:
    from collections.abc import Collection


def pt(
    samples: int = 60,
    test: int = 20,
    *,
    names: Collection[str] = ("train.pt", "test.pt"),
    columns: int = 8,
    classes: int = 2,
    seed: int = 0,
) -> Tiny:
    """Tensors: x is float32 of shape (rows, `columns`), y is int64 of shape (rows,).

    A file whose name says x or y (`x_train.pt`) holds that tensor, any other the tuple (x, y). Files whose
    name says test, val or the like have `test` rows, the others `samples`. All load with `weights_only=True`.

    Raises:
        ModuleNotFoundError: torch is not installed.
        ValueError: no name, or a size below one.
    """
    import torch

    at_least_one(columns=columns, classes=classes)
    rows = numbered(names, samples, test)
    files: dict[str, bytes] = {}
    for name, role in roles(names).items():
        x = torch.tensor([features(seed, number, columns) for number in rows[name]], dtype=torch.float32)
        y = torch.tensor([number % classes for number in rows[name]])
        buffer = io.BytesIO()
        torch.save({"x": x, "y": y}[role] if role else (x, y), buffer)
        files[name] = buffer.getvalue()
    about = f"x of {columns} float32 features, y of int64 labels, {classes} classes"
    held = "" if all(roles(names).values()) else "the tuple (x, y), "
    return Tiny("pt", f"{' and '.join(files)}: {sizes(rows)}, {held}{about}", files)
