"""The options, and what they ask for: the command line first, then the ini file."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_sagemaker.plugin.plan import Options

T = TypeVar("T")
LauncherChoice = Literal["auto", "script", "torchrun"]
LAUNCHERS: tuple[LauncherChoice, ...] = ("auto", "script", "torchrun")

OPTIONS = (  # name, metavar, repeatable, help; each is --sagemaker-NAME and the ini option sagemaker_NAME
    (
        "scripts",
        "GLOB",
        True,
        "scripts to check in the folders that pytest is given, relative to the rootdir",
    ),
    ("hosts", "N", False, "hosts of the job (2)"),
    ("processes", "N", False, "processes on each host (1)"),
    ("launcher", "auto|script|torchrun", False, "what starts the script; auto takes what the script needs"),
    ("hp", "KEY=VALUE", True, "a hyperparameter; the value is read as JSON where it is JSON, else as text"),
    ("channel", "NAME=PATH", True, "a channel, and the folder or file with its data"),
    ("timeout", "SECONDS", False, "limit of a whole job (120)"),
    ("keep", "DIR", False, "keep what the hosts left in this folder"),
)

_CHANNEL = re.compile(r"[A-Za-z0-9._-]{1,64}")  # SageMaker API reference, Channel.ChannelName


def asked(config: pytest.Config) -> bool:
    """Whether scripts are to be checked."""
    return bool(config.getoption("sagemaker_check") or config.getini("sagemaker_check"))


def is_script(path: Path, session: pytest.Session) -> bool:
    """Whether a file is to be checked: matched by a glob, or named and no test module by its name."""
    config = session.config
    globs = [text for _, text, _ in _all(config, "scripts")]
    relative = Path(os.path.relpath(path, config.rootpath)).as_posix()
    if any(fnmatch(relative, glob) or fnmatch(path.name, glob) for glob in globs):
        return True
    return session.isinitpath(path) and not _is_test_module(path, config)


def check_usage(config: pytest.Config) -> None:
    """Refuse options that mean nothing, before anything is collected.

    Raises:
        pytest.UsageError: a bad value, or no script to check.
    """
    read_options(config)
    if any(_all(config, "scripts")):
        return
    paths = [Path(config.invocation_params.dir, arg.split("::")[0]) for arg in config.args]
    for path in paths:
        if not path.exists():
            raise pytest.UsageError(f"--sagemaker-check: no such file: {path}")
    if not any(p.is_file() and p.suffix == ".py" and not _is_test_module(p, config) for p in paths):
        raise pytest.UsageError(
            f"--sagemaker-check: no training script in: {' '.join(config.args)}. Name one (train.py), "
            "or say which scripts of a folder are meant with --sagemaker-scripts GLOB"
        )


def read_options(config: pytest.Config) -> Options:
    """The job that the options describe.

    Raises:
        pytest.UsageError: naming the option, its value and what it takes.
    """
    from pytest_sagemaker.plugin.plan import Options

    return Options(
        hosts=_one(config, "hosts", _count, 2),
        processes=_one(config, "processes", _count, 1),
        launcher=_one(config, "launcher", _launcher, "auto"),
        hyperparameters=dict(_hyperparameter(flag, text) for flag, text, _ in _all(config, "hp")),
        channels=dict(_channel(flag, text, base) for flag, text, base in _all(config, "channel")),
        timeout=_one(config, "timeout", _seconds, 120.0),
        keep=_one(config, "keep", lambda flag, text: _folder(flag, text, config), None),
    )


def given(config: pytest.Config) -> list[str]:
    """The command-line options that describe the job, as they were given."""
    words = ["--sagemaker-check"] if config.getoption("sagemaker_check") else []
    for name, _, repeatable, _ in OPTIONS[1:]:
        said = config.getoption(f"sagemaker_{name}")
        for text in (said or ()) if repeatable else (said,):
            words += [f"--sagemaker-{name}", text] if text is not None else []
    return [shlex.quote(word) for word in words]


def _is_test_module(path: Path, config: pytest.Config) -> bool:
    return any(fnmatch(path.name, pattern) for pattern in ("conftest.py", *config.getini("python_files")))


def _one(config: pytest.Config, name: str, read: Callable[[str, str], T], default: T) -> T:
    """The value of an option that stands once."""
    said = config.getoption(f"sagemaker_{name}")
    if said is not None:
        return read(f"--sagemaker-{name}", said)
    said = config.getini(f"sagemaker_{name}")
    return read(f"sagemaker_{name}", said) if said else default


def _all(config: pytest.Config, name: str) -> Iterator[tuple[str, str, Path]]:
    """Every value of a repeatable option, the ini file's first, and the folder that its paths start from."""
    for text in config.getini(f"sagemaker_{name}"):
        yield f"sagemaker_{name}", text, config.inipath.parent if config.inipath else config.rootpath
    for text in config.getoption(f"sagemaker_{name}") or ():
        yield f"--sagemaker-{name}", text, config.invocation_params.dir


def _count(flag: str, text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise pytest.UsageError(f"{flag}: {text!r} is not a number from 1 on")
    return int(text)


def _seconds(flag: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise pytest.UsageError(f"{flag}: {text!r} is not a number of seconds")
    return seconds


def _launcher(flag: str, text: str) -> LauncherChoice:
    for known in LAUNCHERS:
        if text == known:
            return known
    raise pytest.UsageError(f"{flag}: {text!r} is none of {', '.join(LAUNCHERS)}")


def _hyperparameter(flag: str, text: str) -> tuple[str, object]:
    key, equals, value = text.partition("=")
    if not key.strip() or not equals:
        raise pytest.UsageError(f"{flag}: {text!r} is not KEY=VALUE, as epochs=2")
    try:
        return key.strip(), json.loads(value)
    except ValueError:
        return key.strip(), value


def _channel(flag: str, text: str, base: Path) -> tuple[str, Path]:
    name, equals, value = text.partition("=")
    if not equals or not value:
        raise pytest.UsageError(f"{flag}: {text!r} is not NAME=PATH, as training=data")
    if not _CHANNEL.fullmatch(name):
        raise pytest.UsageError(f"{flag}: {name!r} is no channel name: letters, digits, '.', '_' and '-'")
    path = base / Path(value).expanduser()
    if not path.exists():
        raise pytest.UsageError(f"{flag}: no such file or folder for {name}: {path}")
    return name, path.resolve()


def _folder(flag: str, text: str, config: pytest.Config) -> Path:
    base = (
        config.invocation_params.dir if flag.startswith("--") or not config.inipath else config.inipath.parent
    )
    path = (base / Path(text).expanduser()).resolve()
    if path.exists() and not path.is_dir():
        raise pytest.UsageError(f"{flag}: {path} is not a folder")
    return path
