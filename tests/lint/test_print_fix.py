"""The fix of SM301 writes the same text that print wrote."""

from __future__ import annotations

import contextlib
import io
import itertools

from hypothesis import given
from hypothesis import strategies as st

from pytest_sagemaker.lint.fixes import apply
from pytest_sagemaker.lint.module import Module
from pytest_sagemaker.lint.rules import SM301_print_call
from pytest_sagemaker.lint.source import Source

SCRIPT = """\
'''Trains.'''
from __future__ import annotations
x = "a%sb"

class Loss:
    def backward(self):
        {call}

Loss().backward()
"""

VALUES = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\r\0\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")).map(
        repr
    ),
    st.sampled_from(
        [
            "x",
            "1",
            "2.5",
            "None",
            "[x, 1]",
            "{'a': 1}",
            "f'{x}%'",
            "7 % 2",
            "'100%'",
            "'%s'",
            "(lambda: x)()",
            "b'%s'",
        ]
    ),
)
OPTIONS = st.sampled_from(
    ["", ", flush=True", ", sep='%'", ", sep=''", ", end='\\n'", ", sep=None, end=None"]
)


NUMBERS = itertools.count()
"""Each run has a module name, and so a logger, of its own."""


def run(text: str) -> str:
    stdout = io.StringIO()
    with contextlib.redirect_stdout(stdout):
        exec(compile(text, "train.py", "exec"), {"__name__": f"train{next(NUMBERS)}"})
    return stdout.getvalue()


@given(st.lists(VALUES, min_size=1, max_size=4), OPTIONS)
def test_the_log_has_the_text_that_was_printed(values: list[str], options: str) -> None:
    text = SCRIPT.format(call=f"print({', '.join(values)}{options})")
    module = Module(Source("train.py", text))
    mended = apply(text, [fault.fix for fault in SM301_print_call.check(module) if fault.fix is not None])
    assert "print(" not in mended
    assert run(mended) == run(text)
