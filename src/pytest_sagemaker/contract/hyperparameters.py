"""How hyperparameters reach the script: as JSON in a file, as typed values, as arguments."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pytest_sagemaker.contract import shell

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

_RESERVED = frozenset(
    {
        "_tuning_objective_metric",
        "default_user_module_name",
        "sagemaker_container_log_level",
        "sagemaker_enable_cloudwatch_metrics",
        "sagemaker_job_name",
        "sagemaker_program",
        "sagemaker_region",
        "sagemaker_s3_output",
        "sagemaker_submit_directory",
    }
)  # sagemaker-training, params.py, SAGEMAKER_HYPERPARAMETERS: for the toolkit alone


class HyperparameterError(ValueError):
    """A hyperparameter, or script name, that cannot be sent or that the shell would not pass on as it is."""


def encode(hyperparameters: Mapping[str, object]) -> dict[str, str]:
    """The content of hyperparameters.json: every value a string of JSON, as SDK 2 sends it.

    Raises:
        HyperparameterError: a value has no JSON form.
    """
    return {str(name): _json(name, value) for name, value in hyperparameters.items()}


def decode(hyperparameters: Mapping[str, object]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the container makes of them: the script's own, typed, and those that configure the launcher.

    Raises:
        HyperparameterError: a value has no JSON form.
    """
    typed = {
        name: json.loads(text) for name, text in encode(hyperparameters).items() if name not in _RESERVED
    }
    own = {name: value for name, value in typed.items() if not name.startswith("sagemaker_")}
    return own, {name: value for name, value in typed.items() if name not in own}


def arguments(hyperparameters: Mapping[str, object]) -> list[str]:
    """The script's arguments before a shell sees them: SM_USER_ARGS, by `mapping.to_cmd_args`.

    By name; one dash for a one-letter name; values as `str` gives them, None empty, a dict as `k=v,k=v`.

    Raises:
        HyperparameterError: a value has no JSON form.
    """
    own, _ = decode(hyperparameters)
    return [word for name, value in sorted(own.items()) for word in (_option(name), _value(value))]


def argv(
    script: str,
    hyperparameters: Mapping[str, object],
    environ: Mapping[str, str] | None = None,
    cwd: str | PathLike[str] | None = None,
) -> list[str]:
    """`sys.argv` of the script: its arguments joined by blanks and split again by a shell, as 5.1.1 does it.

    `environ` is what `$NAME` reads, `cwd` the folder that `*` lists (None: `*` stays).

    Raises:
        HyperparameterError: no JSON form, or the shell would refuse the line or run a second command.
    """
    options = arguments(hyperparameters)
    try:
        words = shell.split(" ".join([script, *options]), environ or {}, cwd)
    except shell.ShellError:
        for option, value in zip(options[::2], options[1::2], strict=True):
            _refuse(option, value)
        words = [""]  # no hyperparameter to blame: the script's name
    if words[0] != script:
        raise HyperparameterError(
            f"SageMaker starts {script!r} through a shell, which does not read that as one name: "
            "rename the script, with letters, digits, _ and . only"
        )
    return words


def _refuse(option: str, value: str) -> None:
    try:
        shell.split(f"{option} {value}", {}, None)
    except shell.ShellError as error:
        raise HyperparameterError(
            f"hyperparameter {option.lstrip('-')!r} holds {value!r}, which SageMaker puts unquoted into a "
            f"shell command, and there {error}: send it without that, or in a file of a channel"
        ) from error


def _json(name: str, value: object) -> str:
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise HyperparameterError(
            f"hyperparameter {name!r} is sent as JSON, which has no form for this {type(value).__name__} "
            f"({error}): send a number, a string, a bool, a list or a dict"
        ) from error


def _option(name: str) -> str:
    return "-" * min(len(name), 2) + name


def _value(value: object) -> str:
    if isinstance(value, dict):
        return ",".join(f"{key}={item}" for key, item in sorted(value.items()))
    return "" if value is None else str(value)
