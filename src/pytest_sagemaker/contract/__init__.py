"""What AWS's PyTorch training container (sagemaker-training 5.1.1) sets and sends, as data."""

from importlib import import_module
from typing import TYPE_CHECKING

from pytest_sagemaker.contract.variables import (
    KNOWN_NAMES,
    MODELTRAINER_ONLY,
    PATHS,
    VARIABLES,
    Variable,
    is_known,
    lookup,
    nearest,
    variable_for,
)

__all__ = [
    "KNOWN_NAMES",
    "MODELTRAINER_ONLY",
    "PATHS",
    "VARIABLES",
    "HyperparameterError",
    "TrainingJob",
    "Variable",
    "argv",
    "encode",
    "environment",
    "is_known",
    "lookup",
    "nearest",
    "torchrun_environment",
    "variable_for",
]

if TYPE_CHECKING:
    from pytest_sagemaker.contract.environ import TrainingJob, environment, torchrun_environment
    from pytest_sagemaker.contract.hyperparameters import HyperparameterError, argv, encode
else:
    _LATER = {
        "TrainingJob": "environ",
        "environment": "environ",
        "torchrun_environment": "environ",
        "HyperparameterError": "hyperparameters",
        "argv": "hyperparameters",
        "encode": "hyperparameters",
    }  # a job's: the linter starts without them

    def __getattr__(name: str) -> object:
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
