"""Our times beside torchrun's and pyflakes', taken in turn in one run: `make bench`.

Machines differ and drift, so only ratios of medians are worth quoting.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from pytest_sagemaker import tiny

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "reference_scripts" / "train_ddp.py"
BIN = Path(sys.executable).parent
HYPERPARAMETERS = {"epochs": 2, "batch-size": 8}
ROUNDS = 5


@dataclass(frozen=True)
class Comparison:
    """Two commands that are timed in turn. `limit` is the ratio of medians that we promise."""

    title: str
    ours: list[str]
    theirs: list[str]
    limit: float
    ok: tuple[int, ...] = (0,)


def main() -> int:
    """Print a row per comparison; 1 if a ratio is over its limit."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [(comparison, *_times(comparison)) for comparison in _comparisons(Path(folder))]
    print(f"seconds, medians of {ROUNDS} rounds in turn")
    print(f"{'':42} {'ours':>8} {'theirs':>8} {'ratio':>6} {'limit':>6}")
    for comparison, ours, theirs in rows:
        print(f"{comparison.title:42} {ours:8.3f} {theirs:8.3f} {ours / theirs:6.2f} {comparison.limit:6.2f}")
    return int(any(ours / theirs > comparison.limit for comparison, ours, theirs in rows))


def _comparisons(folder: Path) -> list[Comparison]:
    channel = tiny.mnist().write(folder / "training")
    sent = [word for key, value in HYPERPARAMETERS.items() for word in (f"--{key}", str(value))]
    given = [word for key, value in HYPERPARAMETERS.items() for word in ("--sagemaker-hp", f"{key}={value}")]
    check = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--sagemaker-check", str(REFERENCE)]
    script = folder / "train_250.py"
    _script_of(250, script)
    return [
        Comparison(
            "two-host check of train_ddp.py / torchrun",
            [
                sys.executable,
                *check,
                "--sagemaker-hosts",
                "2",
                "--sagemaker-channel",
                f"training={channel}",
                *given,
            ],
            [
                *(str(BIN / "torchrun"), "--standalone", "--nproc-per-node", "2", str(REFERENCE), *sent),
                *("--data-dir", str(channel), "--model-dir", str(folder / "model")),
            ],
            limit=1.0,
        ),
        Comparison(
            "sm-lint / pyflakes, one 250-line script",
            [str(BIN / "sm-lint"), str(script)],
            [str(BIN / "pyflakes"), str(script)],
            limit=2.0,
            ok=(0, 1),
        ),
    ]


def _script_of(lines: int, path: Path) -> None:
    """A script of about this length: the reference script with its functions repeated."""
    text = REFERENCE.read_text()
    body, guard, tail = text.partition('\nif __name__ == "__main__":')
    while body.count("\n") + tail.count("\n") < lines:
        body += f"\n\ndef scale_{body.count('def ')}(values: list[float], factor: float) -> list[float]:\n"
        body += "    scaled = [value * factor for value in values]\n    return sorted(scaled)\n"
    path.write_text(body + guard + tail)


def _times(comparison: Comparison) -> tuple[float, float]:
    """Median seconds of both commands, in turn, after one round that does not count."""
    ours, theirs = [], []
    for _ in range(ROUNDS + 1):
        ours.append(_time(comparison.ours, comparison.ok))
        theirs.append(_time(comparison.theirs, comparison.ok))
    return statistics.median(ours[1:]), statistics.median(theirs[1:])


def _time(command: list[str], ok: tuple[int, ...]) -> float:
    environ = {**os.environ, "OMP_NUM_THREADS": "1"}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has its byte code
    start = time.perf_counter()
    done = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=120
    )
    seconds = time.perf_counter() - start
    if done.returncode not in ok:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
    return seconds


if __name__ == "__main__":
    if shutil.which("torchrun", path=str(BIN)) is None:
        sys.exit("torchrun is not in this environment: run `make bench`")
    sys.exit(main())
