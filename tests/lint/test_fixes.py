"""Fixes: applied whole, pass after pass, and never to a file's harm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sagemaker.finding import Edit, Finding, Fix, Span
from pytest_sagemaker.lint.fixes import MAX_PASSES, apply, mend
from pytest_sagemaker.lint.run import Report, lint
from pytest_sagemaker.lint.selection import Selection
from pytest_sagemaker.lint.source import Source

BOOLS = Selection(select=("SM205",))


def finding(fix: Fix | None, code: str = "SM205") -> Finding:
    return Finding(code, "a-name", "E", "train.py", Span(1, 1, 1, 2), "a message", fix=fix)


def edits(*parts: tuple[int, int, str]) -> Fix:
    return Fix("a title", tuple(Edit(*part) for part in parts))


def mended(text: str, *fixes: Fix, unsafe: bool = False) -> Report:
    """One pass of these fixes; nothing is found afterwards."""
    report = Report(Source("train.py", text), tuple(finding(fix) for fix in fixes))
    return mend(report, lambda source: Report(source, ()), unsafe=unsafe)


@st.composite
def text_and_fixes(draw: st.DrawFn) -> tuple[str, list[Fix], str]:
    """A text, fixes that do not touch each other, and the text after them."""
    kept = draw(st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=8))
    cuts = draw(st.lists(st.tuples(st.text(max_size=4), st.text(max_size=4)), max_size=len(kept) - 1))
    text = after = kept[0]
    changes = []
    for (old, new), rest in zip(cuts, kept[1:], strict=False):
        changes.append(Edit(len(text), len(text) + len(old), new))
        text, after = text + old + rest, after + new + rest
    groups = draw(st.lists(st.integers(0, 2), min_size=len(changes), max_size=len(changes)))
    fixes = [
        Fix(
            "a title", tuple(change for change, group in zip(changes, groups, strict=True) if group == wanted)
        )
        for wanted in range(3)
    ]
    return text, draw(st.permutations(fixes)), after


@given(text_and_fixes())
def test_fixes_that_do_not_touch_are_all_applied(case: tuple[str, list[Fix], str]) -> None:
    text, fixes, after = case
    assert apply(text, fixes) == after


def test_of_two_that_overlap_the_first_is_applied_whole() -> None:
    first, second = edits((0, 2, "X"), (4, 5, "Y")), edits((1, 3, "Z"), (6, 7, "Z"))
    assert apply("abcdefgh", [first, second]) == "XcdYfgh"


def test_of_two_that_insert_at_one_place_the_second_waits() -> None:
    assert apply("ab", [edits((1, 1, "X")), edits((1, 1, "Y"))]) == "aXb"


def test_an_edit_that_two_fixes_share_is_made_once() -> None:
    assert apply("abc", [edits((0, 0, "import os\n"), (1, 2, "B")), edits((0, 0, "import os\n"))]) == (
        "import os\naBc"
    )


def test_mend_counts_what_it_made() -> None:
    report = mended("a = 1\nb = 2\n", edits((4, 5, "3")), edits((10, 11, "4")))
    assert (report.source.text, report.fixed, report.troubles) == ("a = 3\nb = 4\n", 2, ())


def test_an_unsafe_fix_waits_until_it_is_asked_for() -> None:
    fix = edits((4, 5, "3"))._replace(safe=False)
    assert mended("a = 1\n", fix).source.text == "a = 1\n"
    assert mended("a = 1\n", fix, unsafe=True).source.text == "a = 3\n"


@pytest.mark.parametrize(
    "broken",
    [
        edits((4, 5, "(")),
        edits((0, 0, "return 1\n")),
        edits((0, 0, "x = 1\nfrom __future__ import annotations\n")),
    ],
    ids=["parses-no-more", "compiles-no-more", "late-future"],
)
def test_a_fix_that_breaks_the_file_is_left_out_and_told(broken: Fix) -> None:
    text = "a = 1\nb = 2\n"
    first = Report(Source("train.py", text), (finding(broken), finding(edits((10, 11, "4")))))
    report = mend(first, lambda source: Report(source, (finding(broken),)), unsafe=False)
    assert (report.source.text, report.fixed) == ("a = 1\nb = 4\n", 1)
    assert [trouble.split(": ")[1] for trouble in report.troubles] == [
        "the fix of SM205 would break the file and was left out; please report it with the script"
    ]


def test_a_file_that_compiles_not_is_still_mended() -> None:
    assert mended("return 1\na = 2\n", edits((13, 14, "3"))).source.text == "return 1\na = 3\n"


def test_a_fix_that_the_coding_cannot_hold_is_left_out() -> None:
    source = Source.decode("train.py", "# coding: latin-1\na = 'é'\n".encode("latin-1"))
    fix = edits((len(source.text), len(source.text), "b = '日'\n"))
    report = mend(Report(source, (finding(fix),)), lambda source: Report(source, ()), unsafe=False)
    assert report.source == source
    assert len(report.troubles) == 1


def test_a_fix_that_moves_the_coding_away_is_left_out() -> None:
    source = Source.decode("train.py", "# coding: latin-1\na = 'é'\n".encode("latin-1"))
    fix = edits((0, 0, "import os\nimport sys\n"))
    report = mend(Report(source, (finding(fix),)), lambda source: Report(source, ()), unsafe=False)
    assert report.source == source


def test_fixes_that_never_settle_end() -> None:
    def again(source: Source) -> Report:
        return Report(source, (finding(edits((0, 0, "x = 1\n"))),))

    report = mend(again(Source("train.py", "")), again, unsafe=False)
    assert report.fixed == MAX_PASSES
    assert "did not settle" in report.troubles[0]


ARGUMENTS = st.lists(
    st.sampled_from(
        [
            'p.add_argument("--amp", type=bool)',
            'p.add_argument(\n    "--日本",  # é\n    type=bool,\n)',
            "x = 'ünï'",
            "",
            "if x:\n\tp.add_argument('--t', type = bool, default=True) # tab",
            'p.add_argument("--lr", type=float)',
        ]
    ),
    max_size=6,
)


@given(ARGUMENTS, st.sampled_from(["\n", "\r\n"]), st.sampled_from(["utf-8", "utf-8-sig", "iso2022_jp_2004"]))
def test_a_real_fix_is_idempotent_and_keeps_the_rest(lines: list[str], newline: str, coding: str) -> None:
    head = "# coding: iso2022_jp_2004" if coding.startswith("iso") else "# a comment"
    text = newline.join([head, "import argparse", "p = argparse.ArgumentParser()", *lines, ""])
    raw = text.replace("\n", newline).replace("\r\r", "\r").encode(coding)
    source = Source.decode("train.py", raw)
    assert source.encode(source.text) == raw
    once = mend(lint(source, BOOLS), lambda source: lint(source, BOOLS), unsafe=False)
    assert once.findings == ()
    assert mend(once, lambda source: lint(source, BOOLS), unsafe=False).source.text == once.source.text
    parser = 'lambda text: str(text).lower() in ("true", "1", "yes", "y", "on")'
    assert once.source.text.replace(parser, "bool") == source.text
    again = Source.decode("train.py", once.source.encode(once.source.text))
    assert (again.text, again.encoding, again.bom) == (
        once.source.text,
        once.source.encoding,
        once.source.bom,
    )
