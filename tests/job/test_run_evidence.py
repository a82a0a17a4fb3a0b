"""What real ranks read, trained and saved, as the record tells it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Run

    from pytest_sagemaker.job.record import JobRecord, Rank, Reads

pytestmark = [pytest.mark.ranks, pytest.mark.xdist_group("ranks")]


def only(reads: tuple[Reads, ...]) -> Reads:
    (found,) = reads
    return found


def indices(*numbers: int) -> tuple[str, ...]:
    return tuple(f"#{number}" for number in numbers)


def checked(record: JobRecord) -> tuple[Rank, ...]:
    assert not record.failed, [rank.output for rank in record.ranks]
    return record.ranks


def test_data_parallel_training_with_a_sampler(run: Run) -> None:
    first, second = checked(
        run(
            """
            form()
            data = Data(21)
            sampler = DistributedSampler(data)
            loader = DataLoader(data, batch_size=4, sampler=sampler)
            model = DistributedDataParallel(nn.Linear(4, 3))
            sgd = torch.optim.SGD(model.parameters(), lr=0.1)
            for epoch in range(2):
                sampler.set_epoch(epoch)
                for x, y in loader:
                    step(model, sgd, x, y)
            save(model.module) if rank == 0 else None
            dist.destroy_process_group()
            """
        )
    )

    for rank in (first, second):
        reads = only(rank.training)
        assert (reads.dataset, reads.size, reads.by, reads.shuffles) == ("Data[21]", 21, "index", True)
        assert (reads.padding, reads.covers, reads.whole) == (1, 21, True)
        assert [len(epoch) for epoch in reads.epochs] == [11, 11]
        assert reads.epochs[0] != reads.epochs[1]
        assert rank.steps == 6
        assert rank.evaluation == ()
        assert rank.parameters.changed
        assert set(rank.parameters.digests) == {"weight", "bias"}
    one, two = (set(only(rank.training).epochs[0]) for rank in (first, second))
    assert one | two == set(indices(*range(21)))
    assert len(one & two) == 1
    assert first.parameters == second.parameters


def test_without_a_sampler_ranks_read_the_same_and_without_ddp_they_drift(run: Run) -> None:
    first, second = checked(
        run(
            """
            form()
            torch.manual_seed(rank)
            model, sgd = build()
            for x, y in DataLoader(Data(8), batch_size=4):
                step(model, sgd, x, y)
            """
        )
    )

    assert only(first.training).epochs == only(second.training).epochs == (indices(*range(8)),)
    assert not only(first.training).shuffles
    assert first.parameters.changed
    assert first.parameters.digests.keys() == second.parameters.digests.keys()
    assert first.parameters.digests != second.parameters.digests


def test_subsets_and_concatenations_lead_to_the_roots(run: Run) -> None:
    (rank,) = checked(
        run(
            """
            model, sgd = build()
            nested = Subset(Subset(Data(20), range(10, 20)), [1, 3, 5])
            joined = ConcatDataset([Data(4), nested])
            for x, y in DataLoader(joined, batch_size=4):
                step(model, sgd, x, y)
            """,
            hosts=1,
        )
    )

    assert {reads.dataset: reads.epochs for reads in rank.training} == {
        "Data[4]": (indices(0, 1, 2, 3),),
        "Data[20]": (indices(11, 13, 15),),
    }


def test_workers_that_read_ahead(run: Run) -> None:
    """Evaluation stands in between, and workers live on: what they prepare is not yet read."""
    (rank,) = checked(
        run(
            """
            model, sgd = build()
            loader = DataLoader(Data(12), batch_size=2, num_workers=2, persistent_workers=True)
            held_out = DataLoader(Data(6), batch_size=2, num_workers=1)
            for epoch in range(2):
                for number, (x, y) in enumerate(loader):
                    step(model, sgd, x, y)
                    if number == 3:
                        break
                with torch.no_grad():
                    for x, y in held_out:
                        model(x)
            """,
            hosts=1,
        )
    )

    assert only(rank.training).epochs == (indices(*range(8)),) * 2
    assert not only(rank.training).whole
    assert only(rank.evaluation).epochs == (indices(*range(6)),) * 2
    assert rank.steps == 8


def test_evaluation_is_told_from_training(run: Run) -> None:
    """With and without no_grad, cut short, on the loader that is trained on, before the first step."""
    (rank,) = checked(
        run(
            """
            model, sgd = build()
            train = DataLoader(Data(4), batch_size=2)
            held_out = DataLoader(Data(6), batch_size=3)
            for x, y in held_out:
                model(x)
            for epoch in range(2):
                for x, y in train:
                    step(model, sgd, x, y)
                for x, y in held_out:
                    cross_entropy(model(x), y)
                    break
                with torch.no_grad():
                    for x, y in train:
                        model(x)
            """,
            hosts=1,
        )
    )

    assert only(rank.training).epochs == (indices(*range(4)),) * 2
    assert {reads.dataset: reads.epochs for reads in rank.evaluation} == {
        "Data[6]": (indices(*range(6)), indices(0, 1, 2), indices(0, 1, 2)),
        "Data[4]": (indices(*range(4)),) * 2,
    }


def test_forward_that_no_backward_pass_reached_is_evaluation(run: Run) -> None:
    """Also where it is the last one before the backward pass of another."""
    (rank,) = checked(
        run(
            """
            model, sgd = build()
            held_out = iter(DataLoader(Data(6), batch_size=2))
            for x, y in DataLoader(Data(4), batch_size=2):
                scores = model(x)
                model(next(held_out)[0])
                sgd.zero_grad()
                cross_entropy(scores, y).backward()
                sgd.step()
            """,
            hosts=1,
        )
    )

    assert rank.steps == 2
    assert only(rank.training).dataset == "Data[4]"
    assert only(rank.evaluation).dataset == "Data[6]"


def test_batch_that_could_not_be_read_is_no_read(run: Run) -> None:
    (rank,) = checked(
        run(
            """
            model, sgd = build()
            batches = iter(DataLoader(Holed(6), batch_size=2))
            while True:
                try:
                    step(model, sgd, *next(batches))
                except ValueError:
                    continue
                except StopIteration:
                    break
            """,
            """
            class Holed(Data):
                def __getitem__(self, index):
                    if index == 3:
                        raise ValueError
                    return super().__getitem__(index)
            """,
            hosts=1,
        )
    )

    assert only(rank.training).epochs == (indices(0, 1, 4, 5),)


def test_accumulated_gradients_count_as_one_step(run: Run) -> None:
    (rank,) = checked(
        run(
            """
            model, sgd = build()
            for number, (x, y) in enumerate(DataLoader(Data(10), batch_size=2)):
                cross_entropy(model(x), y).backward()
                if number % 2:
                    sgd.step()
            """,
            hosts=1,
        )
    )

    assert rank.steps == 2
    assert only(rank.training).epochs == (indices(*range(8)),)  # the last batch fed no step
    assert rank.evaluation == ()


def test_several_models_and_loaders_in_one_step(run: Run) -> None:
    """A teacher without gradients, two students with an optimizer each, two loaders side by side."""
    (rank,) = checked(
        run(
            """
            teacher, _ = build()
            (student, sgd), (critic, adam) = build(), build()
            one, two = DataLoader(Data(4), batch_size=2), DataLoader(Data(6), batch_size=2)
            for (x, _), (other, y) in zip(one, two):
                with torch.no_grad():
                    target = teacher(x)
                step(student, sgd, x, target.argmax(1))
                step(critic, adam, other, y)
            """,
            hosts=1,
        )
    )

    assert rank.steps == 2
    assert {reads.dataset: reads.epochs for reads in rank.training} == {
        "Data[4]": (indices(*range(4)),),
        "Data[6]": (indices(*range(4)),),
    }
    assert set(rank.parameters.digests) == {
        "Linear.weight",
        "Linear.bias",
        "Linear-2.weight",
        "Linear-2.bias",
    }


def test_batches_made_by_hand_go_by_content(run: Run) -> None:
    first, second = checked(
        run(
            """
            model, sgd = build()
            data = Data(8)
            for start in (0, 4):
                mine = slice(start + 2 * rank, start + 2 * rank + 2)
                step(model, sgd, data.x[mine], data.y[mine])
            with torch.no_grad():
                model(data.x)
            """
        )
    )

    one, two = only(first.training), only(second.training)
    assert (one.dataset, one.by, one.size) == ("batches", "content", 0)
    assert len(one.samples) == len(two.samples) == 4
    assert not one.samples & two.samples


@pytest.mark.parametrize(("mine", "shared"), [("slice(rank, 8, 2)", 0), ("torch.randperm(8)", 8)])
def test_tensors_sliced_before_they_are_wrapped_go_by_content(run: Run, mine: str, shared: int) -> None:
    first, second = checked(
        run(
            f"""
            torch.manual_seed(rank)
            model, sgd = build()
            mine = {mine}
            data = TensorDataset(Data(8).x[mine], Data(8).y[mine])
            for x, y in DataLoader(data, batch_size=2, shuffle=True):
                step(model, sgd, x, y)
            """
        )
    )

    one, two = only(first.training), only(second.training)
    assert one.dataset == two.dataset == f"TensorDataset[{8 if shared else 4}]"
    assert one.by == "content"
    assert len(one.samples & two.samples) == shared


def test_data_sets_that_hold_different_things_are_not_taken_for_one(run: Run) -> None:
    first, second = checked(
        run(
            """
            model, sgd = build()
            mine = Data(8)
            mine.x, mine.y = mine.x[rank::2], mine.y[rank::2]
            for x, y in DataLoader(mine, batch_size=2):
                step(model, sgd, x, y)
            """
        )
    )

    assert [only(rank.training).dataset for rank in (first, second)] == ["Data[4]", "Data[4] (2)"]


def test_streams_go_by_content(run: Run) -> None:
    first, second = checked(
        run(
            """
            model, sgd = build()
            for batch in DataLoader(Stream(), batch_size=2):
                step(model, sgd, batch["x"], batch["y"])
            """,
            """
            class Stream(IterableDataset):
                def __iter__(self):
                    data = Data(8)
                    return ({"x": data.x[index], "y": data.y[index]} for index in range(rank, 8, 2))
            """,
        )
    )

    assert only(first.training).dataset == "Stream"
    assert only(first.training).by == "content"
    assert len(only(first.training).samples | only(second.training).samples) == 8


def test_training_without_modules_or_optimizers(run: Run) -> None:
    (rank,) = checked(
        run(
            """
            weight = torch.zeros(4, 3, requires_grad=True)
            sgd = torch.optim.SGD([weight], lr=0.1)
            for x, y in DataLoader(Data(4), batch_size=2):
                sgd.zero_grad()
                cross_entropy(x @ weight, y).backward()
                sgd.step()
            """,
            hosts=1,
        )
    )

    assert only(rank.training).epochs == (indices(*range(4)),)
    assert rank.steps == 2
    assert rank.parameters.changed


def test_parameters_are_those_after_the_last_step(run: Run) -> None:
    """What comes later, such as loading the best epoch or halving precision, is not training."""
    first, second = checked(
        run(
            """
            torch.manual_seed(0)
            model, sgd = build()
            best = {name: tensor.clone() for name, tensor in model.state_dict().items()}
            step(model, sgd, torch.ones(2, 4), torch.tensor([0, 1]))
            if rank == 0:
                model.load_state_dict(best)
            else:
                model.half()
            """
        )
    )

    assert first.parameters == second.parameters
    assert first.parameters.changed


def test_sharded_parameters_are_told(run: Run) -> None:
    ranks = checked(
        run(
            """
            form()
            from torch.distributed.fsdp import FullyShardedDataParallel
            model = FullyShardedDataParallel(nn.Linear(4, 3), device_id=torch.device("cpu"))
            sgd = torch.optim.SGD(model.parameters(), lr=0.1)
            step(model, sgd, torch.ones(2, 4), torch.tensor([0, 1]))
            """
        )
    )

    assert all(rank.parameters.sharded and rank.parameters.changed for rank in ranks)


def test_watching_changes_no_number(run: Run) -> None:
    """Random numbers, gradients, losses are what they are in a plain interpreter."""
    script = """
        torch.manual_seed(7)
        model, sgd = build()
        for x, y in DataLoader(Data(16), batch_size=4, shuffle=True):
            step(model, sgd, x, y)
        print(repr([*model.parameters(), torch.rand(2), cross_entropy(model(x), y)]))
        """
    record = run(script, hosts=1)
    plain = subprocess.run([sys.executable, record.script], capture_output=True, text=True, check=True)

    assert record.ranks[0].output.strip() == plain.stdout.strip()


def test_traced_and_compiled_models(run: Run) -> None:
    """A call that shows its operations to a tracer is no forward, and gets no operation of ours."""
    (rank,) = checked(
        run(
            """
            model, sgd = build()
            print(torch.jit.trace(model, torch.ones(1, 4)).graph)

            @torch.compile(backend="eager", fullgraph=True)
            def loss(x, y):
                return cross_entropy(model(x), y)

            for x, y in DataLoader(Data(4), batch_size=2):
                sgd.zero_grad()
                loss(x, y).backward()
                sgd.step()
            """,
            hosts=1,
        )
    )

    assert rank.output.count("aten::") == 1
    assert "Warning" not in rank.output
    assert only(rank.training).epochs == (indices(*range(4)),)
    assert rank.parameters.changed


def test_a_rank_that_leaves_without_a_word_keeps_its_steps(run: Run) -> None:
    rank = run(
        """
        model, optimizer = build()
        for x, y in DataLoader(Data(12), batch_size=4):
            step(model, optimizer, x, y)
        os._exit(0)
        """,
        hosts=1,
    ).ranks[0]

    assert (rank.steps, len(rank.training[0].samples)) == (3, 12)
