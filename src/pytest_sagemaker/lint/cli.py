"""The command `sm-lint`: from what was asked for to what is shown and the exit code."""

from __future__ import annotations

import gc
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from pytest_sagemaker.lint.config import Configs, UsageError, codes
from pytest_sagemaker.lint.folders import scripts
from pytest_sagemaker.lint.options import Options, parse
from pytest_sagemaker.lint.reporters.lines import show, wants_colour
from pytest_sagemaker.lint.run import INTERNAL_ERROR, Report, lint
from pytest_sagemaker.lint.selection import Selection
from pytest_sagemaker.lint.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_sagemaker.lint.reporters.lines import Line

STDIN = "-"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        The exit code: 0 nothing found, 1 an error or a warning stands, 2 wrong use or a failure of ours.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if argv is None:  # a process of our own, over before most garbage matters: a tenth of its time
        gc.set_threshold(100_000)
    try:
        code = _run(parse(argv))
        sys.stdout.flush()
    except UsageError as error:
        _say(f"error: {error}")
        return 2
    except SystemExit as stop:  # argparse
        return int(stop.code or 0)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    finally:
        if argv is None:
            gc.freeze()  # nothing is left to collect at exit
    return code


def _run(options: Options) -> int:
    if options.version:
        print(f"sm-lint {_version()}")
        return 0
    if options.explain:
        from pytest_sagemaker.lint.explain import explain, find

        _show((line for entry in find(options.explain) for line in explain(entry)), options, sys.stdout)
        return 0
    reports = [_one(path, selection, options) for path, selection in _chosen(options)]
    _report(reports, options)
    return _exit_code(reports, options)


def _chosen(options: Options) -> list[tuple[Path | None, Selection]]:
    """Every file with what is wanted of it; None is stdin."""
    asked = Selection(
        codes(options.select, "--select"),
        codes(options.extend_select, "--extend-select"),
        codes(options.ignore, "--ignore"),
    )
    configs = Configs()
    named = [Path(path) for path in options.paths if path != STDIN]
    found, barren = scripts(named, configs)
    for folder in barren:
        _say(f"warning: {folder.as_posix()}: no script in it looks like PyTorch training or serving code")
    stdin = [Path(options.stdin_filename or "stdin")] if STDIN in options.paths else []
    wanted = [configs.of(path.parent).selection_for(path, asked) for path in (*stdin, *found)]
    return list(zip([*(None for _ in stdin), *found], wanted, strict=True))


def _one(path: Path | None, selection: Selection, options: Options) -> Report:
    """Lint one file, and mend it where that is asked for."""
    if path is None:
        raw = sys.stdin.buffer.read()
        source = Source.decode(options.stdin_filename or "<stdin>", raw)
    else:
        source = Source.read(path)
    report = lint(source, selection)
    if not (options.fix or options.diff):
        return report
    from pytest_sagemaker.lint.fixes import mend
    from pytest_sagemaker.lint.writing import patch, write

    mended = mend(report, partial(lint, selection=selection), unsafe=options.unsafe_fixes)
    if options.diff:
        _emit(patch(source, mended.source))
        return report._replace(fixed=mended.fixed, troubles=mended.troubles)
    if path is None:
        _emit(mended.source.encode(mended.source.text) if mended.fixed else raw)
    elif mended.fixed:
        try:
            write(path, source, mended.source)
        except OSError as error:
            trouble = f"{source.path}: it cannot be written: {error.strerror or error}"
            return report._replace(troubles=(*mended.troubles, trouble))
    return mended


def _report(reports: Sequence[Report], options: Options) -> None:
    """Findings on stdout, or beside a script or patch there on stderr; what is wrong with us on stderr."""
    stream = sys.stderr if options.diff or (options.fix and STDIN in options.paths) else sys.stdout
    if options.output_format == "json":
        from pytest_sagemaker.lint.reporters.structured import document

        print(document(reports, _version()), file=stream)
    else:
        _show(_lines(reports, options), options, stream)
    for report in reports:
        for ignore, code in report.unused:
            print(f"{report.source.path}:{ignore.line}: unused ignore for {code}", file=sys.stderr)
        for trouble in report.troubles:
            _say(f"error: {trouble}")


def _lines(reports: Sequence[Report], options: Options) -> Iterator[Line]:
    from pytest_sagemaker.lint.reporters import text

    if options.diff:
        yield text.patched(reports)
        return
    if options.statistics:
        yield from text.statistics(reports)
    elif options.output_format == "concise":
        yield from text.concise(reports)
    else:
        yield from text.full(reports)
    if reports:
        yield text.summary(reports)


def _exit_code(reports: Sequence[Report], options: Options) -> int:
    findings = [finding for report in reports for finding in report.findings]
    crashed = any(finding.name == INTERNAL_ERROR for finding in findings)
    if crashed or any(report.troubles for report in reports):
        return 2
    return int(not options.exit_zero and any(finding.severity != "I" for finding in findings))


def _show(lines: Iterable[Line], options: Options, stream: TextIO) -> None:
    show(lines, stream, colour=wants_colour(options.color, stream, os.environ))


def _emit(raw: bytes) -> None:
    """Bytes of a script to stdout, past its encoding."""
    sys.stdout.flush()
    sys.stdout.buffer.write(raw)
    sys.stdout.buffer.flush()


def _say(message: str) -> None:
    print(f"sm-lint: {message}", file=sys.stderr)


def _version() -> str:
    from importlib.metadata import version

    return version("pytest-sagemaker")


if __name__ == "__main__":
    sys.exit(main())
