"""A folder of tiny data, and the samples in it. A sample follows from the seed and its number alone."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_EVALUATION = frozenset(
    {"test", "t10k", "val", "valid", "validation", "eval", "evaluation", "dev", "holdout"}
)


@dataclass(frozen=True)
class Tiny:
    """A folder still to be written, for a job's channel.

    `kind` names the format, `summary` says in one line what is inside. `files` maps paths relative to the
    folder, with `/`, to their content.
    """

    kind: str
    summary: str
    files: Mapping[str, bytes] = field(repr=False)

    def write(self, folder: Path) -> Path:
        """Write every file below `folder`, which is made if it is not there; return `folder`."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return folder


def at_least_one(**counts: int) -> None:
    """Refuse a count below one.

    Raises:
        ValueError: naming the count.
    """
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"tiny data needs {name} of at least 1, not {count}")


def words(name: str) -> list[str]:
    """The words of a file's path in lower case: `data/xTrain_2.npy` has data, x, train, 2, npy."""
    return [word.lower() for word in re.findall(r"t10k|[A-Z]?[a-z]+|[A-Z]+|\d+", name)]


def split(name: str) -> str:
    """The split that a file or folder belongs to: the evaluation word in its name, else `train`."""
    return next((word for word in words(name) if word in _EVALUATION), "train")


def numbered(names: Iterable[str], samples: int, test: int) -> dict[str, range]:
    """The numbers of each file's samples: files of one split share them, two splits have none in common.

    Raises:
        ValueError: a split without samples, or no name.
    """
    at_least_one(samples=samples, test=test)
    splits: dict[str, range] = {}
    files: dict[str, range] = {}
    start = 0
    for name in names:
        if split(name) not in splits:
            size = samples if split(name) == "train" else test
            splits[split(name)] = range(start, start + size)
            start += size
        files[name] = splits[split(name)]
    if not files:
        raise ValueError("tiny data needs the name of at least one file")
    return files


def pixels(seed: int, number: int, count: int) -> bytes:
    """`count` (4 or more) grey or colour values; the first four hold the number: no two samples are equal."""
    return number.to_bytes(4, "big") + random.Random(f"{seed}:{number}").randbytes(count - 4)


def features(seed: int, number: int, count: int) -> list[float]:
    """`count` small values. The first, exact in float32 too, grows with the number: no two are equal."""
    source = random.Random(f"{seed}:{number}")
    return [number / 1024, *(round(source.uniform(-1, 1), 6) for _ in range(count - 1))]


def sizes(files: Mapping[str, range]) -> str:
    """How many samples each split has, in words: `60 train, 20 test`."""
    return ", ".join(
        f"{len(numbers)} {name}" for name, numbers in {split(f): n for f, n in files.items()}.items()
    )
