"""From events to what a rank did: which reads were trained on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sagemaker.job.evidence import Dataset, Evidence, Loader, RawReads, gather
from pytest_sagemaker.job.observe.recorder import replay
from pytest_sagemaker.job.record import World

if TYPE_CHECKING:
    from pathlib import Path

DATA = Dataset("Data", 8, "d", "index")
OTHER = Dataset("Data", 6, "o", "index")
ABOUT = [
    ["dataset", 1, "Data", 8, "d", "index"],
    ["dataset", 2, "Data", 6, "o", "index"],
    ["loader", 1, 0, False, 8],
    ["loader", 2, 0, False, 6],
]


def events(story: str) -> list[list[Any]]:
    """`a0 F B S`: loader a hands out sample 0, a forward, a backward pass that reaches it, a step.

    `(a` begins a pass, `)a` exhausts it; `f` is a forward without gradients; `B2` reaches the
    forward before the last; `B-` none that was seen.
    """
    found: list[list[Any]] = [*ABOUT]
    loaders, passes, forwards = {"a": 1, "b": 2}, {"a": 0, "b": 0}, 0
    for word in story.split():
        kind, rest = word[0], word[1:]
        if kind == "(":
            passes[rest] = max(passes.values()) + 1
            found.append(["pass", passes[rest], loaders[rest]])
        elif kind == ")":
            found.append(["exhausted", passes[rest]])
        elif kind in "fF":
            forwards += 1
            found.append(["forward", forwards, kind == "F"])
        elif kind == "B":
            found.append(["fed", 0 if rest == "-" else forwards - int(rest or 1) + 1])
        elif kind == "S":
            found.append(["step", rest or "sgd"])
        else:
            found.append(["read", passes[kind], [[loaders[kind], [int(rest)]]]])
    return found


def epochs(reads: tuple[RawReads, ...]) -> dict[str, list[list[int | str]]]:
    """By fingerprint of the data set."""
    return {found.dataset.fingerprint: [list(epoch) for epoch in found.epochs] for found in reads}


@pytest.mark.parametrize(
    ("story", "training", "evaluation"),
    [
        pytest.param("(a a0 F B S a1 F B S )a (a a1 F B S )a", {"d": [[0, 1], [1]]}, {}, id="two-epochs"),
        pytest.param("(a a0 F B a1 F B S a2 F B )a", {"d": [[0, 1]]}, {}, id="accumulated"),
        pytest.param("(a a0 F a1 F B2 B S )a", {"d": [[0, 1]]}, {}, id="losses-added-up"),
        pytest.param("(b b0 f b1 f )b (a a0 F B S )a", {"d": [[0]]}, {"o": [[0, 1]]}, id="no-grad-before"),
        pytest.param("(b b0 F b1 F )b (a a0 F B S )a", {"d": [[0]]}, {"o": [[0, 1]]}, id="with-grad-before"),
        pytest.param("(a a0 F B S (b b0 f a1 F B S )a", {"d": [[0, 1]]}, {"o": [[0]]}, id="cut-short"),
        pytest.param("(a a0 f F B S )a", {"d": [[0]]}, {}, id="teacher-first"),
        pytest.param("(a a0 F F B F B S B2 Sother )a", {"d": [[0]]}, {}, id="generator-and-critic"),
        pytest.param(
            "(a (b a0 b0 F B S a1 b1 F B S )a", {"d": [[0, 1]], "o": [[0, 1]]}, {}, id="side-by-side"
        ),
        pytest.param("(a a3 F B S", {"d": [[3]]}, {}, id="one-batch-of-a-fresh-iterator"),
        pytest.param(
            "(a (b a0 F b0 F B2 S a1 F b1 F B2 S )a", {"d": [[0, 1]]}, {"o": [[0, 1]]}, id="interleaved"
        ),
        pytest.param("(a (b a0 F b0 F B2 B S )a", {"d": [[0]], "o": [[0]]}, {}, id="one-after-the-other"),
        pytest.param("(a a0 B- S )a", {"d": [[0]]}, {}, id="no-module"),
        pytest.param("(a a0 F B a1 F B )a", {}, {}, id="never-stepped"),
        pytest.param("(a a0 a1 )a (b b0 F B S )b", {"o": [[0]]}, {"d": [[0, 1]]}, id="looked-at-before"),
        pytest.param("(a a0 F B S )a (a a1 f )a", {"d": [[0]]}, {"d": [[1]]}, id="evaluated-on-the-same"),
    ],
)
def test_reads_are_tied_to_steps(story: str, training: object, evaluation: object) -> None:
    seen = gather(events(story))

    assert epochs(seen.training) == training
    assert epochs(seen.evaluation) == evaluation


def test_steps_are_those_of_the_busiest_optimizer() -> None:
    assert gather(events("(a a0 F B Sone Stwo F B Sone )a")).steps == 2


def test_a_pass_that_was_cut_short_is_not_whole() -> None:
    assert gather(events("(a a0 F B S )a (a a1 F B S")).training[0].whole is False
    assert gather(events("(a a0 F B S )a (a a1 F B S )a")).training[0].whole is True


def test_loaders_made_anew_for_each_epoch_are_one() -> None:
    story = [
        *ABOUT,
        ["loader", 3, 0, False, 8],
        *(["pass", 1, 1], ["read", 1, [[1, [0]]]], ["forward", 1, True], ["fed", 1], ["step", 1]),
        *(["exhausted", 1], ["pass", 2, 3]),
        *(["read", 2, [[1, [1]]]], ["forward", 2, True], ["fed", 2], ["step", 1], ["exhausted", 2]),
    ]

    assert gather(story).training == (RawReads(DATA, Loader(covers=8), ((0,), (1,))),)


def test_batches_by_hand_count_where_no_loader_trained() -> None:
    by_hand = [["forward", 1, True], ["batch", 1, [77, 78]], ["fed", 1], ["step", 1]]

    (reads,) = gather(by_hand).training
    assert (reads.dataset.kind, reads.dataset.by, reads.epochs) == ("batches", "content", ((77, 78),))
    trained = [
        *events("(a a0 F B S a1 F B S )a"),
        ["forward", 9, True],
        ["batch", 9, [77]],
        ["fed", 9],
        ["step", 1],
    ]
    assert epochs(gather(trained).training) == {"d": [[0, 1]]}


def test_last_snapshot_and_initial_parameters() -> None:
    module = gather(
        [["initial", 1, "Net", False, {"w": "0"}], ["snapshot", 1, {"w": "1"}], ["snapshot", 1, {"w": "2"}]]
    ).modules[1]

    assert (module.initial, module.last) == ({"w": "0"}, {"w": "2"})


def test_hidden_records_are_those_that_no_stream_showed() -> None:
    seen = gather([["logged", 3], ["shown"], ["logged", 5], ["logged", 7], ["shown"]])

    assert (seen.logged, seen.visible, seen.first_hidden_line) == (3, 2, 5)


def test_events_of_a_parents_iterator_are_left_out() -> None:
    assert gather([["read", 4, [[1, [0]]]], ["exhausted", 4]]) == Evidence()


def test_file_that_a_kill_cut_short_is_read_up_to_there(tmp_path: Path) -> None:
    lines = [[["world", "gloo", "", 0, 2]], [["step", 1], ["step", 1]], [["step", 1]]]
    file = tmp_path / "rank-0.jsonl"
    file.write_text("\n".join(map(json.dumps, lines))[:-3])

    seen = gather(replay(file))

    assert (seen.world, seen.steps) == (World("gloo", 0, 2), 2)
    assert gather(replay(tmp_path / "none")) == Evidence()
