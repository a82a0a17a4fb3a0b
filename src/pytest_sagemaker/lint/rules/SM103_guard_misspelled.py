"""The guard compares `__name__` with something other than "__main__", or compares with `is`.

The job starts, runs nothing, exits 0 and is reported as Completed, with an empty model.tar.gz.

Why it fails:
Python sets `__name__` of the script to exactly "__main__". Any other text is never equal to it, and `is`
asks whether two strings are one object, which no version of Python promises.

Use instead:
`if __name__ == "__main__":`

False alarms:
None known: only text that reads like a misspelled "__main__" is reported, never another module's name.

Source:
https://docs.python.org/3/library/__main__.html
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from pytest_sagemaker.finding import Fix
from pytest_sagemaker.lint.edits import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.finding import Fault
    from pytest_sagemaker.lint.module import Module

SEVERITY = "E"

BAD = {
    "no-underscores": """\
def train():
    pass

if __name__ == "main":  # SM103
    train()
""",
    "one-underscore-short": """\
def train():
    pass

if "__main_" == __name__:  # SM103
    train()
""",
    "capital": """\
def train():
    pass

if __name__ == '__Main__':  # SM103
    train()
""",
    "letters-swapped": """\
if __name__ == "__mian__" and True:  # SM103
    pass
""",
    "name-in-quotes": """\
if "__name__" == "__main__":  # SM103
    pass
""",
    "name-twice": """\
if __name__ == "__name__":  # SM103
    pass
""",
    "is": """\
if __name__ is "__main__":  # SM103
    pass
""",
}

GOOD = {
    "guard": """\
if __name__ == "__main__":
    pass
""",
    "other-way-round": """\
if '__main__' == __name__:
    pass
""",
    "worker-process": """\
if __name__ in ("__main__", "__mp_main__"):
    pass
if __name__ == "__mp_main__":
    pass
""",
    "another-module": """\
if __name__ == "builtins":
    pass
if __name__ == "train" or __name__ == name:
    pass
""",
    "not-imported": """\
if __name__ != "__main__":
    raise ImportError("run me")
""",
}

GUARD = '__name__ == "__main__"'


def check(module: Module) -> Iterator[Fault]:
    for compare in module.tree.all(ast.Compare):
        if len(compare.ops) == 1 and (wrong := _wrong(compare)):
            inverted = isinstance(compare.ops[0], (ast.NotEq, ast.IsNot))
            text = GUARD.replace("==", "!=") if inverted else GUARD
            yield module.fault(
                compare,
                wrong,
                help=f"write `{text}`",
                fix=Fix(f"compare with `{text}`", (replace(module, compare, text),)),
            )


def _wrong(compare: ast.Compare) -> str:
    """What is wrong with a comparison of `__name__`; empty where nothing is."""
    sides = [compare.left, compare.comparators[0]]
    texts = [side.value for side in sides if isinstance(side, ast.Constant) and isinstance(side.value, str)]
    if sorted(texts) == ["__main__", "__name__"]:
        return 'the text "__name__" is never equal to "__main__": nothing under this guard runs'
    if len(texts) != 1 or not any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides):
        return ""
    if not isinstance(compare.ops[0], (ast.Eq, ast.NotEq, ast.Is, ast.IsNot)):
        return ""
    if texts[0] == "__main__":
        by_identity = isinstance(compare.ops[0], (ast.Is, ast.IsNot))
        return "`is` compares objects, not text: the guard works by luck only" if by_identity else ""
    letters = re.sub(r"[\W_]", "", texts[0]).lower()
    if sorted(letters) == sorted("main") or letters == "name":
        return f'`__name__` is never "{texts[0]}": nothing under this guard runs, and the job says Completed'
    return ""
