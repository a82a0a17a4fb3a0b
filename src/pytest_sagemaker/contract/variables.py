"""The variables that the containers set, as data, and which of them a misspelt name means."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Format = Literal["str", "int", "bool", "json", "path"]


class Variable(NamedTuple):
    """One variable of a training container.

    `name` ends in `<X>` for a family. `format` is what its text holds: `bool` is `true` or `false`, `json` a
    list or an object. `source` is the package and the file or function that sets it.
    """

    name: str
    format: Format
    meaning: str
    source: str


_ENVIRONMENT = "sagemaker-training 5.1.1, environment.py, Environment.to_env_vars"
_PYTORCH = "sagemaker-pytorch-training 3.0.0, training.py"
_PLATFORM = "set by SageMaker on the container"
_IMAGE = "AWS's PyTorch training images, Dockerfile"
_TORCHRUN = "torchrun: torch.distributed.elastic, local_elastic_agent.py"
_DRIVERS = "SageMaker SDK 3, container_drivers/scripts/environment.py"

_TOOLKIT: dict[str, tuple[tuple[str, Format, str], ...]] = {
    _ENVIRONMENT: (
        ("SM_CHANNELS", "json", "names of the channels, sorted"),
        ("SM_CHANNEL_<X>", "path", "folder of channel x"),
        ("SM_CURRENT_HOST", "str", "this host's name: algo-1"),
        ("SM_CURRENT_INSTANCE_GROUP", "str", "this host's instance group"),
        ("SM_CURRENT_INSTANCE_GROUP_HOSTS", "json", "hosts of this instance group"),
        ("SM_CURRENT_INSTANCE_TYPE", "str", "this host's instance type: ml.g5.xlarge"),
        ("SM_DISTRIBUTION_INSTANCE_GROUPS", "json", "instance groups that run a launcher"),
        ("SM_FRAMEWORK_MODULE", "str", "the framework's own entry point"),
        ("SM_FRAMEWORK_PARAMS", "json", "hyperparameters meant for the launcher"),
        ("SM_HOSTS", "json", "names of all hosts, sorted as strings"),
        ("SM_HPS", "json", "all hyperparameters, typed"),
        ("SM_HP_<X>", "str", "hyperparameter x; JSON unless it is a string"),
        ("SM_INPUT_CONFIG_DIR", "path", "folder of the three config files"),
        ("SM_INPUT_DATA_CONFIG", "json", "inputdataconfig.json"),
        ("SM_INPUT_DIR", "path", "folder of config and data"),
        ("SM_INSTANCE_GROUPS", "json", "names of the instance groups"),
        ("SM_INSTANCE_GROUPS_DICT", "json", "instance groups by name"),
        ("SM_IS_HETERO", "bool", "whether there are several instance groups"),
        ("SM_LOG_LEVEL", "int", "level of the container's log, as in logging"),
        ("SM_MODEL_DIR", "path", "folder whose content becomes model.tar.gz"),
        ("SM_MODULE_DIR", "str", "where the script's source came from: an S3 address, or a folder"),
        ("SM_MODULE_NAME", "str", "the script's name without .py"),
        ("SM_NETWORK_INTERFACE_NAME", "str", "network interface between hosts"),
        ("SM_NUM_CPUS", "int", "CPUs of this host"),
        ("SM_NUM_GPUS", "int", "GPUs of this host"),
        ("SM_NUM_NEURONS", "int", "Neuron cores of this host"),
        ("SM_OUTPUT_DATA_DIR", "path", "folder whose content becomes output.tar.gz"),
        ("SM_OUTPUT_DIR", "path", "folder of output data and the failure file"),
        ("SM_OUTPUT_INTERMEDIATE_DIR", "path", "folder synced to S3 while the job runs"),
        ("SM_RESOURCE_CONFIG", "json", "resourceconfig.json"),
        ("SM_TOPOLOGY", "json", "capacity units by host, on UltraServers only"),
        ("SM_TRAINING_ENV", "json", "everything above in one object"),
        ("SM_USER_ARGS", "json", "the script's arguments before the shell splits them"),
        ("SM_USER_ENTRY_POINT", "str", "the script's file name"),
        ("CURRENT_HOST", "str", "this host's name"),
        ("SAGEMAKER_JOB_NAME", "str", "the training job's name"),
        ("SAGEMAKER_REGION", "str", "the job's AWS region"),
    ),
    _PYTORCH: (
        ("MASTER_ADDR", "str", "the first host's name"),
        ("MASTER_PORT", "int", "port of the rendezvous: 7777"),
        ("NCCL_DEBUG", "str", "NCCL's log level: WARN"),
        ("NCCL_IB_DISABLE", "int", "1: NCCL over IP sockets"),
        ("NCCL_SOCKET_IFNAME", "str", "network interface for NCCL"),
        ("SM_DLC_TORCH_VERSION", "str", "torch.__version__ of the image"),
    ),
    _PLATFORM: (
        ("TRAINING_JOB_ARN", "str", "the training job's ARN"),
        ("TRAINING_JOB_NAME", "str", "the training job's name"),
    ),
    _IMAGE: (
        ("DLC_CONTAINER_TYPE", "str", "training"),
        ("SAGEMAKER_TRAINING_MODULE", "str", "the framework's own entry point"),
    ),
    _TORCHRUN: (
        ("GROUP_RANK", "int", "this host's index"),
        ("GROUP_WORLD_SIZE", "int", "number of hosts"),
        ("LOCAL_RANK", "int", "this process's index on its host"),
        ("LOCAL_WORLD_SIZE", "int", "processes per host"),
        ("NCCL_PROTO", "str", "NCCL's protocol: simple (set by the toolkit for torchrun)"),
        ("RANK", "int", "this process's index in the job"),
        ("ROLE_NAME", "str", "default"),
        ("ROLE_RANK", "int", "this process's index among its role"),
        ("ROLE_WORLD_SIZE", "int", "processes of the role"),
        ("TORCHELASTIC_MAX_RESTARTS", "int", "0"),
        ("TORCHELASTIC_RESTART_COUNT", "int", "0"),
        ("TORCHELASTIC_RUN_ID", "str", "none; its presence says that torchrun started the process"),
        ("TORCHELASTIC_SIGNALS_TO_HANDLE", "str", "signals that end the job"),
        ("TORCH_NCCL_ASYNC_ERROR_HANDLING", "int", "1: a failed NCCL collective ends the process"),
        ("WORLD_SIZE", "int", "processes of the job"),
    ),
}

_MODELTRAINER: dict[str, tuple[tuple[str, Format, str], ...]] = {
    _DRIVERS: (
        ("SM_CURRENT_HOST_RANK", "int", "this host's index"),
        ("SM_DISTRIBUTED_CONFIG", "json", "settings of the distributed driver"),
        ("SM_DISTRIBUTED_DRIVER_DIR", "path", "folder of the distributed drivers"),
        ("SM_ENTRY_SCRIPT", "str", "the script's file name"),
        ("SM_HOST_COUNT", "int", "number of hosts"),
        ("SM_INPUT_DATA_DIR", "path", "folder of all channels"),
        ("SM_MASTER_ADDR", "str", "algo-1"),
        ("SM_MASTER_PORT", "int", "7777"),
        ("SM_OUTPUT_FAILURE", "path", "file for the reason of a failure"),
        ("SM_SOURCE_DIR", "path", "folder of the script"),
    ),
}


def _table(groups: dict[str, tuple[tuple[str, Format, str], ...]]) -> tuple[Variable, ...]:
    return tuple(Variable(*row, source) for source, rows in groups.items() for row in rows)


VARIABLES = _table(_TOOLKIT)  # of the toolkit container, with and without torchrun
MODELTRAINER_ONLY = _table(_MODELTRAINER)  # further names under ModelTrainer (SDK 3)

_BY_NAME = {variable.name: variable for variable in VARIABLES + MODELTRAINER_ONLY}
KNOWN_NAMES = frozenset(name for name in _BY_NAME if not name.endswith("<X>"))
FAMILIES = ("SM_CHANNEL_", "SM_HP_")

PATHS = {
    "/opt/ml/input": "SM_INPUT_DIR",
    "/opt/ml/input/config": "SM_INPUT_CONFIG_DIR",
    "/opt/ml/model": "SM_MODEL_DIR",
    "/opt/ml/output": "SM_OUTPUT_DIR",
    "/opt/ml/output/data": "SM_OUTPUT_DATA_DIR",
    "/opt/ml/output/intermediate": "SM_OUTPUT_INTERMEDIATE_DIR",
}  # /opt/ml/checkpoints and /opt/ml/code have no variable
_CHANNEL = re.compile(r"/opt/ml/input/data/(\w+)(?:/|$)", re.ASCII)  # my-data has no variable behind dash

_OFTEN_BARE = ("MODEL_DIR", "OUTPUT_DATA_DIR")  # read without SM_; other bare names are a script's own
_NEAR = 0.85  # SM_MODELDIR is 0.96 from SM_MODEL_DIR, SM_TRAINING_DIR 0.80 from SM_TRAINING_ENV


def lookup(name: str) -> Variable | None:
    """The variable of that name in any container; for SM_CHANNEL_TRAINING, its family."""
    for family in FAMILIES:
        rest = name.removeprefix(family)
        if rest not in ("", name):
            return _BY_NAME[f"{family}<X>"] if rest == rest.upper() else None
    return _BY_NAME.get(name)


def is_known(name: str) -> bool:
    """Whether some container sets that name (of SM_CHANNEL_ and SM_HP_: whether it could)."""
    return lookup(name) is not None


def nearest(name: str) -> str | None:
    """The one known name that an unknown one most likely means; None where none is near, or two are.

    >>> nearest("SM_CHANEL_TRAINING"), nearest("MODEL_DIR"), nearest("SM_TRAINING_DIR")
    ('SM_CHANNEL_TRAINING', 'SM_MODEL_DIR', None)
    """
    upper = name.upper()
    if upper in _OFTEN_BARE:
        upper = f"SM_{upper}"
    if is_known(upper):
        return upper
    if not upper.startswith("SM_"):
        return None
    (first, best), (second, _) = sorted(
        ((_alike(known, upper), known) for known in KNOWN_NAMES), reverse=True
    )[:2]
    if first >= _NEAR:
        return best if first > second else None
    head = re.match(r"SM_[A-Z]+_(?=.)", upper)
    return f"SM_CHANNEL_{upper[head.end() :]}" if head and _alike("SM_CHANNEL_", head[0]) >= _NEAR else None


def _alike(one: str, other: str) -> float:
    from difflib import SequenceMatcher  # 7 ms, which only a misspelt name pays

    return SequenceMatcher(None, one, other).ratio()


def variable_for(path: str) -> tuple[str, str] | None:
    """The variable that holds a literal /opt/ml path, and what follows below it.

    >>> variable_for("/opt/ml/input/data/training/a.csv"), variable_for("/opt/ml/checkpoints")
    (('SM_CHANNEL_TRAINING', 'a.csv'), None)
    """
    channel = _CHANNEL.match(path)
    if channel:
        return f"SM_CHANNEL_{channel[1].upper()}", path[channel.end() :]
    for folder in sorted(PATHS, key=len, reverse=True):
        if path == folder or path.startswith(f"{folder}/"):
            return PATHS[folder], path[len(folder) + 1 :]
    return None
