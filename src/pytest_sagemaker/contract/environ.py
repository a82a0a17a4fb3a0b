"""The environment of a script in the toolkit container, value by value.

Formats are those of sagemaker-training 5.1.1 (`Environment.to_env_vars`, `mapping.to_env_vars`): text as it
is, None empty, everything else compact JSON with sorted keys. The shell that starts the script is taken to be
dash, which drops a variable whose name is no identifier: SM_HP_BATCH-SIZE. (bash as /bin/sh keeps it.)
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pytest_sagemaker.contract.hyperparameters import arguments, decode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BASE_DIR = "/opt/ml"
MASTER_PORT = "7777"
IMAGE = {
    "DLC_CONTAINER_TYPE": "training",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONIOENCODING": "UTF-8",
    "PYTHONUNBUFFERED": "1",
}  # ENV of AWS's PyTorch training images

_MODULE = "sagemaker_pytorch_container.training:main"
_GROUP = "homogeneousCluster"
_INTERFACE = "eth0"
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class TrainingJob:
    """What one training job is given, as the container tells it on each host.

    `script` is a file name; `hosts` are names sorted as strings; `hyperparameters` typed values as the SDK is
    given them; `channels` their names; `cpus` and `gpus` those of one host.
    """

    script: str
    hosts: Sequence[str]
    hyperparameters: Mapping[str, object] = field(default_factory=dict)
    channels: Sequence[str] = ()
    launcher: Literal["script", "torchrun"] = "script"
    cpus: int = 1
    gpus: int = 0
    torch_version: str = ""
    instance_type: str = "ml.c5.xlarge"
    name: str = "job-1"
    region: str = "us-east-1"

    @property
    def sent(self) -> dict[str, object]:
        """The hyperparameters with those that the SDK adds for the toolkit and its launcher."""
        launcher: dict[str, object] = {
            "sagemaker_instance_type": self.instance_type,
            "sagemaker_torch_distributed_enabled": True,
        }
        return {
            **self.hyperparameters,
            "sagemaker_container_log_level": 20,
            "sagemaker_job_name": self.name,
            "sagemaker_program": self.script,
            "sagemaker_region": self.region,
            **(launcher if self.launcher == "torchrun" else {}),
        }

    @property
    def input_data_config(self) -> dict[str, dict[str, str]]:
        """The content of inputdataconfig.json: each channel whole on each host, as files."""
        settings = {
            "RecordWrapperType": "None",
            "S3DistributionType": "FullyReplicated",
            "TrainingInputMode": "File",
        }
        return {channel: dict(settings) for channel in sorted(self.channels)}

    def resource_config(self, host: str) -> dict[str, Any]:
        """The content of resourceconfig.json on one host."""
        hosts = list(self.hosts)
        group = {"hosts": hosts, "instance_group_name": _GROUP, "instance_type": self.instance_type}
        return {
            "current_group_name": _GROUP,
            "current_host": host,
            "current_instance_type": self.instance_type,
            "hosts": hosts,
            "instance_groups": [group],
            "network_interface_name": _INTERFACE,
        }


def environment(job: TrainingJob, host: str, base_dir: str = BASE_DIR) -> dict[str, str]:
    """What the script sees on one host, before a launcher adds what tells its ranks apart.

    PATH, HOME and PYTHONPATH are the machine's and not here.

    Raises:
        HyperparameterError: a hyperparameter has no JSON form.
    """
    hosts = list(job.hosts)
    resources = job.resource_config(host)
    own, framework = decode(job.sent)
    launched = bool(framework.get("sagemaker_torch_distributed_enabled"))
    channels = {channel: f"{base_dir}/input/data/{channel}" for channel in sorted(job.channels)}

    shared = {  # under the same names in SM_TRAINING_ENV
        "current_host": host,
        "current_instance_group": _GROUP,
        "current_instance_group_hosts": hosts,
        "current_instance_type": job.instance_type,
        "distribution_instance_groups": [_GROUP] if launched else [],
        "framework_module": _MODULE,
        "hosts": hosts,
        "input_config_dir": f"{base_dir}/input/config",
        "input_data_config": job.input_data_config,
        "input_dir": f"{base_dir}/input",
        "instance_groups": [_GROUP],
        "instance_groups_dict": {_GROUP: resources["instance_groups"][0]},
        "is_hetero": False,
        "log_level": 20,
        "model_dir": f"{base_dir}/model",
        "module_dir": f"{base_dir}/code",
        "module_name": job.script.removesuffix(".py"),
        "network_interface_name": _INTERFACE,
        "num_cpus": job.cpus,
        "num_gpus": job.gpus,
        "num_neurons": 0,
        "output_data_dir": f"{base_dir}/output/data",
        "output_dir": f"{base_dir}/output",
        "output_intermediate_dir": f"{base_dir}/output/intermediate",
        "resource_config": resources,
        "user_entry_point": job.script,
    }
    training_env = shared | {
        "additional_framework_parameters": framework,
        "channel_input_dirs": channels,
        "distribution_hosts": hosts if launched else [],
        "hyperparameters": own,
        "is_master": host == hosts[0],
        "is_modelparallel_enabled": None,
        "is_smddpmprun_installed": False,
        "is_smddprun_installed": False,
        "job_name": job.name,
        "master_hostname": hosts[0],
        "topology": [],
    }
    values = shared | {
        "channels": list(channels),
        "framework_params": framework,
        "hps": own,
        "training_env": training_env,
        "user_args": arguments(job.sent),
        **{f"channel_{channel}": folder for channel, folder in channels.items()},
        **{f"hp_{name}": value for name, value in own.items()},
    }
    variables = IMAGE | {
        "CURRENT_HOST": host,
        "MASTER_ADDR": hosts[0],
        "MASTER_PORT": MASTER_PORT,
        "NCCL_DEBUG": "WARN",
        "NCCL_IB_DISABLE": "1",
        "NCCL_SOCKET_IFNAME": _INTERFACE,
        "SAGEMAKER_JOB_NAME": job.name,
        "SAGEMAKER_REGION": job.region,
        "SAGEMAKER_TRAINING_MODULE": _MODULE,
        "SM_DLC_TORCH_VERSION": job.torch_version,
        "TRAINING_JOB_ARN": f"arn:aws:sagemaker:{job.region}:123456789012:training-job/{job.name}",
        "TRAINING_JOB_NAME": job.name,
        **{f"SM_{name.upper()}": _text(value) for name, value in values.items()},
        **({"NCCL_PROTO": "simple"} if launched else {}),
    }
    if base_dir != BASE_DIR:
        variables["SAGEMAKER_BASE_DIR"] = base_dir  # for a script that asks sagemaker_training itself
    return {name: text for name, text in variables.items() if _IDENTIFIER.fullmatch(name)}


def torchrun_environment(
    hosts: Sequence[str], processes: int, host_index: int, local_rank: int
) -> dict[str, str]:
    """What torchrun adds for one rank of hosts x processes (local_elastic_agent.py, `_start_workers`).

    Left out: TORCHELASTIC_USE_AGENT_STORE, as without an agent rank 0 must open the store itself, and
    TORCHELASTIC_ERROR_FILE, which is the agent's. One host meets at localhost, on any free port.
    """
    rank = str(host_index * processes + local_rank)
    world_size = str(len(hosts) * processes)
    return {
        "GROUP_RANK": str(host_index),
        "GROUP_WORLD_SIZE": str(len(hosts)),
        "LOCAL_RANK": str(local_rank),
        "LOCAL_WORLD_SIZE": str(processes),
        "MASTER_ADDR": hosts[0] if len(hosts) > 1 else "localhost",
        "MASTER_PORT": MASTER_PORT,
        "RANK": rank,
        "ROLE_NAME": "default",
        "ROLE_RANK": rank,
        "ROLE_WORLD_SIZE": world_size,
        "TORCHELASTIC_MAX_RESTARTS": "0",
        "TORCHELASTIC_RESTART_COUNT": "0",
        "TORCHELASTIC_RUN_ID": "none",
        "TORCHELASTIC_SIGNALS_TO_HANDLE": "SIGTERM,SIGINT,SIGHUP,SIGQUIT",
        "TORCH_NCCL_ASYNC_ERROR_HANDLING": "1",
        "WORLD_SIZE": world_size,
        **({"OMP_NUM_THREADS": "1"} if processes > 1 else {}),
    }


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))
