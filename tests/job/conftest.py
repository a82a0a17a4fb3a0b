"""Scripts for jobs with real ranks, and one engine for all of them."""

from __future__ import annotations

from textwrap import dedent, indent
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from pytest_sagemaker.job.run import Session
from pytest_sagemaker.job.spec import JobSpec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_sagemaker.job.record import JobRecord

PREAMBLE = """\
import json, logging, os, signal, socket, subprocess, sys, threading, time
import torch, torch.distributed as dist
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import ConcatDataset, DataLoader, Dataset, IterableDataset, Subset, TensorDataset
from torch.utils.data.distributed import DistributedSampler

hosts = json.loads(os.environ.get("SM_HOSTS", '["none"]'))
rank = hosts.index(os.environ.get("SM_CURRENT_HOST", "none"))


def form(backend="gloo", **options):
    dist.init_process_group(backend, rank=rank, world_size=len(hosts), **options)


class Data(Dataset):
    def __init__(self, size):
        self.x, self.y = torch.arange(size * 4.0).view(size, 4) / size, torch.arange(size) % 3

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        return self.x[index], self.y[index]


def step(model, optimizer, x, y):
    optimizer.zero_grad()
    cross_entropy(model(x), y).backward()
    optimizer.step()


def build(learning_rate=0.1):
    model = nn.Linear(4, 3)
    return model, torch.optim.SGD(model.parameters(), lr=learning_rate)


def save(model, name="model.pth"):
    torch.save(model.state_dict(), os.path.join(os.environ["SM_MODEL_DIR"], name))


def load(folder, name="model.pth"):
    model = nn.Linear(4, 3)
    model.load_state_dict(torch.load(os.path.join(folder, name), weights_only=True))
    return model
"""


class Run(Protocol):
    """Runs a script: PREAMBLE, then `top` at module level, then `main` under the guard."""

    def __call__(self, main: str, top: str = "", **spec: Any) -> JobRecord: ...


@pytest.fixture(scope="session")
def session() -> Iterator[Session]:
    with Session() as session:
        yield session


@pytest.fixture
def run(session: Session, tmp_path: Path) -> Run:
    def run(main: str, top: str = "", **spec: Any) -> JobRecord:
        script = tmp_path / "train.py"
        guarded = indent(dedent(main).strip(), "    ")
        script.write_text(f'{PREAMBLE}\n{dedent(top)}\nif __name__ == "__main__":\n{guarded}\n')
        return session.run(JobSpec(script, **{"hosts": 2, "timeout": 30.0, **spec}))

    return run
