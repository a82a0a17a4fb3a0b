"""Small data in the formats that training scripts read: every sample unique, the same samples everywhere.

    from pytest_sagemaker import tiny

    job = sagemaker_job("train.py", channels={"training": tiny.mnist()})
    folder = tiny.csv(samples=100, columns=4).write(tmp_path)

Each function describes a folder (a `Tiny`) and writes nothing. `for_reads` chooses by what a script reads.
"""

from pytest_sagemaker.tiny.folder import image_folder
from pytest_sagemaker.tiny.idx import mnist
from pytest_sagemaker.tiny.npy_file import npy
from pytest_sagemaker.tiny.reads import for_reads
from pytest_sagemaker.tiny.sample import Tiny
from pytest_sagemaker.tiny.table import csv
from pytest_sagemaker.tiny.tensor_file import pt

__all__ = ["Tiny", "csv", "for_reads", "image_folder", "mnist", "npy", "pt"]
