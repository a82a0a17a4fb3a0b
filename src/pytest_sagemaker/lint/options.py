"""The command line of `sm-lint`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Sequence

FORMATS = ("full", "concise", "json")

EPILOG = """\
examples:
  sm-lint train.py                      what is wrong with one script, and what to write instead
  sm-lint src/ --select SM2,SM4         only hyperparameters and distributed training, in a folder's scripts
  sm-lint train.py --diff               show the safe fixes as a patch; --fix makes them
  sm-lint --explain SM205 SM804         why a rule, or a check of a run, speaks
  git show :train.py | sm-lint - --stdin-filename train.py

`# noqa: SM301` or `# sm-lint: ignore[SM301] reason` silences one line. [tool.sm-lint] in pyproject.toml sets
select, extend-select, ignore, per-file-ignores and exclude (what is left out of folders).

exit codes:
  0  nothing found that is an error or a warning; advice does not count
  1  an error or a warning was found, and is still there after --fix; a file that cannot be read is one
  2  wrong use, a bad config, a file that could not be written, or a failure of sm-lint's own
"""


class Options(argparse.Namespace):
    """What was asked for. Codes are as they were written: not yet checked."""

    paths: list[str]
    stdin_filename: str | None
    select: list[str]
    extend_select: list[str]
    ignore: list[str]
    fix: bool
    unsafe_fixes: bool
    diff: bool
    output_format: str
    statistics: bool
    color: str
    exit_zero: bool
    explain: list[str]
    version: bool


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One line in place of the whole usage."""
        self.exit(2, f"sm-lint: error: {message} (sm-lint --help says more)\n")


class _Codes(argparse.Action):
    """Comma lists, given once or more."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002 -- argparse's signature
        namespace: argparse.Namespace,
        values: str | Sequence[str] | None,
        option_string: str | None = None,  # noqa: ARG002 -- argparse's signature
    ) -> None:
        given = [values] if isinstance(values, str) else list(values or ())
        codes = [code for text in given for code in text.split(",")]
        setattr(namespace, self.dest, [*getattr(namespace, self.dest), *codes])


def parse(argv: Sequence[str] | None) -> Options:
    """Read the command line.

    Raises:
        SystemExit: with 0 after --help, with 2 after a wrong option.
    """
    parser = _parser()
    options = parser.parse_args(argv, namespace=Options())
    if options.unsafe_fixes and not (options.fix or options.diff):
        parser.error("--unsafe-fixes goes with --fix or --diff")
    if options.output_format == "json" and (options.diff or options.statistics):
        parser.error("json holds the findings: it goes with neither --diff nor --statistics")
    return options


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="sm-lint",
        description="Reads PyTorch scripts for Amazon SageMaker, and tells what would fail there.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "paths",
        nargs="*",
        default=["."],
        metavar="PATH",
        help="a file; a folder, for its scripts that look like PyTorch training or serving code; - for stdin",
    )
    add("--stdin-filename", metavar="PATH", help="what to call the script on stdin")
    for option, text in (
        ("--select", "only these codes; a prefix is enough: SM4"),
        ("--extend-select", "these codes too: advice, or names such as F401"),
        ("--ignore", "not these codes; of --select and --ignore the longer prefix counts"),
    ):
        add(option, action=_Codes, default=[], metavar="CODES", help=text)
    add("--fix", action="store_true", help="make the safe fixes")
    add(
        "--unsafe-fixes",
        action="store_true",
        help="with --fix or --diff: the fixes that may change behaviour too",
    )
    add("--diff", action="store_true", help="show the fixes as a patch, and write nothing")
    add("--output-format", choices=FORMATS, default="full", help="default: full")
    add("--statistics", action="store_true", help="how often each rule spoke, in place of the findings")
    add("--color", choices=("auto", "always", "never"), default="auto", help="default: auto, in a terminal")
    add("--exit-zero", action="store_true", help="exit with 0 where it would be 1")
    add(
        "--explain",
        action=_Codes,
        nargs="+",
        default=[],
        metavar="CODE",
        help="why it fails, what to write instead",
    )
    add("--version", action="store_true", help="print the version")
    return parser
