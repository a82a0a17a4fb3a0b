"""The whole way, with real ranks: a sound and a faulty script, through the plugin in a process of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pytest_sagemaker.catalogue import scan
from pytest_sagemaker.job.judge import CHECKS

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]


@pytest.mark.ranks
def test_a_sound_and_a_faulty_script_side_by_side(pytester: pytest.Pytester) -> None:
    shutil.copy(ROOT / "reference_scripts" / "train_ddp.py", pytester.path / "sound.py")
    shutil.copy(ROOT / "fixtures" / "sampler_missing.py", pytester.path / "faulty.py")
    args = (
        "-p",
        "no:hypothesispytest",
        "--sagemaker-check",
        "-v",
        "-k",
        "SM8",
        "-rs",
        "sound.py",
        "faulty.py",
    )
    result = pytester.runpytest_subprocess(*args)
    for check in scan(CHECKS):
        result.stdout.fnmatch_lines([f"sound.py::2-hosts::{check.code} {check.name} PASSED*"])
    result.stdout.fnmatch_lines(
        [
            "faulty.py:*: SM804 shards-overlap: ranks 0 and 1 trained on the same samples of TensorDataset*",
            "  rank 0 (algo-1) and rank 1 (algo-2): 60 samples, *",
            "sound.py: launcher script, epochs=2, batch-size=8, channel training = tiny MNIST*",
            "faulty.py: launcher script, epochs=2, batch-size=8, channel training = tiny train.csv*",
            "SKIPPED [[]1[]] faulty.py:1: the shards overlap: see SM804",
        ]
    )
    result.assert_outcomes(failed=1, skipped=1, passed=2 * len(scan(CHECKS)) - 2)
