"""Names of data sets and samples that hold on every rank."""

from __future__ import annotations

from pytest_sagemaker.job.evidence import HAND_MADE, Dataset, Evidence, Loader, RawReads
from pytest_sagemaker.job.naming import Names
from pytest_sagemaker.job.record import Reads


def ranks(*datasets: tuple[Dataset, ...]) -> list[Evidence]:
    """One rank for each group of data sets, of which it trained on samples 0 and 1."""
    loader = Loader(padding=1, shuffles=True, covers=2)
    return [
        Evidence(
            training=tuple(RawReads(dataset, loader, ((0, 1),)) for dataset in group),
            rows={dataset: {0: 10 + rank, 1: 11 + rank} for dataset in group if dataset.by == "rows"},
        )
        for rank, group in enumerate(datasets)
    ]


def named(evidence: list[Evidence]) -> list[list[Reads]]:
    names = Names(evidence)
    return [[names.reads(reads, seen.rows) for reads in seen.training] for seen in evidence]


def test_same_data_has_one_name_and_is_named_by_index() -> None:
    mnist = Dataset("MNIST", 60, "x", "index")

    (one,), (two,) = named(ranks((mnist,), (mnist,)))

    assert one == two
    assert one == Reads("MNIST[60]", 60, (("#0", "#1"),), padding=1, shuffles=True, covers=2)


def test_other_data_of_the_same_type_and_size_is_numbered() -> None:
    one, two = Dataset("Rows", 30, "x", "index"), Dataset("Rows", 30, "y", "index")

    assert [[reads.dataset for reads in rank] for rank in named(ranks((one, two), (two, one)))] == [
        ["Rows[30]", "Rows[30] (2)"],
        ["Rows[30] (2)", "Rows[30]"],
    ]


def test_tensors_that_every_rank_holds_go_by_index() -> None:
    whole = Dataset("TensorDataset", 60, "x", "rows")

    assert [rank[0].samples for rank in named(ranks((whole,), (whole,)))] == [{"#0", "#1"}] * 2
    assert named(ranks((whole,)))[0][0].by == "index"


def test_tensors_of_each_rank_go_by_content_under_one_name() -> None:
    halves = [Dataset("TensorDataset", 30, mark, "rows") for mark in "xy"]

    (one,), (two,) = named(ranks((halves[0],), (halves[1],)))

    assert one.dataset == two.dataset == "TensorDataset[30]"
    assert (one.by, one.size, one.covers) == ("content", 0, 0)
    assert one.samples & two.samples == {f"{11:08x}"}


def test_halves_of_different_sizes_share_a_name_too() -> None:
    halves = [Dataset("TensorDataset", size, str(size), "rows") for size in (30, 31)]

    assert {rank[0].dataset for rank in named(ranks((halves[0],), (halves[1],)))} == {"TensorDataset"}


def test_batches_by_hand_go_by_content() -> None:
    (reads,) = named(ranks((HAND_MADE,)))[0]

    assert (reads.dataset, reads.by) == ("batches", "content")
    assert reads.samples == {f"{0:08x}", f"{1:08x}"}


def test_rank_that_was_killed_before_it_told_its_rows_keeps_its_indices() -> None:
    evidence = ranks(*((Dataset("TensorDataset", 30, mark, "rows"),) for mark in "xy"))
    evidence[0].rows.clear()

    assert named(evidence)[0][0].samples == {"#0", "#1"}
