"""pyflakes as one more family of rules, under the codes that flake8 and ruff users know."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from pytest_sagemaker.catalogue import Entry
from pytest_sagemaker.finding import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyflakes.messages import Message

    from pytest_sagemaker.finding import Severity
    from pytest_sagemaker.lint.module import Module

CODES = {
    "UnusedImport": "F401",
    "ImportShadowedByLoopVar": "F402",
    "ImportStarUsed": "F403",
    "LateFutureImport": "F404",
    "ImportStarUsage": "F405",
    "ImportStarNotPermitted": "F406",
    "FutureFeatureNotDefined": "F407",
    "PercentFormatInvalidFormat": "F501",
    "PercentFormatExpectedMapping": "F502",
    "PercentFormatExpectedSequence": "F503",
    "PercentFormatExtraNamedArguments": "F504",
    "PercentFormatMissingArgument": "F505",
    "PercentFormatMixedPositionalAndNamed": "F506",
    "PercentFormatPositionalCountMismatch": "F507",
    "PercentFormatStarRequiresSequence": "F508",
    "PercentFormatUnsupportedFormatCharacter": "F509",
    "StringDotFormatInvalidFormat": "F521",
    "StringDotFormatExtraNamedArguments": "F522",
    "StringDotFormatExtraPositionalArguments": "F523",
    "StringDotFormatMissingArgument": "F524",
    "StringDotFormatMixingAutomatic": "F525",
    "FStringMissingPlaceholders": "F541",
    "TStringMissingPlaceholders": "F542",
    "MultiValueRepeatedKeyLiteral": "F601",
    "MultiValueRepeatedKeyVariable": "F602",
    "TooManyExpressionsInStarredAssignment": "F621",
    "TwoStarredExpressions": "F622",
    "AssertTuple": "F631",
    "IsLiteral": "F632",
    "InvalidPrintSyntax": "F633",
    "IfTuple": "F634",
    "BreakOutsideLoop": "F701",
    "ContinueOutsideLoop": "F702",
    "YieldOutsideFunction": "F704",
    "ReturnOutsideFunction": "F706",
    "DefaultExceptNotLast": "F707",
    "DoctestSyntaxError": "F721",
    "ForwardAnnotationSyntaxError": "F722",
    "RedefinedWhileUnused": "F811",
    "UndefinedName": "F821",
    "UndefinedExport": "F822",
    "UndefinedLocal": "F823",
    "UnusedIndirectAssignment": "F824",
    "DuplicateArgument": "F831",
    "UnusedVariable": "F841",
    "UnusedAnnotation": "F842",
    "RaiseNotImplemented": "F901",
}
"""pyflakes' message classes and flake8's codes (flake8/plugins/pyflakes.py).

Messages of newer Pythons' syntax that have no code yet are left out.
"""

ERRORS = frozenset({"F632", "F702", "F706", "F821", "F822", "F823"})
"""What fails, or gives a wrong result, when the line runs; the others are W."""

_RENAMED = {"RedefinedWhileUnused": "redefinition"}  # where the class has another name than the catalogue

_MARKED = r"(?:async def|def|class|from|import)\s[^#\r\n(:]*(?<=\S)|\w+|."


def _rule(kind: str, code: str) -> Entry[Module]:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind).lower()
    severity: Severity = "E" if code in ERRORS else "W"
    doc = (
        f"{words.capitalize()}.\n\nFound by pyflakes; flake8 and ruff report it under the same code.\n\n"
        "Source:\nhttps://flake8.pycqa.org/en/latest/user/error-codes.html"
    )
    name = _RENAMED.get(kind, words.replace(" ", "-"))
    return Entry(code, name, severity, doc, {}, {}, partial(_faults, kind))


def _faults(kind: str, module: Module) -> Iterator[Fault]:
    for message in module.pyflakes:
        guard = kind == "IsLiteral" and "__name__" in module.source.line(message.lineno)  # SM103 says it
        if type(message).__name__ == kind and not guard:
            yield _fault(message, module)


def _fault(message: Message, module: Module) -> Fault:
    start = module.source.offset(message.lineno, message.col)
    marked = re.match(_MARKED, module.source.text[start : start + 200])
    span = module.source.span(start, start + (marked.end() if marked else 0))
    return Fault(span, message.message % message.message_args)


NAMES = tuple(_rule(kind, code) for kind, code in CODES.items())
"""One rule a code."""
