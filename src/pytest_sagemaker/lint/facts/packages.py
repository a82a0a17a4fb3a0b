"""Which imports are known to do nothing by themselves, and which are strangers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_sagemaker.lint.facts.tree import Tree

KNOWN = frozenset(
    {
        "albumentations", "boto3", "botocore", "cv2", "datasets", "einops", "evaluate", "fsspec", "h5py",
        "joblib", "matplotlib", "nltk", "numpy", "packaging", "pandas", "peft", "PIL", "psutil", "pyarrow",
        "pydantic", "requests", "s3fs", "safetensors", "sagemaker_containers", "sagemaker_inference",
        "sagemaker_training", "scipy", "seaborn", "sentencepiece", "skimage", "sklearn", "smart_open",
        "tensorboardX", "timm", "tokenizers", "torch", "torchaudio", "torchdata", "torchmetrics", "torchtext",
        "torchvision", "tqdm", "transformers", "yaml",
    }
)  # fmt: skip
"""Packages that neither set up the root logger nor make a process group when they are imported."""


def strangers(tree: Tree) -> frozenset[str]:
    """Full names imported from elsewhere: files beside the script, packages that we do not know.

    What they do to logging, models or process groups cannot be told from here.
    """
    return frozenset(full for full in tree.imports.values() if _is_strange(full))


def _is_strange(full: str) -> bool:
    head = full.partition(".")[0]
    return head not in KNOWN and head not in sys.stdlib_module_names
