"""Each fixture shows in lint what its first line says, and the reference scripts show nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from expectations import expectation, fixtures, name

from pytest_sagemaker.lint.run import lint_file

REFERENCE_SCRIPTS = sorted((Path(__file__).resolve().parents[2] / "reference_scripts").glob("*.py"))


@pytest.mark.parametrize("script", fixtures(), ids=name)
def test_fixture_shows_what_its_first_line_says(script: Path) -> None:
    assert {finding.code for finding in lint_file(script)} == expectation(script).lint


@pytest.mark.parametrize("script", REFERENCE_SCRIPTS, ids=lambda script: script.stem)
def test_reference_script_is_clean_under_every_rule(script: Path) -> None:
    assert lint_file(script) == []
