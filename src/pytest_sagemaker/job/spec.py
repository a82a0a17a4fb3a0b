"""What is asked of a run: one script, its hosts, what it is sent and given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Launcher = Literal["script", "torchrun"]


@dataclass(frozen=True)
class JobSpec:
    """One training job.

    `hyperparameters` are typed values as the SDK sends them (int, float, bool, str, None, list, dict).
    `channels` maps a channel's name to the folder (or file) whose copy the hosts see under input/data.
    `timeout` is in seconds, for the whole job. `keep` is a folder where the hosts' trees stay after the run.
    """

    script: Path
    hosts: int = 2
    processes: int = 1
    launcher: Launcher = "script"
    hyperparameters: Mapping[str, object] = field(default_factory=dict)
    channels: Mapping[str, Path] = field(default_factory=dict)
    timeout: float = 120.0
    keep: Path | None = None

    @property
    def world_size(self) -> int:
        """Ranks the job should have: hosts x processes."""
        return self.hosts * self.processes

    @property
    def host_names(self) -> tuple[str, ...]:
        """`algo-1` to `algo-N`, sorted as the container sorts them: as strings."""
        return tuple(sorted(f"algo-{number}" for number in range(1, self.hosts + 1)))
