"""Putting our function in front of another's."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def wrap(owner: Any, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Replace `owner.name` by `make(original)`, which keeps the original's name and signature."""
    original = getattr(owner, name)
    setattr(owner, name, functools.wraps(original)(make(original)))


def before(owner: Any, name: str, notice: Callable[..., None]) -> None:
    """Call `notice` with the same arguments before each call of `owner.name`."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def noticed(*args: Any, **kwargs: Any) -> Any:
            notice(*args, **kwargs)
            return original(*args, **kwargs)

        return noticed

    wrap(owner, name, make)


def replace_everywhere(package: str, original: object, replacement: object) -> None:
    """Put `replacement` wherever a loaded module of a package holds `original`: some import it by name."""
    for name, module in list(sys.modules.items()):
        if name == package or name.startswith(f"{package}."):
            for attribute in [key for key, value in vars(module).items() if value is original]:
                setattr(module, attribute, replacement)
