"""Every rule against its own docs and examples."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest
from rules_harness import faults, marked_lines

from pytest_sagemaker.catalogue import HEADINGS, Entry, scan
from pytest_sagemaker.lint.fixes import apply
from pytest_sagemaker.lint.run import RULES

if TYPE_CHECKING:
    from pytest_sagemaker.lint.module import Module

ENTRIES = scan(RULES)
BAD = [
    pytest.param(rule, text, id=f"{rule.code}-{name}") for rule in ENTRIES for name, text in rule.bad.items()
]
GOOD = [
    pytest.param(rule, text, id=f"{rule.code}-{name}") for rule in ENTRIES for name, text in rule.good.items()
]


@pytest.mark.parametrize(("rule", "text"), BAD)
def test_bad_example_is_found_at_its_marked_lines(rule: Entry[Module], text: str) -> None:
    assert sorted(fault.span.line for fault in faults(rule, text)) == marked_lines(rule.code, text)


@pytest.mark.parametrize(("rule", "text"), GOOD)
def test_good_example_is_silent(rule: Entry[Module], text: str) -> None:
    assert [fault.message for fault in faults(rule, text)] == []


@pytest.mark.parametrize(("rule", "text"), BAD)
def test_fix_mends_the_fault_and_parses(rule: Entry[Module], text: str) -> None:
    found = faults(rule, text)
    fixes = [fault.fix for fault in found if fault.fix is not None]
    if not fixes:
        return
    mended = apply(text, fixes)
    ast.parse(mended)
    left = [fault for fault in faults(rule, mended) if fault.fix is not None]
    assert left == []


@pytest.mark.parametrize("rule", ENTRIES, ids=lambda rule: rule.code)
def test_docs_have_every_heading_and_examples(rule: Entry[Module]) -> None:
    assert all(rule.section(heading).strip() for heading in HEADINGS)
    assert rule.bad
    assert rule.good
    assert "https://" in rule.section("Source")
    assert len(rule.title) < 110
