"""Variables that a script sets itself, and what runs at import."""

from __future__ import annotations

import ast

import pytest
from rules_harness import module_of

WRITES = {
    "subscript": 'os.environ["A"] = "1"',
    "setdefault": 'os.environ.setdefault("A", "1")',
    "update": 'os.environ.update({"A": "1"})',
    "update by keyword": 'os.environ.update(A="1")',
    "putenv": 'os.putenv("A", "1")',
    "through a name": 'name = "A"\nos.environ[name] = "1"',
}


@pytest.mark.parametrize("text", WRITES.values(), ids=WRITES)
def test_a_variable_that_is_set_is_written(text: str) -> None:
    assert module_of(f"import os\n{text}\n").env_writes == {"A"}


def test_a_variable_that_is_read_is_not_written() -> None:
    assert module_of('import os\nx = os.environ["A"] + os.environ.get("B")\n').env_writes == set()


def test_the_toolkit_environment_is_read_by_its_attributes() -> None:
    text = "from sagemaker_training.environment import Environment as E\nenv = E()\nenv.hosts, env.upper()\n"
    assert [read.name for read in module_of(text).env_reads] == ["SM_HOSTS"]


AT_IMPORT = {
    "module": ("x = work()", True),
    "class body": ("class C:\n    x = work()", True),
    "default": ("def f(x=work()):\n    pass", True),
    "decorator": ("@work()\ndef f():\n    pass", True),
    "comprehension": ("x = [work() for _ in y]", True),
    "function": ("def f():\n    work()", False),
    "method": ("class C:\n    def f(self):\n        work()", False),
    "lambda": ("f = lambda: work()", False),
    "guard": ('if __name__ == "__main__":\n    work()', False),
    "guard, other way round": ('if "__main__" == __name__:\n    work()', False),
    "guard with a condition": ('if __name__ == "__main__" and x:\n    work()', False),
    "second guard": ('if __name__ == "__main__":\n    x\nif __name__ == "__main__":\n    work()', False),
    "misspelled guard": ('if __name__ == "main":\n    work()', False),
    "else of the guard": ('if __name__ == "__main__":\n    x\nelse:\n    work()', True),
    "another condition": ("if x:\n    work()", True),
}


@pytest.mark.parametrize(("text", "runs"), AT_IMPORT.values(), ids=AT_IMPORT)
def test_what_runs_at_import(text: str, runs: bool) -> None:
    module = module_of(text)
    (call,) = (call for call in module.tree.all(ast.Call) if module.text(call) == "work()")
    assert module.at_import(call) is runs
