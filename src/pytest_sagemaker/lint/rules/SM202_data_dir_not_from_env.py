"""The script reads its training data from a folder of its own, and nothing in it takes an SM_CHANNEL_
variable.

`FileNotFoundError: [Errno 2] No such file or directory: 'data/train.csv'`, or each host downloads the
data again.

Why it fails:
SageMaker puts the data of a channel into /opt/ml/input/data/<channel>, and says so in
SM_CHANNEL_<CHANNEL>. The script's own folder holds the source only.

Use instead:
`parser.add_argument("--data-dir", default=os.environ.get("SM_CHANNEL_TRAINING", "data"))`.

False alarms:
Data that is shipped beside the script, made up, fetched by the script itself, or read from a hub or an
address; a path that cannot be followed, or that comes from an argument without a default. A data set with
`download=True` is a warning: it works where the job has a network. So is an argument with a default,
which the launch can send.

Source:
https://docs.aws.amazon.com/sagemaker/latest/dg/model-train-storage.html
https://github.com/aws/sagemaker-training-toolkit/blob/master/ENVIRONMENT_VARIABLES.md
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_sagemaker.contract import nearest
from pytest_sagemaker.finding import Fix
from pytest_sagemaker.lint.container_paths import can_be_sent, take_variable
from pytest_sagemaker.lint.facts.data_reads import DataRead, data_reads
from pytest_sagemaker.lint.facts.saving import in_sight

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.finding import Fault, Severity
    from pytest_sagemaker.lint.facts.leaves import Leaf
    from pytest_sagemaker.lint.module import Module

SEVERITY = "E"

BAD = {
    "table": """\
import pandas as pd

def train(loss):
    data = pd.read_csv("data/train.csv")  # SM202
    test = pd.read_csv("data/test.csv")
    loss.backward()

if __name__ == "__main__":
    train(None)
""",
    "two-folders": """\
from torchvision.datasets import ImageFolder

train_set = ImageFolder("train")  # SM202
test_set = ImageFolder(root="test")
train_set[0].backward()
""",
    "default-of-an-argument": """\
import argparse
import os
from torchvision import datasets

parser = argparse.ArgumentParser()
parser.add_argument("--data", default="data", help="where the images are")
args = parser.parse_args()
train_set = datasets.ImageFolder(os.path.join(args.data, "train"))  # SM202
train_set[0].backward()
""",
    "own-data-set": """\
import numpy as np
from torch.utils.data import Dataset

class Samples(Dataset):
    def __init__(self, root):
        self.x = np.load(f"{root}/x.npy")  # SM202

if __name__ == "__main__":
    Samples("samples").x.backward()
""",
    "downloaded": """\
from torchvision.datasets import MNIST

train_set = MNIST("data", train=True, download=True)  # SM202
train_set[0].backward()
""",
}

GOOD = {
    "channel": """\
import argparse
import os
import pandas as pd

parser = argparse.ArgumentParser()
parser.add_argument("--data", default=os.environ.get("SM_CHANNEL_TRAINING", "data"))
args = parser.parse_args()
names = pd.read_csv("names.csv")
pd.read_csv(os.path.join(args.data, "train.csv")).loss.backward()
""",
    "any-channel": """\
import os
import pandas as pd

for name in ("train", "test"):
    folder = os.environ[f"SM_CHANNEL_{name.upper()}"]
    pd.read_csv("names.csv").loss.backward()
""",
    "beside-the-script": """\
import os
import pandas as pd

here = os.path.dirname(os.path.abspath(__file__))
pd.read_csv(os.path.join(here, "train.csv")).loss.backward()
""",
    "shipped": {
        "train.py": """\
import pandas as pd

pd.read_csv("labels/names.csv").loss.backward()
""",
        "labels/names.csv": "0,cat",
    },
    "sent-by-the-launch-beside-it": {
        "train.py": """\
import argparse
import pandas as pd

parser = argparse.ArgumentParser()
parser.add_argument("--data", default="train.csv")
pd.read_csv(parser.parse_args().data).loss.backward()
""",
        "launch.py": """\
step = PyTorch("train.py", hyperparameters={"data": "/opt/ml/input/data/training/train.csv"})
""",
    },
    "imported-beside-it": {
        "training.py": """\
import pandas as pd

if __name__ == "__main__":
    pd.read_csv("train.csv").loss.backward()
""",
        "main.py": """\
import training
""",
    },
    "written-before": """\
import pandas as pd

pd.DataFrame([1]).to_csv("out/losses.csv")
with open("epochs.csv", "w") as file:
    file.write("1")
pd.read_csv("out/losses.csv").join(pd.read_csv("epochs.csv")).backward()
""",
    "made-up": """\
import torch
from torchvision.datasets import FakeData

data = FakeData(size=10)
torch.randn(3).backward()
""",
    "hub-and-addresses": """\
import pandas as pd
from datasets import load_dataset

data = load_dataset("imdb")
pd.read_csv("https://example.org/train.csv").loss.backward()
""",
    "sent-by-the-launch": """\
import argparse
import pandas as pd

parser = argparse.ArgumentParser()
parser.add_argument("--data", required=True)
pd.read_csv(parser.parse_args().data).loss.backward()
""",
    "fetched-before": """\
import boto3
import pandas as pd

boto3.client("s3").download_file("bucket", "train.csv", "train.csv")
pd.read_csv("train.csv").loss.backward()
""",
    "library": """\
import pandas as pd

def step(loss):
    names = pd.read_csv("names.csv")
    loss.backward()
""",
}

_AWARE = (
    "SM_CHANNEL", "SM_INPUT", "SM_TRAINING_ENV", "channel_input_dirs", "/opt/ml/input", "s3://", "boto3",
    "s3fs", "fsspec", "urlretrieve", "wget", "gdown", "aws s3", "snapshot_download", "hf_hub_download",
    "kagglehub",
)  # fmt: skip
"""The script knows the container's channels, or fetches its data by itself."""

_ADDRESS = re.compile(r"\w+://")


def check(module: Module) -> Iterator[Fault]:
    if any(word in module.source.text for word in _AWARE) or not module.script.looks_like_one:
        return
    if any((nearest(read.name) or "").startswith("SM_CHANNEL") for read in module.env_reads):
        return
    reads = [(read, module.paths.roots(read.path)) for read in data_reads(module)]
    if not all(in_sight(root) for _, roots in reads for root in roots):
        return
    own = [read for read, roots in reads if not all(_is_elsewhere(module, root) for root in roots)]
    if not own or module.script.is_imported or module.script.is_launched_with("/opt/ml/input"):
        return
    comes_to, severity = _outcome(module, own)
    fault = module.fault(
        own[0].call,
        f"data is read from a folder of the script's own, not from a channel (SM_CHANNEL_...): {comes_to}",
        help='read below os.environ["SM_CHANNEL_TRAINING"], by way of an argument --data-dir',
        fix=_fix(module, own),
        severity=severity,
    )
    yield fault._replace(evidence=tuple(f"line {read.call.lineno}: read here too" for read in own[1:]))


def _outcome(module: Module, reads: list[DataRead]) -> tuple[str, Severity | None]:
    """What happens in the job."""
    if any(read.downloads for read in reads):
        return "each host downloads it again, and needs a network", "W"
    if can_be_sent(module, [root for read in reads for root in module.paths.roots(read.path)]):
        return "it is not there, unless the launch sends the folder", "W"
    return "it is not there", None


def _is_elsewhere(module: Module, root: tuple[Leaf, ...]) -> bool:
    """Whether a path begins with the script's own place or an address, or is a file shipped with it."""
    return any(
        leaf.kind == "file"
        or leaf.text.startswith("SM_")
        or (leaf.kind == "constant" and (_ADDRESS.match(leaf.text) or _is_shipped(module, leaf.text)))
        for leaf in root
    )


def _is_shipped(module: Module, path: str) -> bool:
    beside = Path(module.source.path).parent / path
    return os.path.isfile(beside)  # noqa: PTH113 -- is_file() raises where a name is too long


def _fix(module: Module, reads: list[DataRead]) -> Fix | None:
    edits = take_variable(module, [(read.path, read.is_file) for read in reads], "SM_CHANNEL_TRAINING")
    return Fix("read the training channel", edits, safe=False) if edits else None
