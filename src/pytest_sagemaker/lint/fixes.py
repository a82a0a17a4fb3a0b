"""Applying fixes to a text: whole fixes, never half of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_sagemaker.finding import Edit, Fix


def apply(text: str, fixes: Iterable[Fix]) -> str:
    """The text with every fix applied that does not overlap an earlier one.

    Two fixes that make the very same edit (an import that both need) share it. What is left out because it
    overlaps is for the next pass.
    """
    taken: list[Edit] = []
    for fix in fixes:
        new = [edit for edit in fix.edits if edit not in taken]
        if not any(_overlap(edit, other) for edit in new for other in taken):
            taken += new
    for edit in sorted(taken, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _overlap(one: Edit, other: Edit) -> bool:
    """Whether two edits touch the same characters, or insert at the same place."""
    if one.start == other.start:
        return True
    return one.start < other.end and other.start < one.end
