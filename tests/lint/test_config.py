"""`[tool.sm-lint]`, and codes as they are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_sagemaker.lint.config import Configs, UsageError, codes
from pytest_sagemaker.lint.selection import Selection


def write(folder: Path, table: str) -> Path:
    """A pyproject.toml with these lines in its table."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "pyproject.toml"
    path.write_text(f"[tool.sm-lint]\n{table}\n")
    return path


def refusal(folder: Path) -> str:
    with pytest.raises(UsageError) as refused:
        Configs().of(folder)
    return str(refused.value)


def test_every_key(tmp_path: Path) -> None:
    write(
        tmp_path,
        'select = ["SM2", "SM205"]\nextend-select = ["f401"]\nignore = ["SM207"]\nexclude = ["old"]\n'
        'per-file-ignores = { "serve/*" = ["SM2"] }',
    )
    config = Configs().of(tmp_path)
    assert config.selection == Selection(("SM2", "SM205"), ("F401",), ("SM207",))
    assert config.excludes(tmp_path / "old" / "train.py")
    assert not config.excludes(tmp_path / "new" / "train.py")
    assert config.selection_for(tmp_path / "serve" / "x.py", Selection()).exempt == ("SM2",)
    assert config.selection_for(tmp_path / "x.py", Selection()).exempt == ()


def test_the_nearest_table_counts_and_others_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, 'ignore = ["SM205"]')
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "a" / "pyproject.toml").write_text('[project]\nname = "a"  # sm-lint is a dependency\n')
    assert Configs().of(inner).selection.ignore == ("SM205",)
    write(inner, 'ignore = ["SM206"]')
    assert Configs().of(inner).selection.ignore == ("SM206",)


def test_no_config(tmp_path: Path) -> None:
    assert Configs().of(tmp_path).selection == Selection()


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('selct = ["SM2"]', "unknown key 'selct'; did you mean 'select'?"),
        ('per_file_ignores = ["SM2"]', "unknown key 'per_file_ignores'; did you mean 'per-file-ignores'?"),
        ('zzz = ["SM2"]', "unknown key 'zzz'"),
        ('select = "SM2"', "select must be a list of strings"),
        ("ignore = [205]", "ignore must be a list of strings"),
        ('exclude = "old"', "exclude must be a list of strings"),
        ('per-file-ignores = ["SM2"]', "per-file-ignores must be a table of file patterns"),
        ('per-file-ignores = { "x.py" = "SM2" }', "x.py must be a list of strings"),
        ('ignore = ["SM9"]', "ignore: unknown code 'SM9'"),
        ('per-file-ignores = { "x.py" = ["SM29"] }', "per-file-ignores 'x.py': unknown code 'SM29'"),
        ("select = [", "it is not TOML"),
    ],
)
def test_a_wrong_config_is_refused_in_one_line(tmp_path: Path, table: str, said: str) -> None:
    path = write(tmp_path, table)
    message = refusal(tmp_path)
    assert message.startswith(f"{path}: ")
    assert said in message
    assert "\n" not in message


def test_a_table_must_be_a_table(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool]\nsm-lint = "all"\n')
    assert "must be a table" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("train.py", "a/train.py"),
        ("a", "a/b/train.py"),
        ("a/", "a/b/train.py"),
        ("./a/b", "a/b/train.py"),
        ("a/*.py", "a/train.py"),
        ("a/**", "a/b/train.py"),
        ("**/train.py", "train.py"),
        ("*_old.py", "b/train_old.py"),
    ],
)
def test_patterns_that_fit(tmp_path: Path, pattern: str, path: str) -> None:
    write(tmp_path, f'exclude = ["{pattern}"]')
    assert Configs().of(tmp_path).excludes(tmp_path / path)


@pytest.mark.parametrize(("pattern", "path"), [("b", "a/bb/x.py"), ("a/x.py", "b/a/x.py"), ("x", "a/x.py")])
def test_patterns_that_do_not(tmp_path: Path, pattern: str, path: str) -> None:
    write(tmp_path, f'exclude = ["{pattern}"]')
    assert not Configs().of(tmp_path).excludes(tmp_path / path)
    assert not Configs().of(tmp_path).excludes(Path("/elsewhere") / path)


def test_codes_are_checked_and_spelled_in_capitals() -> None:
    assert codes(["sm205", " F8 "], "--select") == ("SM205", "F8")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("SM2055", "--select: unknown code 'SM2055'; did you mean 'SM205'?"),
        ("argparse-type-bool", "did you mean 'SM205'?"),
        ("SM804", "pytest --sagemaker-check"),
        ("", "--select: unknown code ''"),
        ("W291", "unknown code 'W291'"),
    ],
)
def test_an_unknown_code_is_refused_with_the_nearest(code: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        codes([code], "--select")
    assert said in str(refused.value)
