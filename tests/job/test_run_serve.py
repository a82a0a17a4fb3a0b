"""What an endpoint makes of what real ranks saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_sagemaker.job.record import Served

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Run

    from pytest_sagemaker.job.record import JobRecord

pytestmark = [pytest.mark.ranks, pytest.mark.xdist_group("ranks")]

TRAIN = "model, sgd = build()\nstep(model, sgd, torch.rand(6, 4), torch.arange(6) % 3)\n"
BEST = """
best = {name: tensor.clone() for name, tensor in model.state_dict().items()}
step(model, sgd, torch.rand(6, 4), torch.arange(6) % 3)
torch.save(best, os.path.join(os.environ["SM_MODEL_DIR"], "model.pth"))
"""
MODEL_FN = "def model_fn(folder):\n    return load(folder)\n"


def serve(run: Run, top: str, save: str = "save(model)", **spec: object) -> Served:
    record = run(TRAIN + save, top, hosts=1, **spec)
    assert not record.failed, record.ranks[0].output
    assert record.served
    return record.served


def test_sound_script(run: Run) -> None:
    served = serve(run, MODEL_FN)

    assert served == Served(
        has_model_fn=True,
        module="train.py",
        model_fn_line=served.model_fn_line,
        returned="Linear",
        is_model=True,
        weights="trained",
        predicted="ok",
    )
    assert served.model_fn_line > 1


@pytest.mark.parametrize(
    ("top", "save", "weights"),
    [
        ("def model_fn(folder): return build()[0]", "save(model)", "different"),
        ("def model_fn(folder): torch.manual_seed(0); return build()[0]", "save(model)", "initial"),
        ("def model_fn(folder): return nn.Sequential(load(folder), nn.Softmax(1))", "save(model)", "trained"),
        ("def model_fn(folder, context): return {'model': load(folder)}", "save(model)", "trained"),
        (MODEL_FN, "save(build()[0])", "artifact"),
        (MODEL_FN, "save(model)\nstep(model, sgd, torch.rand(6, 4), torch.arange(6) % 3)", "trained"),
        (MODEL_FN, BEST, "trained"),
        ("def model_fn(folder): return load(folder).half()", "save(model)", "unknown"),
    ],
)
def test_weights_are_compared(run: Run, top: str, save: str, weights: str) -> None:
    served = run("torch.manual_seed(0)\n" + TRAIN + save, top, hosts=1).served

    assert served
    assert served.weights == weights
    assert bool(served.differing) == (weights in ("initial", "artifact", "different"))


def test_without_model_fn_the_default_handler_loads_torchscript(run: Run) -> None:
    bare = serve(run, "")
    scripted = serve(run, "", "torch.jit.script(model).save(os.environ['SM_MODEL_DIR'] + '/model.pt')")

    assert not bare.has_model_fn
    assert bare.model_fn
    assert "ensure model is saved using torchscript" in bare.model_fn.message
    assert (scripted.is_model, scripted.weights, scripted.predicted) == (True, "trained", "ok")


@pytest.mark.parametrize(
    ("top", "kind", "effects"),
    [
        ("os.environ['SM_CHANNEL_TRAINING'] if __name__ != '__main__' else 0", "KeyError", ()),
        ("import argparse; argparse.ArgumentParser().parse_args([])", None, ()),
        ("import argparse; argparse.ArgumentParser().parse_args()", "SystemExit", ()),
        ("step(*build(), torch.rand(2, 4), torch.tensor([0, 1]))", None, ("took 1 optimizer step",)),
        ("open('log.txt', 'w').close()", None, ("wrote /home/model-server/log.txt",)),
    ],
)
def test_import_with_effects(run: Run, top: str, kind: str | None, effects: tuple[str, ...]) -> None:
    served = serve(run, f"{MODEL_FN}\n{top}")

    assert (served.imported and served.imported.kind) == kind
    assert served.effects == effects
    assert served.is_model == (kind is None)
    if served.imported:
        assert served.imported.line > 1
        assert "train.py" in served.imported.traceback


def test_connection_at_import_is_seen(run: Run) -> None:
    served = serve(run, MODEL_FN + "\nsocket.socket().connect_ex(('127.0.0.1', 9))")

    assert served.effects == ("opened a connection to 127.0.0.1:9",)


@pytest.mark.parametrize(
    ("top", "failure"),
    [
        ("def model_fn(folder): raise ValueError('no')", ("ValueError", "no")),
        ("def model_fn(a, b, c): return 1", ("TypeError", "model_fn takes 3 arguments but 1 were given.")),
        ("def model_fn(folder): time.sleep(60)", ("TimeoutError", "did not end within 3 seconds")),
        ("def model_fn(folder): os._exit(4)", ("ProcessEnded", "the process ended with code 4")),
    ],
)
def test_model_fn_that_fails(run: Run, top: str, failure: tuple[str, str]) -> None:
    served = serve(run, top, timeout=3.0)

    assert served.model_fn
    assert (served.model_fn.kind, served.model_fn.message) == failure
    assert not served.is_model


def test_model_fn_that_returns_no_model(run: Run) -> None:
    served = serve(run, "def model_fn(folder): return torch.load(folder + '/model.pth', weights_only=True)")

    assert (served.returned, served.is_model, served.weights) == ("OrderedDict", False, "unknown")


@pytest.mark.parametrize(
    ("handlers", "predicted"),
    [
        ("def predict_fn(data, model): return model(data)", "ok"),
        ("def predict_fn(data, model): return nn.functional.dropout(model(data))", "differs"),
        ("def predict_fn(data, model): return model(data) * float('nan')", "nan"),
        ("def predict_fn(data, model): return model(torch.tensor(data['json']))", "not tried"),
        ("def transform_fn(model, data, content_type, accept): return data", "not tried"),
    ],
)
def test_prediction(run: Run, handlers: str, predicted: str) -> None:
    assert serve(run, f"{MODEL_FN}\n{handlers}").predicted == predicted


def test_default_handler_turns_dropout_off(run: Run) -> None:
    top = "def model_fn(folder): return nn.Sequential(load(folder), nn.Dropout())"

    assert serve(run, top).predicted == "ok"


def test_prediction_that_fails(run: Run) -> None:
    top = """
    class Narrow(nn.Linear):
        def forward(self, x):
            return super().forward(x[:, :2])

    def model_fn(folder):
        model = Narrow(4, 3)
        model.load_state_dict(load(folder).state_dict())
        return model
    """
    served = serve(run, top)

    assert served.predicted == "failed"
    assert served.prediction
    assert served.prediction.kind == "RuntimeError"
    assert served.weights == "trained"


def test_serving_module_beside_the_script(run: Run, tmp_path: Path) -> None:
    (tmp_path / "inference.py").write_text(
        "import train\n\ndef model_fn(folder):\n    return train.load(folder)\n"
    )
    served = serve(run, "")

    assert (served.module, served.weights, served.model_fn_line) == ("inference.py", "trained", 3)


def test_all_hosts_make_one_archive_and_the_last_one_wins(run: Run) -> None:
    record: JobRecord = run(
        """
        torch.manual_seed(rank)
        model, sgd = build()
        step(model, sgd, torch.rand(6, 4), torch.arange(6) % 3)
        save(model)
        save(model, f"rank-{rank}.pth")
        """,
        """
        def model_fn(folder):
            second = load(folder, "rank-1.pth")
            if torch.equal(load(folder).weight, second.weight) and os.path.exists(folder + "/rank-0.pth"):
                return second
        """,
    )

    assert record.served
    assert record.served.weights == "trained"
    assert len(record.saved) == 4


def test_nothing_saved_is_still_imported(run: Run) -> None:
    served = serve(run, MODEL_FN, "pass")

    assert (served.has_model_fn, served.returned, served.imported) == (True, "", None)
