"""Which codes are wanted."""

from __future__ import annotations

import pytest

from pytest_sagemaker.lint.selection import Selection


@pytest.mark.parametrize(
    ("selection", "code", "severity", "wanted"),
    [
        (Selection(), "SM301", "W", True),
        (Selection(), "SM203", "I", False),
        (Selection(), "F821", "E", True),
        (Selection(), "F401", "W", False),
        (Selection(select=("SM2",)), "SM203", "I", True),
        (Selection(select=("SM2",)), "SM301", "W", False),
        (Selection(select=("F",)), "F401", "W", True),
        (Selection(extend_select=("SM203",)), "SM203", "I", True),
        (Selection(extend_select=("SM203",)), "SM301", "W", True),
        (Selection(ignore=("SM3",)), "SM301", "W", False),
        (Selection(ignore=("SM3",)), "SM401", "W", True),
        (Selection(ignore=("SM3",), extend_select=("SM301",)), "SM301", "W", True),
        (Selection(ignore=("SM301",), select=("SM3",)), "SM301", "W", False),
        (Selection(ignore=("SM3",), select=("SM3",)), "SM301", "W", False),
        (Selection(select=("SM301",), exempt=("SM",)), "SM301", "W", False),
    ],
)
def test_wants(selection: Selection, code: str, severity: str, wanted: bool) -> None:
    assert selection.wants(code, severity) is wanted  # type: ignore[arg-type]  # a literal in the table


def test_command_line_select_starts_anew() -> None:
    config = Selection(select=("SM4",), ignore=("SM301",), extend_select=("F401",))
    assert Selection(select=("SM301",)).over(config) == Selection(select=("SM301",))


def test_command_line_adds_to_the_config() -> None:
    config = Selection(select=("SM4",), ignore=("SM301",), extend_select=("F401",))
    asked = Selection(extend_select=("SM2",), ignore=("SM402",))
    assert asked.over(config) == Selection(("SM4",), ("F401", "SM2"), ("SM301", "SM402"))


def test_a_rule_runs_if_any_of_its_severities_is_wanted() -> None:
    assert Selection().may_want("SM207")
    assert not Selection(select=("SM3",)).may_want("SM207")
