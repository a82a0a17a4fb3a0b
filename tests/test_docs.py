"""What the documents name exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = ["README.md", "CONTRIBUTING.md", "docs/how-it-works.md"]
SOURCES = [ROOT, ROOT / "docs", ROOT / "src" / "pytest_sagemaker"]


@pytest.mark.parametrize("page", PAGES)
def test_every_path_that_a_page_names_exists(page: str) -> None:
    text = (ROOT / page).read_text()
    named = re.findall(r"`((?:src|job|lint|plugin|docs|tests|fixtures)/[\w/.]+)`", text)
    linked = re.findall(r"\]\(([\w/.-]+)\)", text)
    assert named or linked
    assert [path for path in named + linked if not any((base / path).exists() for base in SOURCES)] == []


def test_readme_names_the_commands_that_make_knows() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M))
    assert {"demo", "test"} <= set(re.findall(r"make (\w+)", (ROOT / "README.md").read_text())) <= targets
