"""What a file holds, by the words in its name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pytest_sagemaker.tiny.sample import words

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

Role = Literal["x", "y"]

_LABELS = frozenset({"y", "label", "labels", "target", "targets"})
_FEATURES = frozenset({"x", "feature", "features", "input", "inputs", "image", "images"})


def roles(names: Collection[str]) -> Mapping[str, Role | None]:
    """Which files hold features (`x_train.npy`), which labels (`train_labels.npy`); None where none says.

    `data` is a word for features only beside a file of labels: alone it may well hold both.
    """
    said = {name: frozenset(words(name.rpartition("/")[2])) for name in names}
    paired = any(found & _LABELS for found in said.values())
    features = _FEATURES | {"data"} if paired else _FEATURES
    return {
        name: "y" if found & _LABELS else "x" if found & features else None for name, found in said.items()
    }
