"""The fixture `sagemaker_job` in people's own tests."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_sagemaker.job.checks.examples import ALONE, CRASHED, SOUND, reads, shard, sound_rank, varied
from pytest_sagemaker.job.engine import EngineError
from pytest_sagemaker.plugin.testing import Job

if TYPE_CHECKING:
    from fake_engine import FakeEngine
    from plugin_harness import Check

pytest_plugins = ["pytester", "plugin_harness"]

OVERLAP = varied(training=(reads(shard(0, 1), shard(0, 1)[::-1]),))


def test_a_check_passes_or_shows_its_evidence() -> None:
    Job(SOUND).check("SM804")
    with pytest.raises(AssertionError, match=r"(?s)SM804 ranks 0 and 1 .*rank 0 \(algo-1\) and rank 1"):
        Job(OVERLAP).check("SM804")


def test_a_check_that_cannot_be_judged_does_not_pass() -> None:
    with pytest.raises(AssertionError, match="SM804 cannot be judged: one rank only"):
        Job(ALONE).check("SM804")
    with pytest.raises(AssertionError, match=r"(?s)see SM801.*ValueError: bad batch"):
        Job(CRASHED).check("SM804")


def test_an_unknown_check_is_refused() -> None:
    with pytest.raises(ValueError, match="SM899 is no check; they are SM801, SM802"):
        Job(SOUND).check("SM899")


def test_assert_ok_tells_every_finding() -> None:
    Job(SOUND).assert_ok()
    Job(ALONE).assert_ok()
    with pytest.raises(AssertionError, match="SM804"):
        Job(OVERLAP).assert_ok()


def test_shards_are_found_by_data_set_or_channel() -> None:
    for name in ("MNIST", "MNIST[32]", "training"):
        assert Job(SOUND).shards(name).disjoint
        assert not Job(OVERLAP).shards(name).disjoint
    assert len(Job(SOUND).shards("MNIST").union) == 32


def test_shards_that_are_not_one_data_set_are_refused() -> None:
    second = reads(("#0",), dataset="CIFAR[1]")
    both = varied(training=(*sound_rank(0).training, second))
    assert Job(both).shards("CIFAR").dataset == "CIFAR[1]"
    for name in ("training", "other"):
        with pytest.raises(KeyError, match=r"there are: CIFAR\[1\], MNIST\[32\]"):
            Job(both).shards(name)
    with pytest.raises(KeyError, match="there are: none"):
        Job(replace(SOUND, ranks=())).shards("training")


def test_the_fixture_runs_a_script_beside_the_test(
    pytester: pytest.Pytester, check: Check, engine: FakeEngine
) -> None:
    script = pytester.path / "sub" / "train.py"
    script.parent.mkdir()
    script.write_text("import argparse\nargparse.ArgumentParser().add_argument('--epochs', type=int)\n")
    (pytester.path / "sub" / "own").mkdir()
    (pytester.path / "sub" / "test_job.py").write_text("""
from pytest_sagemaker import tiny

def test_two(sagemaker_job):
    job = sagemaker_job(
        "train.py", hosts=3, processes=2, launcher="script", timeout=9, hyperparameters={"lr": 0.1},
        channels={"training": tiny.mnist(), "test": tiny.mnist(), "own": "own"},
    )
    job.assert_ok()
    assert job.record.world_size == 2

def test_options_count(sagemaker_job):
    sagemaker_job("train.py")
""")
    result = check("--sagemaker-hosts=4", "--sagemaker-hp=epochs=6", flag="")
    result.assert_outcomes(passed=2)
    first, second = engine.asked
    assert first.script == script
    assert (first.hosts, first.processes, first.launcher, first.timeout) == (3, 2, "script", 9)
    assert first.hyperparameters == {"lr": 0.1, "epochs": 6}
    assert list(first.channels) == ["training", "test", "own"]
    assert len(set(first.channels.values())) == 3
    assert "train-images-idx3-ubyte" in engine.files[0]
    assert second.hosts == 4
    assert (engine.started, engine.stopped) == (1, 1)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("'gone.py'", "FileNotFoundError: no such file or folder: *gone.py"),
        ("'train.py', channels={'a': 'gone'}", "FileNotFoundError: no such file or folder: *gone"),
        ("'broken.py'", "*CannotRunError: the script does not parse: see SM001"),
        ("'train.py'", "*CannotRunError: torch is not installed"),
    ],
)
def test_what_cannot_run_is_one_line_in_the_test(
    pytester: pytest.Pytester, check: Check, engine: FakeEngine, call: str, words: str
) -> None:
    engine.answer = EngineError("torch is not installed")
    pytester.makepyfile(
        train="", broken="def f(:", test_job=f"def test_one(sagemaker_job):\n    sagemaker_job({call})\n"
    )
    result = check("-k", "test_one", flag="")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"E  *{words}"])
    result.stdout.no_fnmatch_line("*runs.py*")
