"""How findings are shown."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sagemaker.finding import Edit, Finding, Fix, Severity, Span
from pytest_sagemaker.lint.reporters import text
from pytest_sagemaker.lint.reporters.frame import WIDEST, frame
from pytest_sagemaker.lint.reporters.lines import Line, show, visible, wants_colour, width
from pytest_sagemaker.lint.reporters.structured import document
from pytest_sagemaker.lint.run import Report
from pytest_sagemaker.lint.source import Source

SCRIPT = "import torch\n\nx = torch.load(p)\nprint(x)\n"


MARKED = Span(3, 5, 3, 18)


def finding(code: str = "SM503", severity: Severity = "E", span: Span = MARKED, **more: object) -> Finding:
    seen: Any = {"message": "no map_location", **more}
    return Finding(code, "a-name", severity, "train.py", span, **seen)


def report(*findings: Finding, script: str = SCRIPT, fixed: int = 0) -> Report:
    return Report(Source("train.py", script), findings, fixed=fixed)


def plain(lines: object) -> list[str]:
    stream = io.StringIO()
    show(lines, stream, colour=False)  # type: ignore[arg-type]  # any iterable of lines
    return stream.getvalue().splitlines()


def framed(script: str, span: Span) -> list[str]:
    return plain(frame(Source("train.py", script), span))


def test_full() -> None:
    seen = finding(
        help="say where to",
        fix=Fix("add map_location", (Edit(0, 0, ""),), safe=False),
        evidence=("rank 0", "rank 1"),
    )
    assert plain(text.full([report(seen)])) == [
        "train.py:3:5: SM503 no map_location",
        "  |",
        "1 | import torch",
        "2 |",
        "3 | x = torch.load(p)",
        "  |     ^^^^^^^^^^^^^",
        "4 | print(x)",
        "  |",
        "  = help: say where to",
        "  = fix: add map_location (--fix --unsafe-fixes)",
        "  = seen: rank 0",
        "  = seen: rank 1",
        "  = error: a-name, see sm-lint --explain SM503",
        "",
    ]


def test_a_file_without_text_has_no_frame() -> None:
    assert plain(text.full([report(finding(span=Span(1, 1, 1, 1)), script="")])) == [
        "train.py:1:1: SM503 no map_location",
        " = error: a-name, see sm-lint --explain SM503",
        "",
    ]


def test_concise_is_in_order_of_importance() -> None:
    found = [
        finding("SM301", "W", Span(1, 1)),
        finding("SM503", "E", Span(9, 1)),
        finding("SM203", "I", Span(1, 1)),
        finding("SM205", "E", Span(2, 7)),
    ]
    assert [line.split()[0] + line.split()[1] for line in plain(text.concise([report(*found)]))] == [
        "train.py:2:7:SM205",
        "train.py:9:1:SM503",
        "train.py:1:1:SM301",
        "train.py:1:1:SM203",
    ]


def test_statistics_count_the_most_frequent_first() -> None:
    found = [finding("SM205"), finding("SM503"), finding("SM503", "W")]
    assert plain(text.statistics([report(*found)])) == ["    2  SM503  a-name", "    1  SM205  a-name"]


SAFE, UNSAFE = Fix("t", ()), Fix("t", (), safe=False)


@pytest.mark.parametrize(
    ("found", "fixed", "said"),
    [
        ([], 0, "Nothing found in 1 script."),
        ([], 2, "Fixed 2. Nothing left in 1 script."),
        ([finding()], 0, "Found 1 error."),
        ([finding(fix=SAFE), finding(severity="W")], 0, "Found 1 error, 1 warning (1 fixable with --fix)."),
        ([finding(severity="I")] * 2, 1, "Fixed 1. Found 2 advice."),
        ([finding(fix=UNSAFE)] * 2, 0, "Found 2 errors (2 fixable with --fix --unsafe-fixes)."),
        (
            [finding(fix=SAFE), finding(fix=UNSAFE)],
            0,
            "Found 2 errors (1 fixable with --fix, 1 more with --unsafe-fixes).",
        ),
    ],
)
def test_summary(found: list[Finding], fixed: int, said: str) -> None:
    assert plain([text.summary([report(*found, fixed=fixed)])]) == [said]


def test_a_tab_and_wide_characters_before_the_mark() -> None:
    assert framed("\tä日本 = x + e\u0301 + lost\n", Span(1, 17, 1, 21)) == [
        "  |",
        "1 |     ä日本 = x + e\u0301 + lost",
        "  |" + " " * 21 + "^^^^",
        "  |",
    ]


def test_a_wide_mark() -> None:
    assert framed("x = '日本'", Span(1, 5, 1, 9))[2] == "  |     ^^^^^^"


def test_a_mark_over_several_lines_ends_with_its_first() -> None:
    assert framed("f(\n    1,\n)\n", Span(1, 1, 3, 2))[1:3] == ["1 | f(", "  | ^^"]


@pytest.mark.parametrize("span", [Span(1, 2), Span(1, 2, 1, 2), Span(1, 9, 1, 9), Span(1, 2, 1, 1)])
def test_an_empty_mark_is_one_caret(span: Span) -> None:
    assert framed("ab\n", span)[2].count("^") == 1


def test_a_mark_past_the_end_of_the_file() -> None:
    assert framed("f(\n", Span(2, 1, 2, 1)) == ["  |", "1 | f(", "2 |", "  | ^", "  |"]


def test_a_long_line_is_cut_around_the_mark() -> None:
    line = "x" * 1000 + "lost" + "y" * 1000
    _, shown, carets, _ = framed(line, Span(1, 1001, 1, 1005))
    assert len(shown) == WIDEST + len("1 | ")
    assert shown[carets.index("^") :].startswith("lost")
    assert carets.count("^") == 4


def test_numbers_are_aligned() -> None:
    assert framed("a\n" * 12, Span(9, 1, 9, 2)) == [
        "   |", " 7 | a", " 8 | a", " 9 | a", "   | ^", "10 | a", "11 | a", "   |"
    ]  # fmt: skip


@given(st.text(max_size=300), st.integers(1, 400), st.integers(1, 5), st.integers(0, 400))
def test_a_frame_never_fails_and_obeys_no_control_character(
    script: str, column: int, line: int, end_column: int
) -> None:
    for shown in framed(script, Span(line, column, line, end_column)):
        assert shown.isprintable()


@given(st.text(max_size=20), st.text(min_size=1, max_size=8))
def test_carets_stand_under_what_is_marked(before: str, marked: str) -> None:
    before, marked = (re.sub(r"[\r\n]", "", part) for part in (before, marked))
    line = before + marked
    if len(line) < WIDEST and marked:
        _, shown, carets, *_ = framed(line, Span(1, len(before) + 1, 1, len(line) + 1))
        assert width(carets) == max(width(shown), carets.index("^") + 1)


def test_visible_replaces_what_a_terminal_would_obey() -> None:
    assert visible("a\x1b[31m\u202eb\x00é日") == "a\ufffd[31m\ufffdb\ufffdé日"


def test_colour_changes_nothing_but_the_colour() -> None:
    lines: list[Line] = [
        *text.full([report(finding(help="[bold]no markup[/] :smile:"))]),
        (("x" * 500, "bold"),),
    ]
    coloured = io.StringIO()
    show(lines, coloured, colour=True)
    assert "\x1b[1;31mSM503" in coloured.getvalue()
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured.getvalue()).splitlines() == plain(lines)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("choice", "environ", "stream", "colour"),
    [
        ("auto", {}, Terminal(), True),
        ("auto", {}, io.StringIO(), False),
        ("auto", {"TERM": "dumb"}, Terminal(), False),
        ("auto", {"NO_COLOR": "1"}, Terminal(), False),
        ("auto", {"NO_COLOR": ""}, Terminal(), True),
        ("auto", {"FORCE_COLOR": "1"}, io.StringIO(), True),
        ("auto", {"FORCE_COLOR": "1", "NO_COLOR": "1"}, Terminal(), False),
        ("always", {"NO_COLOR": "1"}, io.StringIO(), True),
        ("never", {"FORCE_COLOR": "1"}, Terminal(), False),
    ],
)
def test_wants_colour(choice: str, environ: dict[str, str], stream: io.StringIO, colour: bool) -> None:
    assert wants_colour(choice, stream, environ) is colour


def test_json() -> None:
    fix = Fix("add it", (Edit(30, 30, ", map_location='cpu'"), Edit(0, 6, "IMPORT")))
    seen = finding(help="say where to", fix=fix, evidence=("not shown",))
    assert json.loads(document([report(seen)], "1.2.3")) == {
        "version": "1.2.3",
        "findings": [
            {
                "code": "SM503",
                "name": "a-name",
                "severity": "E",
                "path": "train.py",
                "line": 3,
                "column": 5,
                "end_line": 3,
                "end_column": 18,
                "message": "no map_location",
                "help": "say where to",
                "fix": {
                    "title": "add it",
                    "safe": True,
                    "edits": [
                        {
                            "start_line": 1,
                            "start_column": 1,
                            "end_line": 1,
                            "end_column": 7,
                            "text": "IMPORT",
                        },
                        {
                            "start_line": 3,
                            "start_column": 17,
                            "end_line": 3,
                            "end_column": 17,
                            "text": ", map_location='cpu'",
                        },
                    ],
                },
            }
        ],
    }


def test_json_of_a_finding_without_end_or_fix() -> None:
    (seen,) = json.loads(document([report(finding(span=Span(4)))], "1"))["findings"]
    assert (seen["end_line"], seen["end_column"], seen["fix"]) == (4, 1, None)
