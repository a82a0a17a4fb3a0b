"""The pytest plugin: options, and hooks that import lint and job only when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_sagemaker.plugin.options import OPTIONS, asked, check_usage, is_script

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from pytest_sagemaker.plugin.testing import SagemakerJob


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare every option twice: on the command line and in the ini file."""
    group = parser.getgroup("sagemaker", "training scripts on faked SageMaker hosts")
    group.addoption(
        "--sagemaker-check",
        action="store_true",
        default=None,
        help="turn training scripts into tests: those named, or matched by --sagemaker-scripts in a folder",
    )
    parser.addini("sagemaker_check", "As --sagemaker-check.", type="bool", default=False)
    for name, metavar, repeatable, text in OPTIONS:
        flag = f"--sagemaker-{name}"
        action = "append" if repeatable else "store"
        group.addoption(flag, action=action, default=None, metavar=metavar, help=text)
        if repeatable:
            parser.addini(f"sagemaker_{name}", f"As {flag}.", type="linelist")
        else:
            parser.addini(f"sagemaker_{name}", f"As {flag}.", type="string")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse wrong options before anything is collected."""
    if asked(config):
        check_usage(config)


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(
    file_path: Path, parent: pytest.Collector
) -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Put a script in place of what other collectors made of it: they would import it."""
    collected = yield
    if file_path.suffix == ".py" and asked(parent.config) and is_script(file_path, parent.session):
        from pytest_sagemaker.plugin.items import ScriptFile

        return [ScriptFile.from_parent(parent, path=file_path)]
    return collected


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start the engine as soon as it is known that a job will run: torch is imported meanwhile.

    A worker of pytest-xdist does not know what it will be given; there the first check starts it.
    """
    config = session.config
    if asked(config) and not config.option.collectonly and not hasattr(config, "workerinput"):
        from pytest_sagemaker.plugin.items import CheckItem
        from pytest_sagemaker.plugin.runs import runs_of

        if any(isinstance(item, CheckItem) for item in session.items):
            runs_of(config).start()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object | None:
    """Keep the checks of one job on one worker, so that it runs once; other tests spread as usual."""
    if not asked(config) or config.getoption("dist") != "load":
        return None
    from pytest_sagemaker.plugin.scheduling import JobScheduling

    return JobScheduling(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """One line for each script: what its job chose by itself."""
    if not asked(config):
        return
    from pytest_sagemaker.plugin.items import CHOSEN

    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    properties = [found for report in reports for found in getattr(report, "user_properties", ())]
    chosen = dict.fromkeys(str(value) for key, value in properties if key == CHOSEN)
    if chosen:
        terminalreporter.section("sagemaker: chosen where nothing was said")
        for line in chosen:
            terminalreporter.line(line)


@pytest.fixture
def sagemaker_job(request: pytest.FixtureRequest, tmp_path: Path) -> SagemakerJob:
    """Run a training script as a SageMaker job on faked hosts, and look at what it did.

    `sagemaker_job("train.py", hosts=2, hyperparameters={"epochs": 2}, channels={"training": folder})` returns
    a `Job`; `pytest_sagemaker.plugin.testing.SagemakerJob` has all parameters.
    """
    from pytest_sagemaker.plugin.testing import SagemakerJob

    return SagemakerJob(request.config, request.path.parent, tmp_path)
