"""Every check against its own docs and examples; then the subtle ones, by what they say."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sagemaker.catalogue import HEADINGS, Entry, Unjudged, scan
from pytest_sagemaker.finding import Fault, Span
from pytest_sagemaker.job.checks.examples import (
    ALONE,
    CLOSED,
    CRASHED,
    HUNG,
    LOADED,
    MODEL,
    SOUND,
    failed,
    job,
    raised,
    reads,
    shard,
    sound_rank,
    varied,
)
from pytest_sagemaker.job.checks.shards import trained_shards
from pytest_sagemaker.job.judge import CHECKS, Verdict, judge, judge_all
from pytest_sagemaker.job.record import Parameters, Served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sagemaker.finding import Finding
    from pytest_sagemaker.job.record import JobRecord, Rank

Weights = Literal["initial", "different"]

ENTRIES = {check.code: check for check in scan(CHECKS)}
BAD = [
    pytest.param(c, record, id=f"{c.code}-{name}") for c in ENTRIES.values() for name, record in c.bad.items()
]
GOOD = [
    pytest.param(c, name, record, id=f"{c.code}-{name}")
    for c in ENTRIES.values()
    for name, record in c.good.items()
]


def verdict(code: str, record: JobRecord) -> Verdict:
    return judge(ENTRIES[code], record)


def only(code: str, record: JobRecord) -> Finding:
    (finding,) = verdict(code, record).findings
    return finding


def test_all_sixteen_are_there() -> None:
    assert list(ENTRIES) == [f"SM8{number:02}" for number in range(1, 17)]


@pytest.mark.parametrize(("check", "record"), BAD)
def test_bad_example_is_found(check: Entry[JobRecord], record: JobRecord) -> None:
    findings = judge(check, record).findings
    assert findings
    assert all(f.code == check.code and f.path == record.script and f.span.line >= 1 for f in findings)


@pytest.mark.parametrize(("check", "name", "record"), GOOD)
def test_good_example_is_silent(check: Entry[JobRecord], name: str, record: JobRecord) -> None:
    said = judge(check, record)
    assert said.findings == ()
    assert bool(said.unjudged) == name.startswith("unjudged")


@pytest.mark.parametrize("check", ENTRIES.values(), ids=ENTRIES)
def test_docs_have_every_heading(check: Entry[JobRecord]) -> None:
    assert all(check.section(heading).strip() for heading in HEADINGS)
    assert "https://" in check.section("Source")
    assert len(check.title) < 110


@pytest.mark.parametrize(("check", "record"), BAD)
def test_one_fault_is_reported_once(check: Entry[JobRecord], record: JobRecord) -> None:
    """No other check may report what is only a consequence of the fault."""
    found = {said.check.code for said in judge_all(record) if said.findings}
    assert found == {check.code}


def test_sound_job_passes_every_check() -> None:
    assert [said.check.code for said in judge_all(SOUND) if said.findings or said.unjudged] == []


@pytest.mark.parametrize("record", [CRASHED, HUNG], ids=["failed", "hung"])
def test_a_failed_run_leaves_nothing_else_to_judge(record: JobRecord) -> None:
    judged = {said.check.code for said in judge_all(record) if not said.unjudged}
    assert judged == {"SM801", "SM802"} if record is CRASHED else judged == {"SM802"}


def test_one_rank_alone_leaves_only_what_needs_several() -> None:
    unjudged = {said.check.code for said in judge_all(ALONE) if said.unjudged}
    assert unjudged == {"SM803", "SM804", "SM805", "SM807", "SM808", "SM811"}


# SM801


def died(rank: int, kind: str, message: str, at: float = 1.0, **fields: Any) -> Rank:
    return replace(sound_rank(rank, exit_code=1, failure=raised(kind, message, 9, at)), **fields)


def test_the_first_rank_that_failed_by_itself_is_named() -> None:
    found = only(
        "SM801",
        failed(
            died(0, "RuntimeError", CLOSED, at=0.9),
            died(1, "ValueError", "bad batch", at=1.2),
            died(2, "RuntimeError", "Timed out waiting 15000ms for recv operation to complete", at=1.1),
            sound_rank(3, exit_code=-15, ended_by_us=True),
        ),
    )
    assert found.message == "rank 1 (algo-2) raised ValueError: bad batch"
    assert found.span.line == 9
    assert "ValueError: bad batch" in found.evidence
    others = [line for line in found.evidence if line.startswith("rank ")]
    assert len(others) == 3
    assert all("its consequence" in line for line in others)
    assert others[0].endswith("its consequence: RuntimeError: Connection closed by peer [127.0.0.1]:41001")
    assert others[2] == "rank 3 (algo-4): its consequence: stopped by the runner"


def test_the_same_failure_on_another_rank_is_not_its_consequence() -> None:
    found = only("SM801", failed(died(1, "KeyError", "'X'", at=1.1), died(0, "KeyError", "'X'", at=1.0)))
    assert found.message.startswith("rank 0 ")
    assert "rank 1 (algo-2): failed in the same way" in found.evidence


def test_output_does_not_repeat_the_traceback() -> None:
    rank = died(0, "ValueError", "bad batch")
    assert rank.failure is not None
    prefixed = "".join(f"[rank0]: {line}\n" for line in rank.failure.traceback.splitlines())
    found = only("SM801", failed(replace(rank, output=f"epoch 1\n{prefixed}")))
    assert found.evidence[-2:] == ("last output:", "  epoch 1")


def test_missing_channel_names_those_given_and_the_option() -> None:
    found = only("SM801", failed(died(0, "KeyError", "'SM_CHANNEL_TRAIN'"), channels=("training", "test")))
    assert found.help == ("channels given: training, test; give this one with --sagemaker-channel train=PATH")
    none = only("SM801", failed(died(0, "KeyError", "'SM_CHANNEL_TRAIN'"), channels=()))
    assert none.help.startswith("no channel was given")


def test_missing_channel_folder_names_the_option() -> None:
    found = only("SM801", failed(died(0, "FileNotFoundError", "[Errno 2] /opt/ml/input/data/test/a.csv")))
    assert "--sagemaker-channel test=PATH" in found.help


def test_a_given_channel_is_not_asked_for() -> None:
    assert only("SM801", failed(died(0, "FileNotFoundError", "/opt/ml/input/data/training/a.csv"))).help == ""


def test_missing_package_names_it_and_what_to_do() -> None:
    found = only("SM801", failed(died(0, "ModuleNotFoundError", "No module named 'torchvision.transforms'")))
    assert "pip install torchvision" in found.help
    assert "requirements.txt" in found.help


@pytest.mark.parametrize(
    "message",
    ["'RANK'", "'LOCAL_RANK'", "env:// rendezvous: environment variable RANK expected, but not set"],
)
def test_missing_rank_variable_names_the_launcher(message: str) -> None:
    assert "--sagemaker-launcher torchrun" in only("SM801", failed(died(0, "KeyError", message))).help


def test_argparse_speaks_for_itself() -> None:
    output = "usage: train.py [-h]\ntrain.py: error: unrecognized arguments: --depth 3\n"
    found = only("SM801", failed(died(0, "SystemExit", "2", exit_code=2, output=output)))
    assert found.message == (
        "rank 0 (algo-1) exited with code 2: "
        "argparse says `train.py: error: unrecognized arguments: --depth 3`"
    )
    assert found.help


@pytest.mark.parametrize(
    ("code", "words"),
    [(3, "exited with code 3"), (-11, "was killed by SIGSEGV"), (-9, "was killed by SIGKILL")],
)
def test_an_ending_without_an_exception_is_named(code: int, words: str) -> None:
    found = only("SM801", failed(sound_rank(0, exit_code=code, output="a\nlast words\n")))
    assert found.message == f"rank 0 (algo-1) {words}"
    assert "  last words" in found.evidence


def test_a_rank_that_left_early_is_the_cause() -> None:
    found = only("SM801", failed(sound_rank(0, steps=1), died(1, "RuntimeError", CLOSED)))
    assert found.message == (
        "rank 0 (algo-1) after 1 step ended with exit code 0 while rank 1 (algo-2) waited"
    )
    assert "rank 1 (algo-2) trained on 32 samples" in found.evidence


def test_ranks_that_waited_for_each_other_name_no_culprit() -> None:
    words = "Timed out waiting 15000ms for recv operation to complete"
    found = only(
        "SM801",
        failed(died(0, "RuntimeError", CLOSED, at=15.1), died(1, "RuntimeError", words, at=15.0)),
    )
    assert found.message == f"rank 1 (algo-2) waited for the other ranks in vain: RuntimeError: {words}"


def test_an_abort_inside_gloo_is_collateral() -> None:
    aborted = sound_rank(0, exit_code=-6, ended_at=0.5, output="what(): gloo::EnforceNotMet ...")
    found = only("SM801", failed(aborted, died(1, "ValueError", "mine")))
    assert found.message.startswith("rank 1 ")


# SM802

STACK = """\
Thread 0x02 (most recent call first):
  File "threading.py", line 5 in wait
Current thread 0x01 (most recent call first):
  File "torch/distributed/distributed_c10d.py", line 4818 in barrier
  File "/tmp/x/train.py", line 41 in train
  File "/tmp/x/train.py", line 58 in <module>
"""


def stuck(rank: int, stack: str = STACK) -> Rank:
    return sound_rank(rank, exit_code=None, ended_by_us=True, stack=stack)


def test_a_hang_shows_where_every_rank_stood() -> None:
    found = only("SM802", failed(stuck(0), stuck(1, ""), hung=True, timeout=20.0))
    assert found.message == "the job did not end within 20 s"
    assert found.span.line == 41
    assert "rank 1 (algo-2), after 8 steps: no stack could be taken" in found.evidence
    assert '  File "/tmp/x/train.py", line 41 in train' in found.evidence
    assert not any("threading.py" in line for line in found.evidence)


def test_ranks_that_never_met_are_told_so() -> None:
    stack = 'Current thread (most recent call first):\n  File "c10d.py", line 9 in init_process_group\n'
    ranks = [replace(stuck(rank, stack), world=None) for rank in range(2)]
    found = only("SM802", failed(*ranks, hung=True))
    assert found.message.endswith("the ranks did not find each other in init_process_group")
    assert "world_size 2" in found.help


def test_a_traceback_style_stack_has_its_innermost_line_last() -> None:
    stack = '  File "/x/train.py", line 58, in <module>\n    main()\n  File "/x/train.py", line 41, in main\n'
    assert only("SM802", failed(stuck(0, stack), hung=True)).span.line == 41


def test_a_hang_names_the_rank_that_left() -> None:
    found = only("SM802", failed(sound_rank(0), stuck(1), hung=True))
    assert "rank 0 (algo-1) ended with exit code 0, the others waited" in found.message


def test_a_rank_that_raised_and_never_exited_is_the_cause_of_the_hang() -> None:
    record = failed(stuck(0), died(1, "ValueError", "mine", exit_code=None, ended_by_us=True), hung=True)
    assert only("SM801", record).message == "rank 1 (algo-2) raised ValueError: mine and did not end"
    assert verdict("SM802", record).unjudged.endswith("see SM801")


# SM803


def test_the_sizes_of_worlds_are_told() -> None:
    found = only("SM803", replace(SOUND, processes=2))
    assert found.message == "the process group has 2 of the job's 4 ranks (2 hosts x 2 processes)"
    none = only("SM803", varied(world=None))
    assert "no rank formed a process group: the job has 2 ranks (2 hosts x 1 process)" in none.message


# SM804


def test_overlap_names_ranks_counts_and_samples() -> None:
    everything = shard(0, 1)
    found = only("SM804", varied(training=(reads(everything, everything),)))
    assert found.message == (
        "ranks 0 and 1 trained on the same samples of MNIST[32]: 32 of the 32 they read in epoch 1"
    )
    assert found.evidence == (
        "rank 0 (algo-1) and rank 1 (algo-2): 32 samples, #0, #1, #2, #3, #4 and 27 more",
        "also in epoch 2",
    )


def test_pairs_of_many_ranks_are_capped() -> None:
    ranks = [sound_rank(rank, 8, training=(reads(shard(0, 1)),)) for rank in range(8)]
    evidence = only("SM804", job(*ranks)).evidence
    assert len(evidence) == 7
    assert evidence[-1] == "22 more pairs of ranks"


def test_identical_rows_of_a_stream_are_no_overlap() -> None:
    def of(rank: int, words: str) -> Rank:
        stream = reads(tuple(words.split()), by="content", size=0, dataset="stream")
        return sound_rank(rank, training=(stream,))

    assert verdict("SM804", job(of(0, "a b c d e f g"), of(1, "h i j k l m a"))).findings == ()
    assert verdict("SM804", job(of(0, "a b c d e f g"), of(1, "h i j k a b c"))).findings


def distributed(size: int, world: int, epochs: int, *, drop_last: bool) -> JobRecord:
    """A job whose ranks read what torch's DistributedSampler gives them (its algorithm, without torch)."""

    def own(rank: int, epoch: int) -> tuple[str, ...]:
        order = list(range(size))
        random.Random(epoch).shuffle(order)
        total = size // world * world if drop_last else -(-size // world) * world
        order = (order * (1 + total // size))[:total]
        return tuple(f"#{index}" for index in order[rank:total:world])

    padding, dropped = (0, size % world) if drop_last else (-size % world, 0)
    ranks = []
    for rank in range(world):
        read = tuple(own(rank, epoch) for epoch in range(epochs))
        training = (reads(*read, size=size, padding=padding, covers=size - dropped, dataset=f"D[{size}]"),)
        ranks.append(sound_rank(rank, world, training=training, steps=sum(map(len, read))))
    return job(*ranks)


@given(st.integers(2, 60), st.integers(2, 9), st.integers(1, 3), st.booleans())
def test_a_distributed_sampler_never_overlaps_nor_leaves_out(
    size: int, world: int, epochs: int, drop_last: bool
) -> None:
    record = distributed(size, world, epochs, drop_last=drop_last and size >= world)
    assert verdict("SM804", record).findings == ()
    assert verdict("SM805", record).findings == ()


@given(st.integers(2, 60), st.integers(2, 9), st.data())
def test_one_sample_more_than_the_padding_is_an_overlap(size: int, world: int, data: st.DataObject) -> None:
    record = distributed(size, world, 1, drop_last=False)
    shards = trained_shards(record)[0].epochs
    giver, taker = data.draw(st.permutations(range(world)))[:2]
    foreign = [s for s in shards[giver][0] if s not in shards[taker][0]]
    if not foreign:
        return
    ranks = list(record.ranks)
    old = ranks[taker].training[0]
    ranks[taker] = replace(
        ranks[taker], training=(replace(old, epochs=((*old.epochs[0], foreign[0]),), padding=old.padding),)
    )
    assert verdict("SM804", replace(record, ranks=tuple(ranks))).findings


# SM805


def test_missing_samples_are_counted_and_shown() -> None:
    found = only("SM805", ENTRIES["SM805"].bad["too-many-replicas"])
    assert found.message == "16 of 32 samples of MNIST[32] were trained on by no rank"
    assert found.evidence[0] == "never trained on: #2, #3, #6, #7, #10 and 11 more"
    assert found.severity == "W"


def test_padding_does_not_make_up_for_a_missing_sample() -> None:
    def rank(number: int, *samples: str) -> Rank:
        training = reads(samples, size=31, covers=31, padding=1, dataset="D[31]")
        return sound_rank(number, training=(training,), steps=len(samples))

    odd = [sample for sample in shard(1, samples=31) if sample != "#29"]
    found = only("SM805", job(rank(0, *shard(0, samples=31)), rank(1, *odd, "#0")))
    assert found.evidence[0] == "never trained on: #29"


# SM806


def test_same_order_names_ranks_and_epochs() -> None:
    found = only("SM806", varied(training=(reads(shard(0), shard(0), shard(0)),)))
    assert found.message == "MNIST[32] came in the same order in all 3 epochs on ranks 0 and 1"


@given(st.permutations(range(10)).map(lambda order: tuple(f"#{index}" for index in order)))
def test_two_orders_are_reported_only_when_equal(order: tuple[str, ...]) -> None:
    first = tuple(f"#{index}" for index in range(10))
    found = verdict("SM806", varied(training=(reads(first, order),))).findings
    assert bool(found) == (order == first)


# SM808, SM811


def test_divergence_tells_who_agrees() -> None:
    other = Parameters({"fc.weight": "x", "fc.bias": "b1"}, changed=True)
    ranks = [sound_rank(0, 3), sound_rank(1, 3), sound_rank(2, 3, parameters=other)]
    found = only("SM808", job(*ranks))
    assert found.message == "after training, ranks hold different parameters: 1 of 2 differ"
    assert found.evidence == (
        "rank 0 (algo-1) and rank 1 (algo-2) agree",
        "rank 2 (algo-3) stands alone",
        "differing: fc.weight",
    )


@pytest.mark.parametrize(("digest", "words"), [("d1", "the same content"), ("d2", "2 different contents")])
def test_collision_tells_whether_contents_differ(digest: str, words: str) -> None:
    twin = replace(MODEL, host="algo-2", writers=(1,), digest=digest)
    (line,) = only("SM811", replace(SOUND, saved=(MODEL, twin))).evidence
    assert line == (
        f"model.pth on algo-1 and algo-2, written by ranks 0 and 1: {words}; the last upload wins"
    )


# SM812 to SM815


def test_no_model_fn_fails_one_check_and_leaves_the_later_ones() -> None:
    record = replace(SOUND, served=Served(module="train.py"))
    found = only("SM813", record)
    assert "train.py has no model_fn" in found.message
    assert "model.pth" in found.message
    assert verdict("SM814", record).unjudged == "there is no loaded model: see SM813"
    assert verdict("SM815", record).unjudged == "there is no loaded model: see SM813"


def test_nothing_saved_where_nothing_was_trained_points_at_the_first_cause() -> None:
    record = replace(varied(steps=0, training=()), saved=(), served=None)
    reasons = {code: verdict(code, record).unjudged for code in ("SM810", "SM811", "SM813", "SM815")}
    assert set(reasons.values()) == {"nothing was trained: see SM809"}


def test_lines_of_another_module_are_not_the_scripts() -> None:
    served = Served(imported=raised("KeyError", "'X'", line=14), module="/opt/ml/model/code/inference.py")
    found = only("SM812", replace(SOUND, served=served))
    assert found.span.line == 1
    assert "inference.py" in found.message


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ("initial", "were not loaded"),
        ("different", "other parameters"),
    ],
)
def test_what_model_fn_returned_is_told_apart(weights: Weights, words: str) -> None:
    served = replace(LOADED, weights=weights, differing=("fc.weight",))
    found = only("SM814", replace(SOUND, served=served))
    assert found.span.line == LOADED.model_fn_line
    assert found.evidence == ("differing: fc.weight",)
    assert words in found.message


@pytest.mark.parametrize(
    ("kind", "message", "words"),
    [
        ("FileNotFoundError", "[Errno 2] No such file or directory: 'model.pt'", "the job saved model.pth"),
        ("UnpicklingError", "Weights only load failed. \x1b[1mdo this\x1b[0m", "save the state_dict"),
        ("RuntimeError", "Error(s) in loading state_dict for Net:\n\tMissing key(s)", "see SM505"),
        ("ValueError", "other", ""),
    ],
)
def test_what_loading_usually_ends_with_is_explained(kind: str, message: str, words: str) -> None:
    served = Served(has_model_fn=True, module="train.py", model_fn=raised(kind, message, line=62))
    found = only("SM813", replace(SOUND, served=served))
    assert found.span.line == 62
    assert "\x1b" not in found.message + "".join(found.evidence)
    assert words in found.help
    assert bool(found.help) == bool(words)


def test_diverging_ranks_do_not_explain_weights_that_were_never_loaded() -> None:
    other = Parameters({"fc.weight": "x", "fc.bias": "b1"}, changed=True)
    ranks = (sound_rank(0), sound_rank(1, parameters=other))
    assert verdict("SM814", job(*ranks, served=replace(LOADED, weights="initial"))).findings
    assert verdict("SM814", job(*ranks, served=replace(LOADED, weights="artifact"))).unjudged


# SM816


def test_invisible_logs_point_at_the_first_record() -> None:
    found = only("SM816", varied(logged=6, visible=0, first_logged_line=31))
    assert found.span.line == 31
    assert found.message == "12 records logged, and none reached stdout or stderr"


def test_a_reason_counts_only_where_nothing_was_found() -> None:
    def probe(_: JobRecord) -> Iterator[Fault]:
        yield Fault(Span(1), "seen")
        raise Unjudged("the rest cannot be told")

    said = judge(Entry("SM809", "probe", "E", "", {}, {}, probe), SOUND)
    assert [finding.message for finding in said.findings] == ["seen"]
    assert said.unjudged == ""
