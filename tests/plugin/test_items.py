"""What the items say: passed, failed with evidence, skipped with a reason; and how they are repeated."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_sagemaker.job.checks.examples import CRASHED, SOUND, reads, shard, sound_rank, varied
from pytest_sagemaker.job.engine import EngineError

if TYPE_CHECKING:
    from fake_engine import FakeEngine
    from plugin_harness import Check

pytest_plugins = ["pytester", "plugin_harness"]

FAULTY = """\
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--use-amp", type=bool)
"""
OVERLAP = varied(training=(reads(shard(0, 1), shard(0, 1)[::-1]),))


def test_a_rule_fails_with_the_line_help_and_command(
    pytester: pytest.Pytester, check: Check, engine: FakeEngine
) -> None:
    pytester.makepyfile(train=FAULTY)
    result = check("train.py", "-k", "SM205")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*SM205 argparse-type-bool*",
            "train.py:4: SM205 argparse-type-bool: *",
            '  | parser.add_argument("--use-amp", type=bool)',
            "  help: *",
            "again: pytest --sagemaker-check 'train.py::SM205 argparse-type-bool'",
            "FAILED train.py::SM205 argparse-type-bool - *",
        ]
    )
    assert engine.started == 0


def test_a_check_fails_with_its_evidence(pytester: pytest.Pytester, check: Check, engine: FakeEngine) -> None:
    engine.answer = OVERLAP
    pytester.makepyfile(train="")
    result = check("train.py", "-k", "SM8", "-rfs", "--sagemaker-hosts=2", "--sagemaker-hp", "name=a b")
    result.assert_outcomes(failed=1, passed=14, skipped=1)
    result.stdout.fnmatch_lines(
        [
            "train.py:1: SM804 shards-overlap: ranks 0 and 1 trained on the same samples *32 of the 32*",
            "  rank 0 (algo-1) and rank 1 (algo-2): 32 samples, #0, #1, #2, #3, #4 and 27 more",
            "  help: *DistributedSampler*",
            "again: pytest --sagemaker-check --sagemaker-hosts 2 --sagemaker-hp 'name=a b' *::SM804 *'",
            "FAILED train.py::2-hosts::SM804 shards-overlap - ranks 0 and 1 trained*",
            "SKIPPED [[]1[]] train.py:1: the shards overlap: see SM804",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*items.py*")
    assert len(engine.asked) == 1


def test_a_warning_fails_too(pytester: pytest.Pytester, check: Check, engine: FakeEngine) -> None:
    engine.answer = varied(logged=3, visible=0)
    pytester.makepyfile(train="")
    result = check("train.py", "-k", "SM816")
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_the_command_repeats_just_the_item(
    pytester: pytest.Pytester, check: Check, engine: FakeEngine
) -> None:
    engine.answer = OVERLAP
    pytester.makepyfile(**{"sub/train": ""})
    pytester.mkdir("cwd")
    item = "sub/train.py::2-hosts::SM804 shards-overlap"
    result = check(item)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"again: pytest --sagemaker-check '{item}'"])


def test_after_a_failed_run_the_rest_is_skipped(
    pytester: pytest.Pytester, check: Check, engine: FakeEngine
) -> None:
    engine.answer = CRASHED
    pytester.makepyfile(train="# 1\n" * 39 + "raise ValueError('bad batch')\n")
    result = check("train.py", "-k", "SM8", "-rs")
    result.assert_outcomes(failed=1, passed=1, skipped=14)
    result.stdout.fnmatch_lines(
        [
            "train.py:40: SM801 rank-failed: rank 0 (algo-1) raised ValueError: bad batch",
            "  | raise ValueError('bad batch')",
            "SKIPPED [[]14[]] train.py:1: the run failed: see SM801",
        ]
    )


@pytest.mark.parametrize("when", ["start", "run"])
def test_a_broken_engine_fails_once(
    pytester: pytest.Pytester, check: Check, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    error = EngineError("torch is not installed: pip install torch")
    engine.answer = error
    if when == "start":

        def broken() -> FakeEngine:
            raise error

        monkeypatch.setattr("pytest_sagemaker.plugin.runs.Session", broken)
    pytester.makepyfile(train="")
    result = check("train.py", "-k", "SM8", "-rs")
    result.assert_outcomes(failed=1, skipped=15)
    result.stdout.fnmatch_lines(
        [
            "train.py: the job could not run: torch is not installed: pip install torch",
            "SKIPPED [[]15[]] train.py:1: the job could not run: torch is not installed*",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")


def test_data_that_is_not_recognised_is_asked_for(
    pytester: pytest.Pytester, check: Check, engine: FakeEngine
) -> None:
    pytester.makepyfile(train="import os\nopen(os.environ['SM_CHANNEL_TRAIN'] + '/x.bin')\n")
    result = check("train.py", "-k", "SM8")
    result.assert_outcomes(failed=1, skipped=15)
    result.stdout.fnmatch_lines(["*cannot be recognised; give some: --sagemaker-channel train=PATH"])
    assert engine.asked == []


def test_a_script_that_does_not_parse_is_not_run(
    pytester: pytest.Pytester, check: Check, engine: FakeEngine
) -> None:
    pytester.makepyfile(train="def f(:\n")
    result = check("train.py", "-rs")
    outcomes = result.parseoutcomes()
    assert (outcomes["failed"], outcomes["skipped"]) == (1, 16)
    result.stdout.fnmatch_lines(
        ["train.py:1: SM001 *", "SKIPPED [[]16[]] train.py:1: the script does not parse: see SM001"]
    )
    assert engine.asked == []


def test_last_failed_repeats_only_what_failed(
    pytester: pytest.Pytester, check: Check, engine: FakeEngine
) -> None:
    engine.answer = OVERLAP
    pytester.makepyfile(train=FAULTY)
    check("train.py")
    result = check("train.py", "--lf", "-v")
    result.stdout.fnmatch_lines(["train.py::SM205*FAILED*", "train.py::2-hosts::SM804*FAILED*"])
    assert result.parseoutcomes()["failed"] == 2
    assert "passed" not in result.parseoutcomes()


def test_x_stops_before_the_job(pytester: pytest.Pytester, check: Check, engine: FakeEngine) -> None:
    pytester.makepyfile(train=FAULTY)
    check("train.py", "-x", "-k", "SM205 or SM8").assert_outcomes(failed=1)
    assert engine.asked == []
    assert (engine.started, engine.stopped) == (1, 1)


def test_choices_and_notes_are_one_line(pytester: pytest.Pytester, check: Check, engine: FakeEngine) -> None:
    engine.answer = replace(SOUND, notes=("nccl became gloo",))
    pytester.makepyfile(
        train="import argparse\nargparse.ArgumentParser().add_argument('--epochs', type=int)\n"
    )
    result = check("train.py", "-q")
    lines = [line for line in result.outlines if line.startswith("train.py:")]
    assert lines == ["train.py: launcher script, epochs=2, nccl became gloo"]


def test_a_crash_of_the_engine_is_told_once(
    pytester: pytest.Pytester, check: Check, engine: FakeEngine
) -> None:
    engine.answer = NameError("name 'x' is not defined")
    pytester.makepyfile(train="")
    result = check("train.py", "-k", "SM8", "-rs")
    result.assert_outcomes(failed=1, skipped=15)
    result.stdout.fnmatch_lines(
        ["*please report it*", "SKIPPED [[]15[]] *could not run: name 'x' is not defined"]
    )
    assert len(engine.asked) == 1


def test_a_crash_of_a_check_keeps_its_traceback(
    pytester: pytest.Pytester, check: Check, engine: FakeEngine
) -> None:
    engine.answer = replace(SOUND, ranks=(replace(sound_rank(0), logged=None), sound_rank(1)))  # type: ignore[arg-type]  # a broken record
    pytester.makepyfile(train="")
    result = check("train.py", "-k", "SM816")
    result.stdout.fnmatch_lines(
        ["pytest-sagemaker failed in SM816 logs-invisible; please report it*", "*SM816_logs_invisible.py*"]
    )
    result.stdout.no_fnmatch_line("*pluggy/*")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
