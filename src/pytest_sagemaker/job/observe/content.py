"""Bytes of tensors, and digests of them. Reads memory only: no arithmetic, no random numbers."""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEPTH = 4


def tensor_bytes(tensor: torch.Tensor) -> bytes:
    """The values, row by row, wherever the tensor lives."""
    plain = tensor.detach().cpu().contiguous()
    return ctypes.string_at(plain.data_ptr(), plain.numel() * plain.element_size())


def digest(content: bytes) -> str:
    """64 bits of BLAKE2b, in hex."""
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def row_digests(batch: torch.Tensor) -> list[str]:
    """One digest for each row along the first dimension; one for a tensor without any."""
    content = memoryview(tensor_bytes(batch))
    rows = batch.shape[0] if batch.dim() else 1
    width = len(content) // rows if rows else 0
    return [
        hashlib.blake2b(content[row * width : (row + 1) * width], digest_size=8).hexdigest()
        for row in range(rows)
    ]


def tensors_in(value: Any, depth: int = _DEPTH) -> Iterator[torch.Tensor]:
    """The tensors of a batch or a model's output, in order, through containers and dataclasses."""
    if isinstance(value, torch.Tensor):
        yield value
    elif depth:
        inner: Any = ()
        if isinstance(value, Mapping):
            inner = value.values()
        elif isinstance(value, list | tuple):
            inner = value
        elif is_dataclass(value) and not isinstance(value, type):
            inner = (getattr(value, item.name) for item in fields(value))
        for item in inner:
            yield from tensors_in(item, depth - 1)
