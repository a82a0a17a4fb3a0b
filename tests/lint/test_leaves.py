"""What paths are made of."""

from __future__ import annotations

import pytest
from rules_harness import module_of

PARSER = """\
import argparse, os
from pathlib import Path
parser = argparse.ArgumentParser()
if "SM_MODEL_DIR" in os.environ:
    parser.add_argument("--model-dir", default=os.environ["SM_MODEL_DIR"])
else:
    parser.add_argument("--model-dir", default="here")
args = parser.parse_args()
"""


def leaves(text: str) -> set[tuple[str, str]]:
    """The leaves of what `show(...)` is given, as kind and text."""
    module = module_of(text)
    (call,) = module.method_calls("show")
    return {(leaf.kind, leaf.text) for leaf in module.made_of(call.args[0])}


@pytest.mark.parametrize(
    "opened", ['open("a.txt", "wb")', 'io.open("a.txt", mode)', 'Path("a.txt").open("wb")'], ids=str
)
def test_an_opened_file_is_made_of_its_path_only(opened: str) -> None:
    assert leaves(f"import io\nfrom pathlib import Path\nx.show({opened})\n") == {("constant", "a.txt")}


def test_an_argument_declared_twice_has_both_defaults() -> None:
    found = leaves(f"{PARSER}x.show(args.model_dir)\n")
    assert found == {("argument", "model_dir"), ("env", "SM_MODEL_DIR"), ("constant", "here")}
