"""Bytes of tensors, and digests of them. Reads memory only: no arithmetic, no random numbers."""

from __future__ import annotations

import ctypes
import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_DEPTH = 4


class Content:
    """The values of a tensor as bytes, row by row; no copy of what lies in one piece in main memory."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self._plain = tensor.detach().cpu().contiguous()  # keeps the memory
        size = self._plain.numel() * self._plain.element_size()
        self.bytes = memoryview((ctypes.c_ubyte * size).from_address(self._plain.data_ptr())).cast("B")
        self.width = size // len(tensor) if tensor.dim() and len(tensor) else size

    def rows(self, numbers: Iterable[int]) -> Iterator[memoryview]:
        """The bytes of some rows along the first dimension; a tensor without any is one row."""
        content, width = self.bytes, self.width
        return (content[number * width : (number + 1) * width] for number in numbers)


def tensor_digest(tensor: torch.Tensor) -> str:
    """64 bits of BLAKE2b, in hex: for what must not be mistaken."""
    return digest(Content(tensor).bytes)


def digest(content: bytes | memoryview) -> str:
    """The same for bytes."""
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def row_digests(batch: torch.Tensor) -> list[int]:
    """One CRC for each row along the first dimension: cheap, for samples, of which a few may look alike."""
    return [*map(zlib.crc32, Content(batch).rows(range(len(batch) if batch.dim() else 1)))]


def tensors_in(value: Any, depth: int = _DEPTH) -> Iterator[torch.Tensor]:
    """The tensors of a batch or a model's output, in order, through containers and dataclasses."""
    if isinstance(value, torch.Tensor):
        yield value
    elif depth:
        inner: Any = ()
        if isinstance(value, Mapping):
            inner = value.values()
        elif isinstance(value, (list, tuple)):
            inner = value
        elif is_dataclass(value) and not isinstance(value, type):
            inner = (getattr(value, item.name) for item in fields(value))
        for item in inner:
            yield from tensors_in(item, depth - 1)
