"""Which functions can end without a return."""

from __future__ import annotations

import sys
import textwrap

import pytest
from rules_harness import module_of

from pytest_sagemaker.lint.facts.endings import falls_through

HEAD = """\
import sys

def stop():
    raise ValueError

def go():
    pass

"""


@pytest.mark.parametrize(
    ("body", "falls"),
    [
        ("return 1", False),
        ("raise ValueError", False),
        ("x = 1", True),
        ("if a:\n    return 1\nelse:\n    raise ValueError", False),
        ("if a:\n    return 1\nelse:\n    log(1)", True),
        ("if a:\n    return 1\nx = 2", True),
        ("if a:\n    return 1\nelif b:\n    return 2", False),
        ("if a:\n    x = 1", True),
        ("if a:\n    raise ValueError", True),
        ("with a:\n    return 1", False),
        ("with a:\n    x = 1", True),
        ("try:\n    return 1\nexcept E:\n    raise", False),
        ("try:\n    return 1\nexcept E:\n    log(1)", True),
        ("try:\n    x = 1\nexcept E:\n    raise\nelse:\n    return x", False),
        ("try:\n    x = 1\nfinally:\n    return 1", False),
        ("for x in y:\n    if x:\n        return x", False),
        ("for x in y:\n    z = x", True),
        ("while True:\n    return 1", False),
        ("sys.exit(1)", False),
        ("stop()", False),
        ("go()", True),
        ("fail_with(1)", False),
        ("assert False, 'no'", False),
        ("assert a", True),
        ("match a:\n    case 1:\n        x = 1", False),
    ],
)
def test_falls_through(body: str, falls: bool) -> None:
    module = module_of(f"{HEAD}def f():\n{textwrap.indent(body, '    ')}\n")
    assert module.syntax_error is None
    assert falls_through(module.tree.functions["f"].body, module.tree, module.flow) is falls


@pytest.mark.skipif(sys.version_info < (3, 11), reason="except* is newer than this Python")
def test_exception_groups() -> None:
    module = module_of("def f():\n    try:\n        return 1\n    except* E:\n        log(1)\n")
    # what an except* block swallows ends in None, as with a plain except
    assert falls_through(module.tree.functions["f"].body, module.tree, module.flow)
