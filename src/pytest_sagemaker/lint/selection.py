"""Which codes are wanted: `--select`, `--ignore`, `--extend-select` and their config keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_sagemaker.finding import Severity

DEFAULT_PYFLAKES = frozenset({"F632", "F702", "F706", "F811", "F821", "F822", "F823"})
"""pyflakes codes that are on by default: faults, not style."""


class Selection(NamedTuple):
    """Codes or prefixes. With an empty `select` everything at E and W is wanted, and advice (I) is not.

    Where a code is both selected and ignored, the longer prefix counts, then `ignore`. Nothing overrules
    `exempt` (what a file is spared by its name).
    """

    select: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    exempt: tuple[str, ...] = ()

    def wants(self, code: str, severity: Severity) -> bool:
        """Whether a finding of this code and severity is reported."""
        selected = _longest(code, self.select + self.extend_select)
        ignored = max(_longest(code, self.ignore), 99 * _longest(code, self.exempt))
        if selected or ignored:
            return selected > ignored
        if self.select:
            return False
        return code in DEFAULT_PYFLAKES if code.startswith("F") else severity != "I"

    def may_want(self, code: str) -> bool:
        """Whether a rule can report anything at all: others need not run."""
        return self.wants(code, "E")

    def over(self, base: Selection) -> Selection:
        """What the command line asks for over what a config says; its `select` starts anew."""
        if self.select:
            return self
        return base._replace(
            extend_select=base.extend_select + self.extend_select, ignore=base.ignore + self.ignore
        )

    def without(self, codes: Iterable[str]) -> Selection:
        """This selection for a file that is spared these codes."""
        return self._replace(exempt=(*self.exempt, *codes))


def _longest(code: str, prefixes: Iterable[str]) -> int:
    """The length of the longest prefix that a code starts with, 0 for none."""
    return max((len(prefix) for prefix in prefixes if code.startswith(prefix)), default=0)
