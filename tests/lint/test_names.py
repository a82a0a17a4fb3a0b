"""pyflakes' messages as findings."""

from __future__ import annotations

import inspect

import pytest
from pyflakes import messages

from pytest_sagemaker.finding import Span
from pytest_sagemaker.lint.names import CODES, NAMES
from pytest_sagemaker.lint.run import lint
from pytest_sagemaker.lint.selection import DEFAULT_PYFLAKES, Selection
from pytest_sagemaker.lint.source import Source

NEWER_SYNTAX = {"EagerUseOfLazyImport", "LazyImportNotAtModuleScope", "LazyImportStarNotPermitted"}


def found(text: str, *codes: str) -> list[tuple[str, str, str, str]]:
    """Code, name, severity and message of the names found in a script."""
    report = lint(Source.decode("train.py", text.encode()), Selection(select=codes or ("F",)))
    return [(seen.code, seen.name, seen.severity, seen.message) for seen in report.findings]


def test_every_pyflakes_message_has_a_code() -> None:
    kinds = {name for name, value in vars(messages).items() if inspect.isclass(value)} - {"Message"}
    assert kinds - NEWER_SYNTAX <= set(CODES)


def test_the_defaults_are_known_codes() -> None:
    assert {rule.code for rule in NAMES} >= DEFAULT_PYFLAKES


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("print(lost)\n", ("F821", "undefined-name", "E", "undefined name 'lost'")),
        ("import os\n", ("F401", "unused-import", "W", "'os' imported but unused")),
        (
            "import os\nimport os\nos.getcwd()\n",
            ("F811", "redefinition", "W", "redefinition of unused 'os' from line 1"),
        ),
        ("return 1\n", ("F706", "return-outside-function", "E", "'return' outside function")),
        ("__all__ = ['x']\n", ("F822", "undefined-export", "E", "undefined name 'x' in __all__")),
        (
            "x = 1\ndef f():\n    print(x)\n    x = 2\n",
            (
                "F823",
                "undefined-local",
                "E",
                "local variable 'x' defined in enclosing scope on line 1 referenced before assignment",
            ),
        ),
    ],
)
def test_a_message_becomes_a_finding(text: str, finding: tuple[str, str, str, str]) -> None:
    assert finding in found(text)


def test_style_is_off_by_default() -> None:
    source = Source.decode("train.py", b"import os\nimport sys\nimport sys\nsys.exit\n")
    assert [seen.code for seen in lint(source, Selection()).findings] == ["F811"]


@pytest.mark.parametrize(
    "text",
    [
        "from lib import *\nprint(lost)\n",
        "try:\n    import cv2\nexcept ImportError:\n    cv2 = None\nprint(cv2)\n",
        "if input():\n    def f(): pass\nelse:\n    def f(): pass\n",
        "def f():\n    global rank\n    rank = 1\nprint(rank)\n",
    ],
)
def test_no_false_alarm(text: str) -> None:
    assert lint(Source.decode("train.py", text.encode()), Selection(select=("F8",))).findings == ()


def test_the_name_is_what_is_marked() -> None:
    report = lint(Source.decode("train.py", "x = 'é', lost.y\n".encode()), Selection(select=("F821",)))
    assert [seen.span for seen in report.findings] == [Span(1, 10, 1, 14)]


def test_a_guard_that_compares_by_identity_is_said_once() -> None:
    source = Source("train.py", 'if __name__ is "__main__":\n    pass\nif x is "a":\n    pass\nx = 1\n')
    found = lint(source, Selection()).findings
    assert [(f.code, f.span.line) for f in found if f.code != "F821"] == [("SM103", 1), ("F632", 3)]
