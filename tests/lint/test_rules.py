"""Every rule against its own docs and examples."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest
from rules_harness import Example, faults_of, marked_lines, script

from pytest_sagemaker.catalogue import HEADINGS, Entry, scan
from pytest_sagemaker.lint.fixes import apply
from pytest_sagemaker.lint.run import RULES

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_sagemaker.lint.module import Module

ENTRIES = scan(RULES)
BAD = [
    pytest.param(rule, bad, id=f"{rule.code}-{name}") for rule in ENTRIES for name, bad in rule.bad.items()
]
GOOD = [
    pytest.param(rule, good, id=f"{rule.code}-{name}") for rule in ENTRIES for name, good in rule.good.items()
]


@pytest.mark.parametrize(("rule", "example"), BAD)
def test_bad_example_is_found_at_its_marked_lines(
    rule: Entry[Module], example: Example, tmp_path: Path
) -> None:
    found = sorted(fault.span.line for fault in faults_of(rule, example, tmp_path))
    assert found == marked_lines(rule.code, script(example))


@pytest.mark.parametrize(("rule", "example"), GOOD)
def test_good_example_is_silent(rule: Entry[Module], example: Example, tmp_path: Path) -> None:
    assert [fault.message for fault in faults_of(rule, example, tmp_path)] == []


@pytest.mark.parametrize(("rule", "example"), BAD)
def test_fix_mends_the_fault_and_parses(rule: Entry[Module], example: Example, tmp_path: Path) -> None:
    fixes = [fault.fix for fault in faults_of(rule, example, tmp_path) if fault.fix is not None]
    if not fixes:
        return
    mended = apply(script(example), fixes)
    ast.parse(mended)
    left = [fault for fault in faults_of(rule, example, tmp_path, mended) if fault.fix is not None]
    assert left == []


@pytest.mark.parametrize("rule", ENTRIES, ids=lambda rule: rule.code)
def test_docs_have_every_heading_and_examples(rule: Entry[Module]) -> None:
    assert all(rule.section(heading).strip() for heading in HEADINGS)
    assert rule.bad
    assert rule.good
    assert "https://" in rule.section("Source")
    assert len(rule.title) < 110
