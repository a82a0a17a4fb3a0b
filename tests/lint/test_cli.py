"""The command, in this process: output, exit codes, bad input."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_sagemaker.catalogue import Entry
from pytest_sagemaker.finding import Edit, Fault, Fix, Severity, Span
from pytest_sagemaker.lint import run
from pytest_sagemaker.lint.cli import main
from pytest_sagemaker.lint.writing import write

if TYPE_CHECKING:
    from pytest_sagemaker.lint.module import Module

HEAD = "import argparse\n\nparser = argparse.ArgumentParser()\n"
FAULTY = HEAD + 'parser.add_argument("--amp", type=bool)\n'
CLEAN = HEAD + 'parser.add_argument("--lr", type=float)\n'
FIXED = FAULTY.replace("type=bool", 'type=lambda text: str(text).lower() in ("true", "1", "yes", "y", "on")')
ONLY = ("--select", "SM205,F821,SM001,SM002")
"""The other rules have their own tests."""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder, and none of this machine's settings."""
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)


def put(path: str, text: str) -> Path:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(text.encode())
    return Path(path)


def stdin(monkeypatch: pytest.MonkeyPatch, raw: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))


def fake_rule(monkeypatch: pytest.MonkeyPatch, check: object, severity: Severity = "E") -> None:
    """Let there be one rule, SM205, with this check."""
    entry: Entry[Module] = Entry("SM205", "a-rule", severity, "A rule.", {}, {}, check)  # type: ignore[arg-type]  # a check
    monkeypatch.setattr(run, "rules", lambda: (entry,))


def test_concise(capsys: pytest.CaptureFixture[str]) -> None:
    put("b.py", CLEAN)
    put("a.py", FAULTY + "print(lost)\n")
    assert main(["b.py", "a.py", "--output-format", "concise", *ONLY]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "a.py:4:1: SM205 type=bool makes --amp True for every value that is sent, `False` too",
        "a.py:5:7: F821 undefined name 'lost'",
        "Found 2 errors (1 fixable with --fix).",
    ]
    assert err == ""


def test_full_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    put("train.py", FAULTY)
    assert main(["train.py", *ONLY]) == 1
    out = capsys.readouterr().out
    assert '4 | parser.add_argument("--amp", type=bool)\n  | ^^^^^^' in out
    assert "sm-lint --explain SM205" in out


def test_nothing_found(capsys: pytest.CaptureFixture[str]) -> None:
    put("train.py", CLEAN)
    assert main(["train.py", *ONLY]) == 0
    assert capsys.readouterr().out == "Nothing found in 1 script.\n"


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    put("train.py", FAULTY)
    assert main(["train.py", "--output-format", "json", *ONLY]) == 1
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["version", "findings"]
    assert [(seen["code"], seen["line"], seen["fix"]["safe"]) for seen in found["findings"]] == [
        ("SM205", 4, True)
    ]


def test_statistics(capsys: pytest.CaptureFixture[str]) -> None:
    put("train.py", FAULTY)
    assert main(["train.py", "--statistics", *ONLY]) == 1
    assert capsys.readouterr().out.splitlines()[0] == "    1  SM205  argparse-type-bool"


def test_exit_zero() -> None:
    put("train.py", FAULTY)
    assert main(["train.py", "--exit-zero", *ONLY]) == 0


def test_advice_is_shown_and_fails_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_rule(monkeypatch, lambda _: [Fault(Span(1, 1), "better so")], "I")
    put("train.py", CLEAN)
    assert main(["train.py", "--extend-select", "SM205"]) == 0
    assert "Found 1 advice." in capsys.readouterr().out


def test_a_folder_is_searched_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    put("src/train.py", FAULTY + "import torch\ntorch.save\n")
    put("src/util.py", FAULTY)
    assert main(["--output-format", "concise", *ONLY]) == 1
    assert capsys.readouterr().out.splitlines()[0].startswith("src/train.py:4:1: SM205 ")


def test_a_folder_without_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty").mkdir()
    assert main(["empty"]) == 0
    assert capsys.readouterr() == (
        "",
        "sm-lint: warning: empty: no script in it looks like PyTorch training or serving code\n",
    )


def test_code_lists_add_up(capsys: pytest.CaptureFixture[str]) -> None:
    put("train.py", FAULTY + "lost\n")
    assert (
        main(["train.py", "--select", "SM205, SM206", "--select", "f821", "--output-format", "concise"]) == 1
    )
    assert "Found 2 errors" in capsys.readouterr().out


def test_the_config_of_a_file_counts(capsys: pytest.CaptureFixture[str]) -> None:
    put("pyproject.toml", '[tool.sm-lint]\nselect = ["SM205"]\nper-file-ignores = { "b.py" = ["SM2"] }\n')
    put("a.py", FAULTY + "lost\n")
    put("b.py", FAULTY)
    assert main(["a.py", "b.py", "--output-format", "concise"]) == 1
    assert [line.split(" ")[0] for line in capsys.readouterr().out.splitlines()] == ["a.py:4:1:", "Found"]
    assert main(["a.py", "--output-format", "concise", "--select", "F821"]) == 1
    assert "a.py:5:1: F821" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--select", "SM2055"], "--select: unknown code 'SM2055'; did you mean 'SM205'?"),
        (["--ignore", "SM205,nope"], "--ignore: unknown code 'NOPE'"),
        (["--explain", "SM20"], "--explain: unknown code 'SM20'"),
        (["--output-format", "xml"], "invalid choice: 'xml'"),
        (["--color", "blue"], "invalid choice: 'blue'"),
        (["--fux"], "unrecognized arguments: --fux"),
        (["--unsafe-fixes"], "--unsafe-fixes goes with --fix or --diff"),
        (["--diff", "--output-format", "json"], "json holds the findings"),
        (["--stdin-filename"], "expected one argument"),
    ],
)
def test_wrong_use_is_one_line(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("sm-lint: error: ")
    assert said in err
    assert err.count("\n") == 1


def test_a_bad_config_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    put("pyproject.toml", "[tool.sm-lint]\nselct = []\n")
    put("train.py", CLEAN)
    assert main(["train.py"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "[tool.sm-lint]: unknown key 'selct'; did you mean 'select'?" in err


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("gone.py", None),
        ("binary.py", b"\x7fELF\0\0"),
        ("latin.py", b"x = '\xe9'\n"),
        ("codec.py", b"# coding: klingon\n"),
        ("surrogate.py", b"# coding: raw_unicode_escape\nx = '\\ud800'\n"),
        ("x" * 300 + ".py", None),
    ],
)
def test_a_file_that_cannot_be_read_is_a_finding_and_the_rest_is_done(
    name: str, raw: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    if raw is not None:
        Path(name).write_bytes(raw)
    put("z.py", FAULTY)
    assert main([name, "z.py", "--output-format", "concise", *ONLY]) == 1
    first, second, _ = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{name}:1:1: SM002 ")
    assert second.startswith("z.py:4:1: SM205 ")


def test_an_empty_file(capsys: pytest.CaptureFixture[str]) -> None:
    put("train.py", "")
    assert main(["train.py"]) == 0
    assert capsys.readouterr().out == "Nothing found in 1 script.\n"


def test_a_crash_in_a_rule_is_ours_and_the_other_files_are_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def check(module: Module) -> list[Fault]:
        if "lr" in module.source.text:
            raise BaseException("a panic")
        return [Fault(Span(1, 1), "a fault")]

    fake_rule(monkeypatch, check)
    put("a.py", CLEAN)
    put("b.py", FAULTY)
    assert main(["a.py", "b.py", "--output-format", "concise", "--exit-zero"]) == 2
    crash, fault, _ = capsys.readouterr().out.splitlines()
    assert crash.startswith("a.py:1:1: SM205 sm-lint failed in this rule (BaseException: a panic)")
    assert fault == "b.py:1:1: SM205 a fault"


def test_what_is_too_deep_for_a_rule_is_said_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def check(_: Module) -> list[Fault]:
        raise RecursionError

    fake_rule(monkeypatch, check)
    put("a.py", CLEAN)
    assert main(["a.py", "--output-format", "concise"]) == 1
    assert capsys.readouterr().out.startswith("a.py:1:1: SM002 it is too deeply nested")


def test_an_unused_ignore_is_told_and_fails_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    put("train.py", CLEAN + "x = 1  # sm-lint: ignore[SM205] was bool\n")
    assert main(["train.py", *ONLY]) == 0
    assert capsys.readouterr().err == "train.py:5: unused ignore for SM205\n"


def test_fix_writes_and_tells(capsys: pytest.CaptureFixture[str]) -> None:
    path = put("train.py", FAULTY.replace("\n", "\r\n") + "lost\r\n")
    assert main(["train.py", "--fix", "--output-format", "concise", *ONLY]) == 1
    assert path.read_bytes() == (FIXED.replace("\n", "\r\n") + "lost\r\n").encode()
    assert capsys.readouterr().out.splitlines() == [
        "train.py:5:1: F821 undefined name 'lost'",
        "Fixed 1. Found 1 error.",
    ]
    before = path.stat().st_mtime_ns
    assert main(["train.py", "--fix", *ONLY]) == 1
    assert path.stat().st_mtime_ns == before


def test_fix_of_everything_ends_with_zero(capsys: pytest.CaptureFixture[str]) -> None:
    put("train.py", FAULTY)
    assert main(["train.py", "--fix", *ONLY]) == 0
    assert capsys.readouterr().out == "Fixed 1. Nothing left in 1 script.\n"


def test_what_is_silenced_is_not_fixed() -> None:
    path = put("train.py", FAULTY.removesuffix("\n") + "  # noqa: SM205\n")
    assert main(["train.py", "--fix", *ONLY]) == 0
    assert "type=bool)  # noqa" in path.read_text()


def test_unsafe_fixes_are_made_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(module: Module) -> list[Fault]:
        fix = Fix("a title", (Edit(0, 0, "x = 1\n"),), safe=False)
        return [] if module.source.text.startswith("x") else [Fault(Span(1, 1), "a fault", fix=fix)]

    fake_rule(monkeypatch, check)
    path = put("train.py", CLEAN)
    assert main(["train.py", "--fix"]) == 1
    assert path.read_text() == CLEAN
    assert main(["train.py", "--fix", "--unsafe-fixes"]) == 0
    assert path.read_text() == "x = 1\n" + CLEAN


def test_a_file_that_cannot_be_written_is_told_and_the_rest_is_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(path: Path, *sources: object) -> None:
        if path.name == "a.py":
            raise PermissionError(13, "Permission denied")
        write(path, *sources)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr("pytest_sagemaker.lint.writing.write", refuse)
    put("a.py", FAULTY)
    put("b.py", FAULTY)
    assert main(["a.py", "b.py", "--fix", "--output-format", "concise", *ONLY]) == 2
    out, err = capsys.readouterr()
    assert err == "sm-lint: error: a.py: it cannot be written: Permission denied\n"
    assert out.splitlines()[0].startswith("a.py:4:1: SM205 ")
    assert out.splitlines()[1] == "Fixed 1. Found 1 error (1 fixable with --fix)."
    assert (Path("a.py").read_text(), Path("b.py").read_text()) == (FAULTY, FIXED)


def test_diff_shows_a_patch_and_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    path = put("train.py", FAULTY + "lost\n")
    assert main(["train.py", "--diff", *ONLY]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("--- train.py\n+++ train.py\n@@ ")
    assert '-parser.add_argument("--amp", type=bool)\n' in out
    assert err == "Would fix 1 of 2 findings.\n"
    assert path.read_text() == FAULTY + "lost\n"


def test_stdin(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    stdin(monkeypatch, FAULTY.encode())
    assert main(["-", "--output-format", "concise", *ONLY]) == 1
    assert capsys.readouterr().out.startswith("<stdin>:4:1: SM205 ")


def test_stdin_with_a_name_has_its_config(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put("pyproject.toml", '[tool.sm-lint]\nselect = ["SM205"]\nper-file-ignores = { "serve.py" = ["SM2"] }\n')
    stdin(monkeypatch, FAULTY.encode())
    assert main(["-", "--stdin-filename", "src/serve.py"]) == 0
    stdin(monkeypatch, FAULTY.encode())
    assert main(["-", "--stdin-filename", "src/train.py", "--output-format", "concise"]) == 1
    assert "src/train.py:4:1: SM205 " in capsys.readouterr().out


def test_stdin_fixed_goes_to_stdout(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    stdin(monkeypatch, b"\xef\xbb\xbf" + FAULTY.replace("\n", "\r\n").encode() + b"lost")
    assert main(["-", "--fix", "--output-format", "concise", *ONLY]) == 1
    out, err = capfdbinary.readouterr()
    assert out == b"\xef\xbb\xbf" + FIXED.replace("\n", "\r\n").encode() + b"lost"
    assert err.decode().splitlines() == ["<stdin>:5:1: F821 undefined name 'lost'", "Fixed 1. Found 1 error."]


def test_stdin_that_cannot_be_read_comes_out_as_it_went_in(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    stdin(monkeypatch, b"x = '\xe9'\n")
    assert main(["-", "--fix", *ONLY]) == 1
    assert capfdbinary.readouterr().out == b"x = '\xe9'\n"


def test_explain(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--explain", "sm205", "SM801,undefined-name"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("SM205 argparse-type-bool (error)\n\n`type=bool` in an argument")
    assert "\nSM801 rank-failed (error)\n" in out
    assert "\nF821 undefined-name (error)\n" in out
    assert "Traceback" not in out


def test_colour_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    put("train.py", FAULTY)
    main(["train.py", "--color", "always", *ONLY])
    assert "\x1b[1;31mSM205\x1b[0m" in capsys.readouterr().out
    main(["train.py", *ONLY])
    assert "\x1b" not in capsys.readouterr().out


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("sm-lint 0.")
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert "exit codes:" in out
    assert "examples:" in out


def test_output_that_the_terminal_cannot_spell_is_escaped() -> None:
    put("train.py", HEAD + 'parser.add_argument("--日本", type=bool)\n')
    argv = [sys.executable, "-m", "pytest_sagemaker.lint.cli", "train.py", *ONLY]
    ended = subprocess.run(
        argv, capture_output=True, check=False, env={**os.environ, "PYTHONIOENCODING": "ascii"}
    )
    assert (ended.returncode, ended.stderr) == (1, b"")
    assert b"--\\u65e5\\u672c" in ended.stdout


def test_an_unfinished_string_full_of_backslashes_ends_in_time() -> None:
    """In a process of its own: a regular expression that backtracks for ever heeds no alarm."""
    put("train.py", "x = '''" + "\\" * 5001)
    argv = [sys.executable, "-m", "pytest_sagemaker.lint.cli", "train.py"]
    assert subprocess.run(argv, capture_output=True, timeout=30, check=False).returncode == 1


def test_a_reader_that_leaves_early_is_no_error() -> None:
    put("train.py", FAULTY * 3000)
    argv = [sys.executable, "-m", "pytest_sagemaker.lint.cli", "train.py", *ONLY]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_a_plain_run_imports_only_what_it_needs() -> None:
    put("train.py", CLEAN)
    code = (
        "import sys; from pytest_sagemaker.lint.cli import main; main(['train.py'])\n"
        "print(sorted({'rich', 'difflib', 'tomllib', 'torch', 'pytest'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert ended.stdout.splitlines()[-1] == "[]"
