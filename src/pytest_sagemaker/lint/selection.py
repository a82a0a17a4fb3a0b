"""Which codes are wanted: `--select`, `--ignore`, `--extend-select` and their config keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_sagemaker.finding import Severity

DEFAULT_PYFLAKES = frozenset({"F632", "F702", "F706", "F811", "F821", "F822", "F823"})
"""pyflakes codes that are on by default: faults, not style."""


@dataclass(frozen=True)
class Selection:
    """Codes or prefixes. With an empty `select` everything at E and W is wanted, and advice (I) is not."""

    select: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    def wants(self, code: str, severity: Severity) -> bool:
        """Whether a finding of this code and severity is reported."""
        if code.startswith(self.ignore) and self.ignore:
            return False
        named = self.select + self.extend_select
        if named and code.startswith(named):
            return True
        if self.select:
            return False
        return code in DEFAULT_PYFLAKES if code.startswith("F") else severity != "I"

    def may_want(self, code: str) -> bool:
        """Whether a rule can report anything at all: others need not run."""
        return self.wants(code, "E")
