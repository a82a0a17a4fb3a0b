from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sagemaker.contract import HyperparameterError, argv, encode
from pytest_sagemaker.contract.hyperparameters import arguments, decode


def test_every_value_is_sent_as_a_string_of_json() -> None:
    assert encode({"lr": 0.1, "name": "adam", "amp": True, "layers": (1, 2), "none": None}) == {
        "lr": "0.1",
        "name": '"adam"',
        "amp": "true",
        "layers": "[1, 2]",
        "none": "null",
    }


def test_decoding_splits_the_scripts_own_from_the_launchers() -> None:
    sent = {"lr": 0.1, "sagemaker_program": "train.py", "sagemaker_torch_distributed_enabled": True}
    assert decode(sent) == ({"lr": 0.1}, {"sagemaker_torch_distributed_enabled": True})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "True"),
        (None, ""),
        (1e-05, "1e-05"),
        ([1, "a"], "[1, 'a']"),
        ({"b": {"c": 1}, "a": 2}, "a=2,b={'c': 1}"),
        ("it's", "it's"),
    ],
)
def test_argument_of_a_value(value: object, text: str) -> None:
    assert arguments({"name": value}) == ["--name", text]


def test_arguments_go_by_name_and_one_letter_has_one_dash() -> None:
    assert arguments({"b": 1, "aa": 2, "B": 3}) == ["-B", "3", "--aa", "2", "-b", "1"]


def test_value_without_json_form_is_refused_by_name() -> None:
    with pytest.raises(HyperparameterError, match=r"'device' is sent as JSON.*object.*send a number"):
        encode({"lr": 1, "device": object()})


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("a;b", "; starts a second command"),
        ("a & b", "& starts a second command"),
        ("it's", "' is never closed"),
        ("2>x", "> writes to a file"),
        ("$(ls)", r"\$\( runs a command"),
        ("f(x)", r"\( is a syntax error"),
        ("two\nlines", "a line break"),
    ],
)
def test_hyperparameter_that_is_no_argument_is_named_with_its_reason(value: str, reason: str) -> None:
    with pytest.raises(
        HyperparameterError, match=f"^hyperparameter 'bad' holds .*{reason}.*: send it without"
    ):
        argv("train.py", {"bad": value, "good": ["a"], "after": "ok"})


@pytest.mark.parametrize("script", ["my train.py", "train;.py", "train$X.py", "it's.py"])
def test_script_name_that_a_shell_reads_otherwise_is_refused(script: str) -> None:
    with pytest.raises(HyperparameterError, match="rename the script"):
        argv(script, {"lr": 1})


def test_quotes_of_two_hyperparameters_pair_up() -> None:
    assert argv("train.py", {"aa": "it's", "bb": "that's"}) == ["train.py", "--aa", "its --bb thats"]


WORDS = st.text("aB7é_-.,:=+%@!^]{}/\r\u3000", min_size=1)


@given(st.dictionaries(WORDS, WORDS | st.integers() | st.floats(), max_size=4))
def test_plain_words_pass_the_shell_unchanged(hyperparameters: dict[str, object]) -> None:
    assert argv("train.py", hyperparameters) == ["train.py", *arguments(hyperparameters)]


AWKWARD = st.text("ab= \t\n'\"\\$`;&|<>(){}*?[]#~\0")


@given(st.dictionaries(AWKWARD, AWKWARD, max_size=3))
def test_any_text_gives_words_or_blames_a_hyperparameter(hyperparameters: dict[str, str]) -> None:
    try:
        words = argv("train.py", hyperparameters)
    except HyperparameterError as error:
        words = str(error).split()[:1]
    assert words[0] in ("train.py", "hyperparameter")
