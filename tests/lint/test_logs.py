"""Which records reach the log."""

from __future__ import annotations

import pytest

from pytest_sagemaker.lint.facts.logs import ROOT, Logs
from pytest_sagemaker.lint.module import Module
from pytest_sagemaker.lint.source import Source

HEAD = "import logging\nimport sys\n"
NAMED = HEAD + "logger = logging.getLogger(__name__)\n"
HANDLER = "logger.addHandler(logging.StreamHandler(sys.stdout))\n"


def logs(text: str) -> Logs:
    return Module(Source("train.py", text)).logs


SHOWN = {
    "handler and level": (NAMED + HANDLER + "logger.setLevel(logging.DEBUG)\n", True),
    "handler": (NAMED + HANDLER, False),
    "level": (NAMED + "logger.setLevel('INFO')\n", False),
    "too high": (NAMED + HANDLER + "logger.setLevel(logging.ERROR)\n", False),
    "unknown": (NAMED + HANDLER + "logger.setLevel(args.level)\n", False),
    "root": (NAMED + "logging.basicConfig(level=20)\n", True),
    "root, by hand": (NAMED + "root = logging.getLogger()\nroot.setLevel(10)\nroot.addHandler(h)\n", True),
    "root without level": (NAMED + "logging.basicConfig()\n", False),
    "level here, handler above": (NAMED + "logging.basicConfig()\nlogger.setLevel(logging.INFO)\n", True),
    "NullHandler": (NAMED + "logger.addHandler(logging.NullHandler())\nlogger.setLevel(10)\n", False),
}


@pytest.mark.parametrize(("text", "shown"), SHOWN.values(), ids=SHOWN)
def test_info_needs_a_handler_and_a_level(text: str, shown: bool) -> None:
    assert logs(text).shows_info("__name__") is shown


def test_a_parent_s_handler_and_level_count() -> None:
    found = logs(HEAD + "a = logging.getLogger('a')\na.addHandler(h)\na.setLevel(logging.INFO)\n")
    assert found.shows_info("a.b.c")
    assert not found.shows_info("b")


def test_records_know_their_logger() -> None:
    found = logs(
        NAMED + "def make(name):\n    return logging.getLogger(name)\n"
        "logger.info(1)\nlogging.warning(2)\nmake('x').debug(3)\nwriter.info(4)\n"
    )
    assert [(record.logger, record.level, record.on_module) for record in found.records] == [
        ("__name__", 20, False),
        (ROOT, 30, True),
        ("x", 10, False),
    ]


UNREADABLE = {
    "dictConfig": "import logging.config\nlogging.config.dictConfig(c)\n",
    "another file": "from helpers import setup\n",
    "handlers": "logging.getLogger().handlers = [h]\n",
    "an unknown logger": "get().addHandler(h)\n",
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_what_may_configure_logging_elsewhere(text: str) -> None:
    assert logs(HEAD + text).unreadable


def test_a_handler_s_own_level_is_no_mystery() -> None:
    assert not logs(HEAD + "h = logging.StreamHandler()\nh.setLevel(logging.INFO)\n").unreadable


READY = {
    "on import": ("logging.basicConfig(level=20)\ndef f():\n    print(1)\n", True),
    "before, in the guard": (
        "def f():\n    print(1)\nif __name__ == '__main__':\n    logging.basicConfig(level=20)\n    f()\n",
        True,
    ),
    "too late": (
        "def f():\n    print(1)\nif __name__ == '__main__':\n    f()\n    logging.basicConfig(level=20)\n",
        False,
    ),
    "in main": (
        "def f():\n    print(1)\ndef main():\n    logging.basicConfig(level=20)\n    f()\nmain()\n",
        True,
    ),
    "one call of two is too early": (
        "def f():\n    print(1)\ndef main():\n    f()\n    logging.basicConfig(level=20)\n    f()\nmain()\n",
        False,
    ),
    "called by others": (
        "def f():\n    print(1)\nif __name__ == '__main__':\n    logging.basicConfig(level=20)\n",
        False,
    ),
}


@pytest.mark.parametrize(("text", "ready"), READY.values(), ids=READY)
def test_a_logger_is_ready_once_it_is_set_up(text: str, ready: bool) -> None:
    found = logs(NAMED + text)
    assert found.is_ready("__name__", found.prints[0]) is ready


def test_prints_into_files_and_blank_lines_are_not_for_the_log() -> None:
    text = HEAD + "print()\nprint(1, file=f)\nprint(1, file=sys.stderr)\nprint(1)\n"
    assert [call.lineno for call in logs(text).prints] == [5, 6]
