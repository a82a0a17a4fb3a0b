"""Reads of data."""

from __future__ import annotations

import pytest
from rules_harness import module_of

from pytest_sagemaker.lint.facts.data_reads import data_reads

HEAD = """\
import h5py
import numpy as np
import pandas as pd
from torchvision import datasets
"""

READS = {
    "table": ('pd.read_csv("a.csv")', '"a.csv"', True, False),
    "by keyword": ('pd.read_excel(io="a.xlsx")', '"a.xlsx"', True, False),
    "array": ('np.load("x.npy")', '"x.npy"', True, False),
    "HDF5": ('h5py.File("x.h5", "r")', '"x.h5"', True, False),
    "opened": ('open("a/b.csv")', '"a/b.csv"', True, False),
    "folder": ('datasets.ImageFolder("images")', '"images"', False, False),
    "download": ('datasets.MNIST(root="data", download=True)', '"data"', False, True),
    "download, perhaps": ('datasets.MNIST("data", download=first)', '"data"', False, True),
    "no download": ('datasets.MNIST("data", download=False)', '"data"', False, False),
}


@pytest.mark.parametrize(("text", "path", "is_file", "downloads"), READS.values(), ids=READS)
def test_a_read_is_found_with_its_path(text: str, path: str, is_file: bool, downloads: bool) -> None:
    module = module_of(HEAD + text)
    (read,) = data_reads(module)
    assert (module.text(read.path), read.is_file, read.downloads) == (path, is_file, downloads)


@pytest.mark.parametrize(
    "text",
    [
        "datasets.FakeData(3)",
        "pd.read_sql(query, connection)",
        'h5py.File("x.h5", "w")',
        'open("config.json")',
        'open("out.csv", "w")',
        "datasets.utils.download_url(x)",
        "pd.read_csv(*paths)",
        'frame.to_csv("a.csv")\npd.read_csv("a.csv")',
        'with open("a.csv", mode="a") as file:\n    pass\npd.read_csv("a.csv")',
    ],
)
def test_what_is_no_read_of_data(text: str) -> None:
    assert data_reads(module_of(HEAD + text)) == ()
