"""Writes docs/rules.md: `python -m pytest_sagemaker.lint.rules_page > docs/rules.md`."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

from pytest_sagemaker.catalogue import HEADINGS, Entry
from pytest_sagemaker.lint.explain import SEVERITY_WORDS, entries
from pytest_sagemaker.lint.module import Module
from pytest_sagemaker.lint.reporters.lines import visible
from pytest_sagemaker.lint.selection import DEFAULT_PYFLAKES
from pytest_sagemaker.lint.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

INTRODUCTION = """\
# Rules and checks

Generated from the rules' own files: `python -m pytest_sagemaker.lint.rules_page > docs/rules.md`.

Codes up to SM7 are rules: `sm-lint` reads them off a script. SM8 are checks: `pytest --sagemaker-check`
sees them while the script runs on faked hosts. **E**: the job fails, hangs, or gives a wrong or undeployable
model. **W**: it works, but wastes money or hides what happens. **I**: advice, off unless selected. A safe fix
is made by `--fix`, an unsafe one by `--fix --unsafe-fixes`.
"""


def page() -> str:
    """The whole page."""
    own = [entry for entry in entries() if entry.code.startswith("SM")]
    names = [entry for entry in entries() if not entry.code.startswith("SM")]
    lines = [INTRODUCTION, *_table(own), "", *_names(names)]
    for entry in own:
        lines += ["", *_section(entry)]
    return "\n".join(lines) + "\n"


def _table(found: Sequence[Entry[Any]]) -> Iterator[str]:
    yield "| code | name | | what it says | fix |"
    yield "|---|---|---|---|---|"
    for entry in found:
        link = f"[{entry.code}](#{entry.code.lower()}-{entry.name})"
        title = entry.title.rstrip(".").replace("|", "\\|")
        yield f"| {link} | {entry.name} | {entry.severity} | {title} | {_fix(entry)} |"


def _names(found: Sequence[Entry[Any]]) -> Iterator[str]:
    yield "pyflakes finds faulty names, under the codes that flake8 and ruff know. On by default:"
    yield ", ".join(f"{entry.code} {entry.name}" for entry in found if entry.code in DEFAULT_PYFLAKES) + "."
    yield "The others, for `--extend-select`: <https://flake8.pycqa.org/en/latest/user/error-codes.html>"


def _fix(entry: Entry[Any]) -> str:
    """How safe the fixes are that a rule makes in its own examples."""
    scripts = [text for text in entry.bad.values() if isinstance(text, str)]
    modules = [Module(Source.decode("train.py", text.encode())) for text in scripts]
    kinds = {fault.fix.safe for module in modules for fault in entry.check(module) if fault.fix}
    return " or ".join("safe" if safe else "unsafe" for safe in sorted(kinds, reverse=True))


def _section(entry: Entry[Any]) -> Iterator[str]:
    yield f"## {entry.code} {entry.name}"
    yield ""
    headed = re.sub(rf"^({'|'.join(HEADINGS)}):\n+", r"**\1**\n\n", entry.doc, flags=re.M)
    yield re.sub("^https://", "- https://", headed, flags=re.M)
    yield ""
    yield f"*Severity: {SEVERITY_WORDS[entry.severity]}. Fix: {_fix(entry) or 'none'}.*"
    for title, examples in (("Found in", entry.bad), ("Silent on", entry.good)):
        text = next((example for example in examples.values() if isinstance(example, str)), "")
        if text:
            shown = "\n".join(visible(line) for line in text.rstrip().splitlines())  # SM002 has a NUL
            yield f"\n{title}:\n\n```python\n{shown}\n```"


if __name__ == "__main__":
    sys.stdout.write(page())
