"""What reaches a name that a `with` binds."""

from __future__ import annotations

import ast

from rules_harness import module_of

from pytest_sagemaker.lint.facts.bindings import UNKNOWN, Bindings

WITH = """\
path = "a"
with open(path) as f, make() as (first, second):
    print(f, first, second)
    with lock as {target}:
        pass
    print(f)
"""


def reaching(text: str, name: str, use: int) -> list[str]:
    """What can reach the `use`-th place that reads `name`, as code; `?` for unknown."""
    tree = module_of(text).tree
    found = Bindings(tree).reaching(name, tree.references(name)[use])
    return [
        "?" if binding is UNKNOWN or binding.value is None else ast.unparse(binding.value)
        for binding in found
    ]


def test_target_of_with_is_its_context_manager() -> None:
    assert reaching(WITH.format(target="other"), "f", 0) == ["open(path)"]
    assert reaching(WITH.format(target="other"), "f", 1) == ["open(path)"]


def test_unpacked_target_of_with_keeps_its_position() -> None:
    tree = module_of(WITH.format(target="other")).tree
    (binding,) = Bindings(tree).reaching("second", tree.references("second")[0])
    assert binding.item == 1


def test_inner_with_hides_the_outer_one() -> None:
    assert reaching(WITH.format(target="f"), "f", 1) == ["lock", "open(path)"]
