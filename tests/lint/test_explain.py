"""What the rules' own files say, on the screen and in docs/rules.md."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_sagemaker.lint.config import UsageError
from pytest_sagemaker.lint.explain import entries, explain, find
from pytest_sagemaker.lint.rules_page import page

if TYPE_CHECKING:
    from pytest_sagemaker.catalogue import Entry

ROOT = Path(__file__).parents[2]


def said(entry: Entry[object]) -> str:
    return "\n".join("".join(text for text, _ in line) for line in explain(entry))


def test_rules_and_checks_in_order_names_last() -> None:
    codes = [entry.code for entry in entries()]
    ours = [code for code in codes if code.startswith("SM")]
    assert {"SM205", "SM801", "F821"} <= set(codes)
    assert codes == sorted(ours) + sorted(set(codes) - set(ours))
    assert len(set(codes)) == len(codes)


def test_explain_shows_docs_and_examples() -> None:
    (rule,) = find(["argparse-type-bool"])
    text = said(rule)
    assert text.startswith("SM205 argparse-type-bool (error)\n\n")
    assert rule.doc in text
    assert "\nFound in:\n    import argparse\n" in text
    assert "\nSilent on:\n" in text


def test_a_check_has_no_script_to_show() -> None:
    (check,) = find(["SM801"])
    assert "Found in" not in said(check)


@pytest.mark.parametrize(
    ("word", "near"),
    [("SM2055", "'SM205'"), ("argparse-typ-bool", "'argparse-type-bool'"), ("rank-faild", "rank-failed")],
)
def test_an_unknown_word_is_refused_with_the_nearest(word: str, near: str) -> None:
    with pytest.raises(UsageError) as refused:
        find([word])
    assert near in str(refused.value)


def test_the_page_has_a_row_and_a_section_for_each() -> None:
    text = page()
    for entry in entries():
        if entry.code.startswith("SM"):
            assert (
                f"| [{entry.code}](#{entry.code.lower()}-{entry.name}) | {entry.name} | {entry.severity} |"
                in text
            )
            assert f"\n## {entry.code} {entry.name}\n" in text
    assert (
        "| [SM205](#sm205-argparse-type-bool) | argparse-type-bool | E | `type=bool` in an argument" in text
    )
    assert "| safe |" in text
    assert "F821 undefined-name" in text


def test_the_page_in_docs_is_not_stale() -> None:
    """`python -m pytest_sagemaker.lint.rules_page > docs/rules.md` makes it anew."""
    assert (ROOT / "docs" / "rules.md").read_text(encoding="utf-8") == page()


def test_the_page_is_text() -> None:
    assert all(char == "\n" or char.isprintable() for char in page())
