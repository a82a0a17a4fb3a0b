"""How pytest-xdist spreads the checks: those of one job stay together, everything else as usual."""

from __future__ import annotations

import re

from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # ships no types

_CHECK = re.compile(r"(?P<job>.+::\d+-hosts?(?:-x-\d+)?)::SM\d+ [\w-]+")


class JobScheduling(LoadScopeScheduling):  # type: ignore[misc]  # its base is untyped
    """Load scheduling in which the checks of one job are one unit of work."""

    def _split_scope(self, nodeid: str) -> str:
        """The job that a node id belongs to; any other test is a unit by itself."""
        found = _CHECK.fullmatch(nodeid)
        return found["job"] if found else nodeid
