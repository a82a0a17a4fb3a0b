"""What fixes keep: the meaning of every command line and environment that worked, the look of the file."""

from __future__ import annotations

import ast
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rules_harness import faults

from pytest_sagemaker.catalogue import scan
from pytest_sagemaker.lint.fixes import apply
from pytest_sagemaker.lint.run import RULES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_sagemaker.finding import Fix

BY_CODE = {rule.code: rule for rule in scan(RULES)}


def fixes(code: str, text: str) -> list[Fix]:
    return [fault.fix for fault in faults(BY_CODE[code], text) if fault.fix is not None]


def mended(code: str, text: str) -> str:
    """The script after the safe fixes of one rule."""
    found = fixes(code, text)
    assert found
    assert all(fix.safe for fix in found)
    return apply(text, found)


def run(text: str, environ: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names of a script after it ran under an environment."""
    for name in [name for name in os.environ if name.startswith("SM_")]:
        monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    names: dict[str, Any] = {}
    exec(compile(text, "train.py", "exec"), names)
    return names


FLAG = """\
import argparse
def train(loss):
    loss.backward()
parser = argparse.ArgumentParser()
parser.add_argument("--flag", action="{action}"{more})
parser.add_argument("--lr", type=float, default=0.1)
"""


@given(
    action=st.sampled_from(["store_true", "store_false"]),
    more=st.sampled_from(["", ", default=None", ", default=True", ', dest="other"']),
    line=st.sampled_from([[], ["--flag"], ["--flag", "--lr", "1"], ["--lr", "1", "--flag"]]),
)
def test_a_flag_keeps_its_meaning_on_every_line_that_worked(action: str, more: str, line: list[str]) -> None:
    text = FLAG.format(action=action, more=more)
    before, after = (parser_of(script).parse_args(line) for script in (text, mended("SM206", text)))
    assert vars(before) == vars(after)


@pytest.mark.parametrize(
    ("action", "value", "expected"),
    [
        ("store_true", "True", True),
        ("store_true", "false", False),
        ("store_false", "true", False),
        ("store_false", "False", True),
    ],
)
def test_a_flag_reads_the_value_that_sagemaker_sends(action: str, value: str, expected: bool) -> None:
    parser = parser_of(mended("SM206", FLAG.format(action=action, more="")))
    assert parser.parse_args(["--flag", value]).flag is expected


def parser_of(text: str) -> Any:
    names: dict[str, Any] = {}
    exec(compile(text, "train.py", "exec"), names)
    return names["parser"]


@pytest.mark.parametrize("beside", ['parser.add_argument("data")', "parser.add_subparsers()"])
def test_a_flag_before_a_positional_is_not_changed_safely(beside: str) -> None:
    (fix,) = fixes("SM206", FLAG.format(action="store_true", more="") + beside)
    assert not fix.safe


@pytest.mark.parametrize(("default", "safe"), [('"[1]"', True), ('"abc"', False), ("[1]", True), ("3", True)])
def test_a_list_of_characters_is_not_changed_safely(default: str, safe: bool) -> None:
    text = f'import argparse\nargparse.ArgumentParser().add_argument("--x", type=list, default={default})\n'
    (fix,) = fixes("SM207", text)
    assert fix.safe is safe


LIST = 'import argparse, json, os\nargparse.ArgumentParser().add_argument("--x", type=list, '


def test_no_type_is_put_beside_nargs() -> None:
    assert fixes("SM207", f'{LIST}nargs="+")\n') == []


@pytest.mark.parametrize(
    ("default", "severity"),
    [('json.loads(os.environ["SM_HOSTS"])', "I"), ('os.environ["SM_MODEL_DIR"]', None), ("[]", None)],
)
def test_a_list_that_the_container_gives_is_advice(default: str, severity: str | None) -> None:
    text = f"{LIST}default={default})\n"
    (fault,) = faults(BY_CODE["SM207"], text)
    assert fault.severity == severity


SERVES = "def model_fn(model_dir):\n    return model_dir\n"


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ('os.environ["SM_MODEL_DIR"]', "/elsewhere"),
        ('json.loads(os.environ["SM_HOSTS"])', '["algo-1", "algo-2"]'),
        ('int(os.environ["SM_NUM_GPUS"])', "3"),
        ('os.path.join(os.environ["SM_CHANNEL_TEST"], "a")', "/data"),
    ],
)
def test_a_read_at_import_gives_the_same_where_it_worked_and_something_elsewhere(
    expression: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"import json, os\nx = {expression}\n{SERVES}"
    name = expression.split('["')[1].split('"')[0]
    after = mended("SM102", text)
    assert run(after, {name: value}, monkeypatch)["x"] == run(text, {name: value}, monkeypatch)["x"]
    assert run(after, {}, monkeypatch)["x"] is not None


@pytest.mark.parametrize(
    "expression",
    [
        'os.environ["SM_MINE"]',
        "int(f\"{os.environ['SM_NUM_GPUS']}\")",
        'os.path.join(os.environ["SM_USER_ENTRY_POINT"], "x")',
    ],
)
def test_a_read_at_import_without_a_sure_default_is_left(expression: str) -> None:
    assert fixes("SM102", f"import os\nx = {expression}\n{SERVES}") == []


def test_a_read_at_import_without_a_default_is_a_plain_get() -> None:
    after = mended("SM102", f'import os\nx = os.environ["SM_USER_ENTRY_POINT"]\n{SERVES}')
    assert 'x = os.environ.get("SM_USER_ENTRY_POINT")' in after


@pytest.mark.parametrize(
    "path", ["/opt/ml/model", "/opt/ml/model/", "/opt/ml/model/a/b.pt", "/opt/ml/input/data/x/"]
)
def test_a_folder_of_the_container_stays_the_same_path(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"x = '{path}'\ndef train(loss):\n    loss.backward()\n"
    after = mended("SM214", text)
    environ = {"SM_MODEL_DIR": "/opt/ml/model", "SM_CHANNEL_X": "/opt/ml/input/data/x"}
    assert run(after, {}, monkeypatch)["x"] == path
    assert run(after, environ, monkeypatch)["x"] == path


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ('n = os.environ["SM_NUM_GPUS"]\nprint(n > 1, f"{n}", int(n))\n', True),
        ('n = os.environ["SM_NUM_GPUS"]\nprint(n > 1, n + " GPUs")\n', False),
        ('h = os.environ["SM_HOSTS"]\nprint(len(h), json.loads(h))\n', False),
        ('n = os.environ["SM_NUM_GPUS"]\nprint(n > 1)\nos.environ["WORLD_SIZE"] = n\n', False),
    ],
)
def test_parsing_is_safe_where_nothing_else_needs_the_text(text: str, safe: bool) -> None:
    (fix,) = fixes("SM208", f"import json, os\n{text}")
    assert fix.safe is safe


def test_json_gets_no_default_of_ours() -> None:
    after = mended("SM208", 'import json, os\nlen(os.environ.get("SM_HPS"))\n')
    assert 'len(json.loads(os.environ.get("SM_HPS")))' in after


def test_a_json_default_that_is_no_text_is_left() -> None:
    assert fixes("SM208", 'import os\nlen(os.environ.get("SM_HOSTS", ["here"]))\n') == []


GUARD = """\
import torch\r
def model_fn(model_dir):\r
    return None\r
x = 1\r
torch.ones(1).backward()  # first\r
\r
text = '''\r
  kept\r
'''\r
# last"""


def test_a_guard_keeps_line_endings_texts_comments_and_what_stands_before() -> None:
    (fix,) = fixes("SM101", GUARD)
    assert not fix.safe
    after = apply(GUARD, [fix])
    assert after == GUARD.replace("torch.ones", 'if __name__ == "__main__":\r\n    torch.ones').replace(
        "text = '''", "    text = '''"
    ).replace("# last", "    # last")
    assert faults(BY_CODE["SM101"], after) == []


def test_a_guard_that_follows_keeps_its_indentation() -> None:
    text = "loss.backward()\nif __name__ == '__main__':\n\t# go\n\ttrain()\n"
    (fix,) = fixes("SM101", text)
    assert apply(text, [fix]) == "if __name__ == '__main__':\n\t# go\n\tloss.backward()\n\ttrain()\n"


@pytest.mark.parametrize(
    "tail",
    [
        "def helper():\n    pass\n",
        "import os\n",
        "device = 1\ndef predict_fn(data, model):\n    return device\n",
        "if __name__ == '__main__': train()\n",
        "if __name__ == '__main__':\n    train()\nelse:\n    pass\n",
    ],
)
def test_no_guard_is_put_around_what_an_import_needs(tail: str) -> None:
    text = f"def model_fn(model_dir):\n    return None\ntorch.ones(1).backward()\n{tail}"
    assert len(faults(BY_CODE["SM101"], text)) == 1
    assert fixes("SM101", text) == []


def test_a_name_that_only_training_reads_goes_under_the_guard() -> None:
    text = "def train():\n    return device\nloss.backward()\ndevice = 1\n"
    (fix,) = fixes("SM101", text)
    assert apply(text, [fix]).endswith("    device = 1\n")


def test_the_parser_goes_under_the_guard_with_its_line() -> None:
    text = "import argparse\nx = int('1')\nparser = argparse.ArgumentParser()\nargs = parser.parse_args()\n"
    (fix,) = fixes("SM101", f"{text}loss.backward()\n")
    assert """int('1')\nif __name__ == "__main__":\n    parser =""" in apply(text, [fix])


def test_a_name_that_a_handler_reads_stays_at_module_level() -> None:
    text = "def model_fn(model_dir):\n    return device\nloss.backward()\ndevice = 1\n"
    assert len(faults(BY_CODE["SM101"], text)) == 1
    assert fixes("SM101", text) == []


@pytest.mark.parametrize("text", ["f\"{os.environ['SM_MODELDIR']}\"", "os.environ['SM_MODELDIR']"])
def test_a_variable_is_renamed_with_its_own_quotes(text: str) -> None:
    after = mended("SM204", f"import os\nx = {text}\n")
    ast.parse(after)
    assert "'SM_MODEL_DIR'" in after


def test_a_variable_without_its_prefix_may_be_the_users_own() -> None:
    text = 'import os\nx = os.environ.get("MODEL_DIR", "m")\ndef train(loss):\n    loss.backward()\n'
    (fix,) = fixes("SM204", text)
    assert not fix.safe
