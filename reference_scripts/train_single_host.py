"""Train a small network on a table, on one host: its CPU or one GPU.

    python train_single_host.py --data-dir DIR --model-dir DIR     outside of SageMaker

The channel `training` holds train.csv and test.csv: a header, numbers, and the class in the column `label`.
"""

from __future__ import annotations

import argparse
import csv
import logging
import os
import sys
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

logger = logging.getLogger(__name__)


class Net(nn.Module):
    """Rows of `features` numbers in, a score for each of `classes` out."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        # Buffers are saved with the weights, so that an endpoint scales its rows as the training did.
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("deviation", torch.ones(features))
        self.hidden = nn.Linear(features, 32)
        self.output = nn.Linear(32, classes)

    def forward(self, rows: Tensor) -> Tensor:
        """Scores of shape (batch, classes) for rows of shape (batch, features)."""
        scaled = (rows - self.mean) / self.deviation
        scores: Tensor = self.output(functional.relu(self.hidden(scaled)))
        return scores


def read_table(path: Path) -> TensorDataset:
    """Rows of shape (n, features), float32, and labels of shape (n,)."""
    with path.open(newline="") as file:
        table = list(csv.DictReader(file))
    labels = torch.tensor([int(row.pop("label")) for row in table])
    rows = torch.tensor([[float(value) for value in row.values()] for row in table])
    return TensorDataset(rows, labels)


def train(args: argparse.Namespace) -> None:
    """Train, evaluate after every epoch, save the model."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    data_dir = Path(args.data_dir)
    train_set = read_table(data_dir / "train.csv")
    train_loader = DataLoader(train_set, batch_size=args.batch_size, shuffle=True)
    test_loader = DataLoader(read_table(data_dir / "test.csv"), batch_size=args.batch_size)

    rows, labels = train_set.tensors
    model = Net(features=rows.shape[1], classes=int(labels.max()) + 1)
    model.mean.copy_(rows.mean(dim=0))
    model.deviation.copy_(rows.std(dim=0, correction=0).clamp(min=1e-6))  # not 0 where a column is constant
    model.to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=args.momentum)

    for epoch in range(1, args.epochs + 1):
        model.train()
        for batch, truth in train_loader:
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(batch.to(device)), truth.to(device))
            loss.backward()
            optimizer.step()
        logger.info("epoch=%d test_accuracy=%.4f", epoch, evaluate(model, test_loader, device))

    # SageMaker uploads what is in the model dir, nothing else. From the CPU, any endpoint can load it.
    model_dir = Path(args.model_dir)
    model_dir.mkdir(parents=True, exist_ok=True)
    weights = {name: value.cpu() for name, value in model.state_dict().items()}
    torch.save(weights, model_dir / "model.pth")


def evaluate(model: nn.Module, loader: DataLoader[tuple[Tensor, ...]], device: torch.device) -> float:
    """The share of rows whose highest score is that of their label."""
    model.eval()
    right = count = 0
    with torch.no_grad():
        for batch, truth in loader:
            answers = model(batch.to(device)).argmax(dim=1)
            right += int((answers == truth.to(device)).sum())
            count += len(truth)
    return right / count


def model_fn(model_dir: str) -> nn.Module:
    """Load the model for an endpoint, which imports this file: without arguments or training variables."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    weights = torch.load(Path(model_dir) / "model.pth", map_location=device, weights_only=True)
    classes, features = len(weights["output.weight"]), weights["hidden.weight"].shape[1]  # as it was trained
    model = Net(features, classes)
    model.load_state_dict(weights)
    return model.to(device).eval()


def main() -> None:
    """Read the hyperparameters and the container's variables; the defaults are for a run outside of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--momentum", type=float, default=0.9)
    parser.add_argument("--data-dir", default=os.environ.get("SM_CHANNEL_TRAINING", "data"))
    parser.add_argument("--model-dir", default=os.environ.get("SM_MODEL_DIR", "model"))
    parser.add_argument("--current-host", default=os.environ.get("SM_CURRENT_HOST", "algo-1"))
    args = parser.parse_args()  # not parse_known_args: a misspelled hyperparameter ends the job

    # The log is what goes to stdout; without a handler and a level, INFO goes nowhere.
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    if args.current_host != "algo-1":  # instance_count is not 1: two hosts would train, and save, the same
        logger.warning("this script needs one host, algo-1: %s is paid for and idle", args.current_host)
        return
    train(args)


if __name__ == "__main__":  # not when an endpoint imports this file
    main()
