"""Train a small network on MNIST with DistributedDataParallel, on any number of hosts and processes.

    python train_ddp.py --data-dir DIR --model-dir DIR        one process, anywhere
    torchrun --nproc-per-node 2 train_ddp.py --data-dir ...   two processes on one machine

SageMaker starts it in the same two ways: plainly, one process a host, or with the torch_distributed launcher
(Torchrun in ModelTrainer), one process a GPU. The channel `training` holds the four idx files of MNIST.
"""

from __future__ import annotations

import argparse
import gzip
import json
import logging
import os
import struct
import sys
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, Subset, TensorDataset

logger = logging.getLogger(__name__)


class Net(nn.Module):
    """A small convolutional network: grey images of 28 x 28 pixels (0 to 255) in, a score a digit out."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 10, kernel_size=5),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Conv2d(10, 20, kernel_size=5),
            nn.MaxPool2d(2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(),
            nn.Linear(320, 10),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Scores of shape (batch, 10) for images of shape (batch, 1, 28, 28)."""
        scores: Tensor = self.layers(images.float() / 255)  # scaled here, so that an endpoint scales alike
        return scores


def read_idx(data_dir: str, name: str) -> Tensor:
    """Read an idx file of bytes, raw or gzipped, from the channel or a folder in it, as MNIST/raw.

    Raises:
        FileNotFoundError: there is no such file.
    """
    path = next(Path(data_dir).rglob(f"{name}*"), None)
    if path is None:
        raise FileNotFoundError(f"neither {name} nor {name}.gz below {data_dir}")
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    dimensions = content[3]
    shape = struct.unpack_from(f">{dimensions}I", content, offset=4)
    values = torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=4 + 4 * dimensions)
    return values.reshape(shape)


def read_split(data_dir: str, split: str) -> TensorDataset:
    """Images of shape (n, 1, 28, 28) and labels of shape (n,) of the split `train` or `t10k`."""
    images = read_idx(data_dir, f"{split}-images-idx3-ubyte").unsqueeze(1)
    labels = read_idx(data_dir, f"{split}-labels-idx1-ubyte").long()
    return TensorDataset(images, labels)


def train(args: argparse.Namespace) -> None:
    """Train, evaluate after every epoch, save the model: what each of the processes does."""
    if "RANK" in os.environ:  # torchrun started this process, and says which one it is
        rank, world_size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        local_rank = int(os.environ["LOCAL_RANK"])
    else:  # SageMaker started one process on each host, and sets none of these variables
        rank, world_size = args.hosts.index(args.current_host), len(args.hosts)
        local_rank = 0
    if world_size < len(args.hosts) * args.num_gpus:
        logger.warning("world_size=%d leaves GPUs idle: launch with torch_distributed", world_size)

    use_cuda = torch.cuda.is_available()
    device = torch.device("cuda", local_rank) if use_cuda else torch.device("cpu")
    if use_cuda:
        torch.cuda.set_device(device)  # else every process of a host has its NCCL buffers on GPU 0

    # Estimators set the address of rank 0, torchrun too. ModelTrainer without torchrun does not.
    os.environ.setdefault("MASTER_ADDR", args.hosts[0])
    os.environ.setdefault("MASTER_PORT", "7777")
    dist.init_process_group(
        args.backend,
        rank=rank,
        world_size=world_size,
        timeout=timedelta(minutes=10),  # how long a lost host keeps the others waiting: gloo's default is 30
    )
    logger.info("rank=%d world_size=%d backend=%s device=%s", rank, world_size, args.backend, device)

    # The sampler gives each rank its own part of the samples, padded so that all take as many steps.
    train_set = read_split(args.data_dir, "train")
    sampler: DistributedSampler[tuple[Tensor, ...]] = DistributedSampler(
        train_set, num_replicas=world_size, rank=rank, shuffle=True
    )
    train_loader = DataLoader(train_set, batch_size=args.batch_size, sampler=sampler)

    # Padding would count some test samples twice: every world_size-th sample instead, without a sampler.
    test_set = read_split(args.data_dir, "t10k")
    test_part = Subset(test_set, range(rank, len(test_set), world_size))
    test_loader = DataLoader(test_part, batch_size=args.batch_size)

    model = Net().to(device)
    ddp = DistributedDataParallel(model, device_ids=[local_rank] if use_cuda else None)  # no ids on CPU
    optimizer = torch.optim.SGD(ddp.parameters(), lr=args.lr, momentum=args.momentum)

    for epoch in range(1, args.epochs + 1):
        sampler.set_epoch(epoch)  # without it, every epoch has the same order
        model.train()
        for images, labels in train_loader:
            optimizer.zero_grad()
            loss = functional.cross_entropy(ddp(images.to(device)), labels.to(device))
            loss.backward()
            optimizer.step()
        test_loss, accuracy = evaluate(model, test_loader, device)
        if rank == 0:
            logger.info("epoch=%d test_loss=%.4f test_accuracy=%.4f", epoch, test_loss, accuracy)

    # The hosts' model dirs become one archive, where equal names overwrite each other: rank 0 alone saves.
    # It saves the bare model, for names without "module.", on the CPU, so that any endpoint can load it.
    if rank == 0:
        model_dir = Path(args.model_dir)
        model_dir.mkdir(parents=True, exist_ok=True)
        weights = {name: value.cpu() for name, value in model.state_dict().items()}
        torch.save(weights, model_dir / "model.pth")
    dist.barrier()  # all ranks come here: a collective that only some of them call never returns
    dist.destroy_process_group()


def evaluate(
    model: nn.Module, loader: DataLoader[tuple[Tensor, ...]], device: torch.device
) -> tuple[float, float]:
    """Mean loss and accuracy over the loaders of all ranks, the same on every rank.

    `model` is the bare one: ranks may have unequal numbers of batches here, which the wrapper does not allow.
    """
    model.eval()
    sums = torch.zeros(3, device=device)  # loss, right answers, samples
    with torch.no_grad():
        for images, labels in loader:
            scores, truth = model(images.to(device)), labels.to(device)
            sums[0] += functional.cross_entropy(scores, truth, reduction="sum")
            sums[1] += (scores.argmax(dim=1) == truth).sum()
            sums[2] += len(truth)
    dist.all_reduce(sums)
    loss, right, count = sums.tolist()
    return loss / count, right / count


def model_fn(model_dir: str) -> nn.Module:
    """Load the model for an endpoint, which imports this file: without arguments or training variables."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = Net()
    weights = torch.load(Path(model_dir) / "model.pth", map_location=device, weights_only=True)
    model.load_state_dict(weights)
    return model.to(device).eval()


def main() -> None:
    """Read the hyperparameters and the container's variables; the defaults are for a run outside of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=64, help="samples a step and process")
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--momentum", type=float, default=0.9)
    parser.add_argument("--backend", default="nccl" if torch.cuda.is_available() else "gloo")
    parser.add_argument("--data-dir", default=os.environ.get("SM_CHANNEL_TRAINING", "data"))
    parser.add_argument("--model-dir", default=os.environ.get("SM_MODEL_DIR", "model"))
    # What the container knows; never sent as hyperparameters. SM_HOSTS is a JSON list, equal on all hosts.
    parser.add_argument("--hosts", default=json.loads(os.environ.get("SM_HOSTS", '["localhost"]')))
    parser.add_argument("--current-host", default=os.environ.get("SM_CURRENT_HOST", "localhost"))
    parser.add_argument("--num-gpus", type=int, default=os.environ.get("SM_NUM_GPUS", "0"))
    args = parser.parse_args()  # not parse_known_args: a misspelled hyperparameter ends the job

    # The log is what goes to stdout; without a handler and a level, INFO goes nowhere.
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    train(args)


if __name__ == "__main__":  # not when an endpoint imports this file
    main()
