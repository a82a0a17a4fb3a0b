"""Tables: one row a sample, numeric features and an integer label."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sagemaker.tiny.sample import Tiny, at_least_one, features, numbered, sizes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


def csv(
    samples: int = 60,
    test: int = 20,
    *,
    names: Collection[str] = ("train.csv", "test.csv"),
    columns: int = 8,
    classes: int = 2,
    header: bool = True,
    label: str = "label",
    label_first: bool = False,
    seed: int = 0,
) -> Tiny:
    """CSV files of `columns` features (`feature_0`, ...) and a label from 0 to `classes` - 1.

    Files whose name says test, val or the like have `test` rows, the others `samples`. The label is the last
    column; `header=False, label_first=True` is the layout of SageMaker's built-in algorithms.

    Raises:
        ValueError: no name, or a size below one.
    """
    at_least_one(columns=columns, classes=classes)
    files = numbered(names, samples, test)

    def rows(numbers: range) -> Iterator[list[object]]:
        if header:
            yield [*(f"feature_{column}" for column in range(columns)), label]
        for number in numbers:
            yield [*features(seed, number, columns), number % classes]

    def text(numbers: range) -> str:
        ordered = ([row[-1], *row[:-1]] if label_first else row for row in rows(numbers))
        return "".join(",".join(map(str, row)) + "\n" for row in ordered)

    about = f"a header, label {label!r}" if header else "no header, label"
    place = "first" if label_first else "last"
    return Tiny(
        "csv",
        f"{' and '.join(files)}: {sizes(files)}, {columns} features, {about} {place}, {classes} classes",
        {name: text(numbers).encode() for name, numbers in files.items()},
    )
