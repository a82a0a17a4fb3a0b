"""Where a script reads its data from files: the calls, and the path that each is given."""

from __future__ import annotations

import ast
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.lint.module import Module

_DATASETS = ("torchvision.datasets.", "torchaudio.datasets.")
_FILE_READERS = ("pandas.read_", "polars.read_", "polars.scan_")
_FILES = (
    "numpy.load", "numpy.loadtxt", "numpy.genfromtxt", "numpy.fromfile", "numpy.memmap", "h5py.File",
    "pyarrow.parquet.read_table", "datasets.load_from_disk",
)  # fmt: skip
_NOT_FILES = ("clipboard", "sql", "gbq", "html", "database")
_SYNTHETIC = {"FakeData"}
_PATH_KEYWORDS = ("root", "path", "io", "source", "file", "fname", "filepath_or_buffer", "where")
_DATA_SUFFIXES = {".csv", ".tsv", ".jsonl", ".npy", ".npz", ".parquet", ".h5", ".hdf5", ".arrow"}


class DataRead(NamedTuple):
    """One call that reads data. `is_file`: its path is a file's, else a folder's.

    `downloads`: the call may fetch what is missing.
    """

    call: ast.Call
    path: ast.expr
    is_file: bool
    downloads: bool = False


def data_reads(module: Module) -> tuple[DataRead, ...]:
    """Every read of data, in document order; not of files that the script itself writes."""
    found = list(_find(module))
    written = _written(module) if found else set()
    kept = [read for read in found if not read.is_file or module.paths.name(read.path) not in written]
    return tuple(sorted(kept, key=lambda read: (read.call.lineno, read.call.col_offset)))


def _find(module: Module) -> Iterator[DataRead]:
    for call in module.tree.all(ast.Call):
        name = module.name(call.func)
        last = name.rpartition(".")[2]
        if name.startswith(_DATASETS):
            if last[:1].isupper() and last not in _SYNTHETIC:
                yield from _read(call, is_file=False)
        elif name.startswith(_FILE_READERS):
            if not last.endswith(_NOT_FILES):
                yield from _read(call, is_file=True)
        elif name in _FILES and not _writes(call):
            yield from _read(call, is_file=name != "datasets.load_from_disk")
        elif name in ("open", "io.open") and _opens_data(module, call):
            yield from _read(call, is_file=True)


def _written(module: Module) -> set[str]:
    """The names of the files that the script writes."""
    paths = [
        call.args[0]
        for call in module.tree.all(ast.Call)
        if call.args
        and (_writes(call) or (isinstance(call.func, ast.Attribute) and call.func.attr.startswith("to_")))
    ]
    return {name for path in paths if (name := module.paths.name(path))}


def _read(call: ast.Call, *, is_file: bool) -> Iterator[DataRead]:
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    path = call.args[0] if call.args else next((named[key] for key in _PATH_KEYWORDS if key in named), None)
    if path is not None and not isinstance(path, ast.Starred):
        download = named.get("download")
        off = download is None or (isinstance(download, ast.Constant) and not download.value)
        yield DataRead(call, path, is_file, downloads=not off)


def _opens_data(module: Module, call: ast.Call) -> bool:
    """Whether a file is opened for reading whose name says that it holds data."""
    if not call.args or _writes(call):
        return False
    return PurePosixPath(module.paths.name(call.args[0])).suffix in _DATA_SUFFIXES


def _writes(call: ast.Call) -> bool:
    """Whether a file is opened for writing."""
    modes = [*call.args[1:2], *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
    return any(isinstance(mode, ast.Constant) and str(mode.value)[:1] in "wax" for mode in modes)
