"""The plugin from outside: what is collected, which options mean what, what it costs when it is not used."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from pytest_sagemaker.catalogue import scan
from pytest_sagemaker.job.judge import CHECKS
from pytest_sagemaker.lint.run import rules

if TYPE_CHECKING:
    from pathlib import Path

    from fake_engine import FakeEngine
    from plugin_harness import Check

pytest_plugins = ["pytester", "plugin_harness"]

EXPLOSIVE = """\
import pathlib
pathlib.Path("imported").touch()
raise AssertionError("a script is never imported")
"""


def names(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if "::" in line and not line.startswith(("FAILED", "again"))]


def test_every_code_is_an_item_named_for_it(
    pytester: pytest.Pytester, check: Check, engine: FakeEngine
) -> None:
    pytester.makepyfile(train=EXPLOSIVE)
    result = check("--collect-only", "-q", "train.py")
    found = names(result)
    expected = [f"train.py::2-hosts::{check.code} {check.name}" for check in scan(CHECKS)]
    assert [name for name in found if "2-hosts" in name] == expected
    linted = {name.split("::")[1] for name in found if "2-hosts" not in name}
    assert linted <= {f"{rule.code} {rule.name}" for rule in rules()}
    assert "SM205 argparse-type-bool" in linted
    assert engine.started == 0


@pytest.mark.parametrize(
    ("options", "group"),
    [
        ((), "2-hosts"),
        (("--sagemaker-hosts", "1"), "1-host"),
        (("--sagemaker-hosts=3", "--sagemaker-processes=4"), "3-hosts-x-4"),
    ],
)
def test_the_job_is_named_for_its_ranks(
    pytester: pytest.Pytester, check: Check, engine: FakeEngine, options: tuple[str, ...], group: str
) -> None:
    pytester.makepyfile(train="")
    result = check("train.py", "-v", "-k", "SM801", *options)
    result.stdout.fnmatch_lines([f"train.py::{group}::SM801 rank-failed PASSED*"])
    assert engine.asked[0].world_size == {"2-hosts": 2, "1-host": 1, "3-hosts-x-4": 12}[group]


def test_a_script_is_never_imported(pytester: pytest.Pytester, check: Check, engine: FakeEngine) -> None:
    script = pytester.makepyfile(train=EXPLOSIVE)
    result = check("--doctest-modules", "train.py")
    result.assert_outcomes(passed=len(scan(CHECKS)) + len(default_rules()))
    assert engine.asked[0].script == script
    assert not (pytester.path / "imported").exists()


def default_rules() -> list[str]:
    from pytest_sagemaker.lint.selection import Selection

    return [rule.code for rule in rules() if Selection().wants(rule.code, rule.severity)]


def test_without_the_flag_nothing_changes(
    pytester: pytest.Pytester, check: Check, engine: FakeEngine
) -> None:
    pytester.makepyfile(train=EXPLOSIVE, test_other="def test_one(): pass")
    check(flag="").assert_outcomes(passed=1)
    check("train.py", flag="").assert_outcomes(errors=1)
    assert engine.started == 0


def test_tests_beside_a_script_stay_tests(pytester: pytest.Pytester, check: Check) -> None:
    pytester.makepyfile(train="", test_other="def test_one(): pass")
    result = check("-v", "train.py", "test_other.py", "-k", "test_one or SM801")
    result.stdout.fnmatch_lines(["train.py::2-hosts::SM801*", "test_other.py::test_one PASSED*"])


@pytest.mark.parametrize("from_ini", [True, False], ids=["ini", "command-line"])
def test_globs_choose_scripts_in_a_folder(
    pytester: pytest.Pytester, check: Check, engine: FakeEngine, from_ini: bool
) -> None:
    for name in ("src/train.py", "src/helper.py", "src/other/train_b.py", "test_x.py"):
        path = pytester.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("def test_one(): pass\n")
    if from_ini:
        pytester.makeini(
            "[pytest]\nsagemaker_check = true\nsagemaker_scripts =\n  src/train*.py\n  train_b.py\n"
        )
    options = () if from_ini else ("--sagemaker-check", "--sagemaker-scripts=train*.py")
    result = check("-v", "-k", "SM801 or test_one", *options, flag="")
    found = sorted(line.split(" ")[0] for line in result.outlines if "::" in line)
    assert found == [
        "src/other/train_b.py::2-hosts::SM801",
        "src/train.py::2-hosts::SM801",
        "test_x.py::test_one",
    ]
    assert len(engine.asked) == 2
    assert engine.started == 1


def test_options_reach_the_job(pytester: pytest.Pytester, check: Check, engine: FakeEngine) -> None:
    pytester.makepyfile(train="")
    (pytester.path / "data").mkdir()
    (pytester.path / "data" / "a.csv").write_text("1\n")
    result = check(
        "train.py",
        "--sagemaker-launcher=torchrun",
        "--sagemaker-timeout=7.5",
        "--sagemaker-keep=kept",
        "--sagemaker-channel=training=data",
        *(f"--sagemaker-hp={pair}" for pair in ("epochs=3", "lr=1e-3", "amp=true", "name=a=b", "empty=")),
    )
    assert result.ret == 0
    (spec,) = engine.asked
    assert spec.launcher == "torchrun"
    assert spec.timeout == 7.5
    assert spec.keep == pytester.path / "kept" / "train"
    assert spec.channels == {"training": pytester.path / "data"}
    assert spec.hyperparameters == {"epochs": 3, "lr": 0.001, "amp": True, "name": "a=b", "empty": ""}
    result.stdout.no_fnmatch_line("*chosen where nothing was said*")


def test_the_command_line_overrides_the_ini_file(
    pytester: pytest.Pytester, check: Check, engine: FakeEngine
) -> None:
    pytester.makepyfile(train="")
    (pytester.path / "sub").mkdir()
    pytester.makeini(
        "[pytest]\nsagemaker_hosts = 4\nsagemaker_processes = 2\nsagemaker_launcher = script\n"
        "sagemaker_timeout = 9\nsagemaker_keep = kept\nsagemaker_channel = test=sub\n"
        "sagemaker_hp =\n  epochs=1\n  lr=2\n"
    )
    options = ("--sagemaker-hosts=1", "--sagemaker-hp", "epochs=5")
    assert check("train.py", *options).ret == 0
    (spec,) = engine.asked
    assert (spec.hosts, spec.processes, spec.launcher, spec.timeout) == (1, 2, "script", 9.0)
    assert spec.hyperparameters == {"epochs": 5, "lr": 2}
    assert spec.channels == {"test": pytester.path / "sub"}
    assert spec.keep == pytester.path / "kept" / "train"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["nope.py"], "no such file: *nope.py"),
        (["."], "no training script in: .*--sagemaker-scripts GLOB"),
        ([], "no training script in: *Name one (train.py)*"),
        (["test_x.py"], "no training script in: test_x.py*"),
        (["train.py", "--sagemaker-hosts=0"], "--sagemaker-hosts: '0' is not a number from 1 on"),
        (["train.py", "--sagemaker-hosts=two"], "--sagemaker-hosts: 'two' is not a number*"),
        (["train.py", "--sagemaker-processes=-1"], "--sagemaker-processes: '-1'*"),
        (["train.py", "--sagemaker-launcher=mpirun"], "*'mpirun' is none of auto, script, torchrun"),
        (["train.py", "--sagemaker-timeout=soon"], "--sagemaker-timeout: 'soon' is not a number of seconds"),
        (["train.py", "--sagemaker-timeout=nan"], "--sagemaker-timeout: 'nan' is not*"),
        (["train.py", "--sagemaker-hp=epochs"], "--sagemaker-hp: 'epochs' is not KEY=VALUE, as epochs=2"),
        (["train.py", "--sagemaker-hp==2"], "--sagemaker-hp: '=2' is not KEY=VALUE*"),
        (["train.py", "--sagemaker-channel=data"], "--sagemaker-channel: 'data' is not NAME=PATH*"),
        (["train.py", "--sagemaker-channel=a b=."], "*'a b' is no channel name*"),
        (["train.py", "--sagemaker-channel=a=gone"], "*no such file or folder for a: *gone"),
        (["train.py", "--sagemaker-keep=train.py"], "--sagemaker-keep: *train.py is not a folder"),
        (["train.py", "--sagemaker-hots=1"], "*unrecognized arguments: --sagemaker-hots=1*"),
    ],
)
def test_wrong_use_is_told_before_anything_runs(
    pytester: pytest.Pytester, check: Check, engine: FakeEngine, args: list[str], words: str
) -> None:
    pytester.makepyfile(train=EXPLOSIVE, test_x="def test_one(): pass")
    result = check(*args)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{words}"])
    assert "Traceback" not in result.stderr.str()
    assert engine.started == 0


def test_wrong_lint_config_is_one_line(pytester: pytest.Pytester, check: Check, engine: FakeEngine) -> None:
    pytester.makepyfile(train="")
    pytester.makepyprojecttoml('[tool.sm-lint]\nselekt = ["SM4"]\n')
    result = check("train.py")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*unknown key 'selekt'; did you mean 'select'?"])
    assert engine.started == 0


def test_ignored_codes_are_no_items(pytester: pytest.Pytester, check: Check) -> None:
    pytester.makepyfile(train="")
    pytester.makepyprojecttoml('[tool.sm-lint]\nignore = ["SM205"]\n')
    result = check("--collect-only", "-q", "train.py")
    assert not [name for name in names(result) if "SM205" in name]


def test_junit_has_a_case_for_each_code(pytester: pytest.Pytester, check: Check) -> None:
    pytester.makepyfile(train="")
    check("train.py", "--junitxml=out.xml")
    cases = list(ElementTree.parse(pytester.path / "out.xml").iter("testcase"))
    by_class: dict[str | None, list[str]] = {case.get("classname"): [] for case in cases}
    for case in cases:
        by_class[case.get("classname")].append(str(case.get("name")))
    assert set(by_class) == {"train", "train.2-hosts"}
    assert by_class["train.2-hosts"] == [f"{check.code} {check.name}" for check in scan(CHECKS)]


@pytest.mark.ranks  # starts pytest workers
def test_workers_run_a_job_once(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    pytester.makeconftest("""
        import os, pathlib
        from pytest_sagemaker.plugin import runs
        from pytest_sagemaker.job.checks.examples import SOUND

        class Engine:
            def __enter__(self):
                pathlib.Path(f"engine-{os.getpid()}").touch()
                return self
            def __exit__(self, *error): pass
            def run(self, spec):
                with pathlib.Path("ran").open("a") as file:
                    file.write(spec.script.name + "\\n")
                return SOUND

        runs.Session = Engine
    """)
    pytester.makepyfile(a="", b="")
    args = ("-p", "no:hypothesispytest", "--sagemaker-check", "a.py", "b.py", "-n3")
    result = pytester.runpytest_subprocess(*args)
    result.assert_outcomes(passed=2 * (len(scan(CHECKS)) + len(default_rules())))
    assert len(list(pytester.path.glob("engine-*"))) <= 2
    assert sorted((pytester.path / "ran").read_text().split()) == ["a.py", "b.py"]
    assert {"a.py: launcher script", "b.py: launcher script"} <= set(result.outlines)


@pytest.mark.ranks  # starts a Python of its own
def test_unused_it_imports_nothing(tmp_path: Path) -> None:
    probe = tmp_path / "conftest.py"
    probe.write_text("""
import sys
def pytest_unconfigure():
    heavy = ("torch", "rich", "ast_grep_py", "pyflakes", "xdist.scheduler", "pytest_sagemaker.lint",
             "pytest_sagemaker.job", "pytest_sagemaker.plugin.items", "pytest_sagemaker.plugin.plan")
    print("LOADED", [name for name in heavy if name in sys.modules], "pytest_sagemaker.plugin" in sys.modules)
""")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", str(tmp_path)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "LOADED [] True" in done.stdout


def test_it_can_be_switched_off(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_x="def test_one(): pass")
    off = ("-p", "no:sagemaker", "-p", "no:hypothesispytest")
    pytester.runpytest_inprocess(*off).assert_outcomes(passed=1)
    result = pytester.runpytest_inprocess(*off, "--sagemaker-check", "test_x.py")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
