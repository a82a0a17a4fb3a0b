"""Jobs with real ranks: how they end, what they find around them, and that nothing is left afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_sagemaker.job.checks.failures import culprit
from pytest_sagemaker.job.engine import EngineError
from pytest_sagemaker.job.launch import GRACE
from pytest_sagemaker.job.record import World
from pytest_sagemaker.job.run import Session
from pytest_sagemaker.job.spec import JobSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Run

    from pytest_sagemaker.job.record import JobRecord

pytestmark = [pytest.mark.ranks, pytest.mark.xdist_group("ranks")]


def exit_codes(record: JobRecord) -> list[int | None]:
    return [rank.exit_code for rank in record.ranks]


def last_lines(record: JobRecord) -> list[str]:
    return [rank.output.splitlines()[-1] for rank in record.ranks]


def test_two_ranks_form_a_world_and_reduce(run: Run) -> None:
    record = run("form('nccl'); total = torch.ones(1); dist.all_reduce(total); print(total.item())")

    assert exit_codes(record) == [0, 0]
    assert [rank.world for rank in record.ranks] == [
        World("gloo", 0, 2, asked="nccl"),
        World("gloo", 1, 2, asked="nccl"),
    ]
    assert last_lines(record) == ["2.0", "2.0"]
    assert record.notes == ("the script asked for the nccl backend; this machine ran it on gloo",)
    assert [rank.host for rank in record.ranks] == ["algo-1", "algo-2"]
    assert not record.failed


@pytest.mark.parametrize(
    "forming",
    [
        "form()",
        "form(init_method='tcp://algo-1:1234')",
        "os.environ.update(MASTER_ADDR=hosts[0], MASTER_PORT='29500'); form()",
        "os.environ['TORCHELASTIC_USE_AGENT_STORE'] = 'True'; form()",
        "form(); dist.destroy_process_group(); form()",
        "form(store=dist.TCPStore('algo-1', 4321, 2, rank == 0))",
    ],
)
def test_names_of_hosts_lead_to_rank_zero(run: Run, forming: str) -> None:
    record = run(f"{forming}; dist.barrier(); print(socket.gethostname(), socket.gethostbyname('algo-2'))")

    assert last_lines(record) == ["algo-1 127.0.0.1", "algo-2 127.0.0.1"]


def test_localhost_is_another_machine_on_each_host(run: Run) -> None:
    record = run("form(init_method='tcp://localhost:1234')", timeout=2.0)

    assert record.hung


def test_localhost_is_one_machine_for_the_ranks_of_a_host(run: Run) -> None:
    record = run(
        """
        number = int(os.environ["RANK"])
        dist.init_process_group("gloo", init_method="tcp://localhost:1234", rank=number, world_size=2)
        dist.barrier()
        """,
        hosts=1,
        launcher="torchrun",
        processes=2,
    )

    assert [rank.world and rank.world.rank for rank in record.ranks] == [0, 1]
    assert not record.failed


def test_torchrun_starts_several_ranks_a_host(run: Run) -> None:
    record = run(
        "dist.init_process_group(); print(dist.get_rank(), os.environ['LOCAL_RANK']); dist.barrier()",
        launcher="torchrun",
        processes=2,
    )

    assert last_lines(record) == ["0 0", "1 1", "2 0", "3 1"]
    assert [rank.world.size for rank in record.ranks if rank.world] == [4] * 4


def test_script_finds_what_its_container_has_and_nothing_of_ours(run: Run) -> None:
    record = run(
        """
        expected = os.path.join(os.environ["SM_MODULE_DIR"], "train.py")
        assert __file__ == expected and sys.argv == ["train.py", "--epochs", "3"], sys.argv
        assert os.getcwd() == sys.path[0] == os.path.dirname(__file__)
        assert not {"GLOO_SOCKET_IFNAME", "OMP_NUM_THREADS", "TMPDIR"} & set(os.environ)
        assert not any(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
        assert sys.stdin.read() == "" and threading.active_count() == 1
        assert len(os.listdir("/dev/fd")) <= 5  # three streams, the file for stacks, this folder
        assert sys.modules["__main__"].Data is Data and logging.getLogger().handlers == []
        """,
        hosts=1,
        hyperparameters={"epochs": 3},
    )

    assert exit_codes(record) == [0], record.ranks[0].output


def test_interpreters_end_is_that_of_a_script(run: Run) -> None:
    """Threads are joined, atexit runs, files left open are written, `del` of a global has its effect."""
    record = run(
        """
        import atexit
        atexit.register(print, "atexit")
        threading.Thread(target=lambda: (time.sleep(0.1), print("thread"))).start()
        unclosed = open(os.path.join(os.environ["SM_MODEL_DIR"], "notes.txt"), "w")
        unclosed.write("kept")
        print("main")
        """,
        hosts=1,
    )

    assert record.ranks[0].output == "main\nthread\natexit"
    assert [(file.path, file.size, file.writers) for file in record.saved] == [("notes.txt", 4, (0,))]


@pytest.mark.parametrize(
    ("failing", "code", "kind", "said"),
    [
        ("raise ValueError('no such thing')", 1, "ValueError", "no such thing"),
        ("sys.exit(3)", 3, "SystemExit", ""),
        ("sys.exit('all is lost')", 1, "SystemExit", "all is lost"),
        ("import argparse; argparse.ArgumentParser().parse_args(['--x'])", 2, "SystemExit", "unrecognized"),
        ("import no_such_package", 1, "ModuleNotFoundError", "no_such_package"),
        ("os.kill(os.getpid(), signal.SIGINT); time.sleep(9)", 130, "KeyboardInterrupt", "KeyboardInterrupt"),
        ("os._exit(5)", 5, None, ""),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, None, ""),
        ("import ctypes; ctypes.string_at(0)", -signal.SIGSEGV, None, ""),
    ],
)
def test_failing_rank_is_told_from_those_it_takes_along(
    run: Run, failing: str, code: int, kind: str | None, said: str
) -> None:
    record = run(f"form()\nif rank == 1:\n    {failing}\ndist.all_reduce(torch.ones(1))")

    other, failed = record.ranks
    assert (failed.exit_code, failed.failure and failed.failure.kind) == (code, kind)
    assert said in failed.output
    assert other.failure
    assert other.failure.kind == "RuntimeError"
    assert culprit(record) == failed
    assert record.served is None
    if failed.failure:
        script = Path(record.script).read_text().splitlines()
        assert failing in script[failed.failure.line - 1]
        assert "train.py" in failed.failure.traceback
    assert "pytest_sagemaker" not in "".join(rank.output for rank in record.ranks)


def test_syntax_error_has_its_line(session: Session, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import os\ndef f(:\n    pass\n")

    failure = session.run(JobSpec(tmp_path / "train.py", hosts=1)).ranks[0].failure

    assert failure
    assert (failure.kind, failure.line) == ("SyntaxError", 2)


def test_ranks_that_wait_for_a_failed_one_are_ended(run: Run) -> None:
    record = run("if rank == 1:\n    raise KeyError('SM_CHANNEL_X')\nform()")

    waiting, failed = record.ranks
    assert (waiting.exit_code, waiting.ended_by_us) == (-signal.SIGKILL, True)
    assert (failed.exit_code, failed.ended_by_us) == (1, False)
    assert waiting.ended_at - failed.ended_at == pytest.approx(GRACE, abs=1.0)
    assert not record.hung


def test_hang_in_a_collective_shows_where_each_rank_stood(run: Run) -> None:
    record = run(
        """
        form()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        dist.all_reduce(torch.ones(1)) if rank == 0 else time.sleep(60)
        """,
        timeout=4.0,
    )

    assert record.hung
    assert record.seconds < 8
    assert [(rank.exit_code, rank.ended_by_us) for rank in record.ranks] == [(None, True)] * 2
    line = (
        Path(record.script)
        .read_text()
        .splitlines()
        .index("    dist.all_reduce(torch.ones(1)) if rank == 0 else time.sleep(60)")
    )
    assert all(f'File "train.py", line {line + 1} in <module>' in rank.stack for rank in record.ranks)
    assert "in all_reduce" in record.ranks[0].stack
    assert "pytest_sagemaker" not in record.ranks[0].stack


def test_script_that_trains_nothing(run: Run) -> None:
    rank = run("print('hello')", hosts=1).ranks[0]

    assert (rank.exit_code, rank.world, rank.steps, rank.training, rank.output) == (0, None, 0, (), "hello")


def test_flood_of_output_keeps_the_end(run: Run) -> None:
    rank = run("for line in range(200_000): print('x' * 80)\nprint('last')", hosts=1).ranks[0]

    assert rank.output.endswith("last")
    assert len(rank.output) < 100_000


def test_spawned_processes_are_ranks(run: Run) -> None:
    """`mp.spawn` starts new interpreters: they find the names of hosts, and are seen."""
    record = run(
        "torch.multiprocessing.spawn(work, nprocs=1)",
        """
        def work(local):
            form()
            model, sgd = build()
            step(model, sgd, torch.ones(2, 4), torch.tensor([0, 1]))
            save(model)
        """,
        hosts=1,
    )

    (rank,) = record.ranks
    assert (rank.exit_code, rank.world, rank.steps) == (0, World("gloo", 0, 1, asked="gloo"), 1), rank.output
    assert rank.parameters.changed
    assert record.saved[0].writers == (0,)


def line_of(record: JobRecord, text: str) -> int:
    """The line of the script that holds a text."""
    lines = Path(record.script).read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_visible_records_are_counted_and_their_lines_stay_right(run: Run) -> None:
    record = run(
        """
        logging.basicConfig(format="%(lineno)d %(message)s", level=logging.INFO, stream=sys.stdout)
        logger.info("one")
        logger.debug("asked by nobody")
        logging.LoggerAdapter(logger, {}).warning("two")
        """,
        "logger = logging.getLogger('train')",
        hosts=1,
    )

    rank = record.ranks[0]
    assert (rank.logged, rank.visible, rank.first_logged_line) == (2, 2, 0)
    first, second = line_of(record, 'info("one")'), line_of(record, 'warning("two")')
    assert rank.output == f"{first} one\n{second} two"


@pytest.mark.parametrize(
    "handler",
    ["logging.NullHandler()", "logging.FileHandler(os.path.join(os.environ['SM_OUTPUT_DIR'], 'log'))"],
)
def test_records_that_reach_no_stream_are_invisible(run: Run, handler: str) -> None:
    record = run(
        f"logger.addHandler({handler})\nlogger.info('one')\nlogger.error('two')",
        "logger = logging.getLogger('train')\nlogger.setLevel(logging.INFO)",
        hosts=1,
    )

    rank = record.ranks[0]
    assert (rank.logged, rank.visible, rank.first_logged_line) == (2, 0, line_of(record, "'one'"))


def test_files_outside_the_collected_folders_are_listed(run: Run) -> None:
    record = run(
        """
        for folder in (os.environ["SM_OUTPUT_DATA_DIR"], os.environ["SM_MODEL_DIR"], ".", "made"):
            os.makedirs(folder, exist_ok=True)
            with open(os.path.join(folder, f"rank-{rank}.txt"), "w") as file:
                file.write("x")
        """
    )

    assert [(file.host, file.path, file.writers) for file in record.saved] == [
        ("algo-1", "rank-0.txt", (0,)),
        ("algo-2", "rank-1.txt", (1,)),
    ]
    assert set(record.elsewhere) == {
        f"algo-{number}: /opt/ml/code/{path}rank-{number - 1}.txt"
        for number in (1, 2)
        for path in ("", "made/")
    }


def test_writers_are_seen_whatever_writes(run: Run) -> None:
    """torch writes from C++; a rename puts a file in place; a DataLoader worker writes for its rank."""
    record = run(
        """
        folder = os.environ["SM_MODEL_DIR"]
        torch.save({}, os.path.join(folder, "a.pt"))
        torch.jit.script(nn.Linear(1, 1)).save(os.path.join(folder, "b.pt"))
        torch.save({}, "draft")
        os.replace("draft", os.path.join(folder, "c.pt"))
        list(DataLoader(Writing(), num_workers=1))
        """,
        """
        class Writing(Data):
            def __init__(self): super().__init__(2)
            def __getitem__(self, index):
                with open(os.path.join(os.environ["SM_MODEL_DIR"], "d.txt"), "a") as file:
                    file.write("x")
                return index
        """,
        hosts=1,
    )

    assert [(file.path, file.writers) for file in record.saved] == [
        ("a.pt", (0,)),
        ("b.pt", (0,)),
        ("c.pt", (0,)),
        ("d.txt", (0,)),
    ]


def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Whether a condition comes true in time."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def processes() -> dict[int, str]:
    """The command line of every process of this machine, by its number."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            found[int(folder.name)] = (folder / "cmdline").read_text()
    return found


@pytest.fixture
def short_path() -> Iterator[Path]:
    """An empty folder whose path leaves room for torch's sockets (108 bytes in all)."""
    with tempfile.TemporaryDirectory(prefix="t") as folder:
        yield Path(folder)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_nothing_is_left(run: Run, short_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Daemonised, grandchildren, in shared memory, with a handler for SIGTERM."""
    seconds = str(987_000 + os.getpid() % 1000)  # a command line that is nobody else's
    monkeypatch.setattr(tempfile, "tempdir", str(short_path))

    record = run(
        f"""
        subprocess.Popen(["sleep", "{seconds}"], start_new_session=True)
        subprocess.Popen(["sh", "-c", "trap '' TERM; sleep {seconds} & sleep {seconds}"])
        torch.multiprocessing.set_sharing_strategy("file_system")
        shared = torch.ones(1000).share_memory_()
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        hosts=1,
    )

    assert exit_codes(record) == [-signal.SIGKILL]
    assert not [command for command in processes().values() if seconds in command or "shm_manager" in command]
    assert not list(short_path.iterdir())
    assert not list(Path("/dev/shm").glob(f"torch_*_{os.getpid()}"))


def test_trees_stay_where_they_are_wanted(run: Run, tmp_path: Path) -> None:
    run("open('here.txt', 'w').close()", hosts=1, keep=tmp_path / "kept")

    assert (tmp_path / "kept" / "algo-1" / "opt" / "ml" / "code" / "here.txt").is_file()


def engines() -> set[int]:
    return {number for number, command in processes().items() if "pytest_sagemaker.job.engine" in command}


@pytest.fixture
def _ctrl_c() -> Iterator[None]:
    """SIGINT as in a foreground job: a shell's background job has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_ctrl_c")
def test_interrupted_wait_ends_everything_and_the_next_job_runs(session: Session, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    started = tmp_path / "started"
    script.write_text(f"import pathlib, time\npathlib.Path({str(started)!r}).touch()\ntime.sleep(60)\n")

    def interrupt() -> None:
        while not started.exists():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    before = engines()
    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        session.run(JobSpec(script, hosts=1))
    thread.join()
    assert len(engines() & before) < len(before)
    script.write_text("print('again')")
    assert last_lines(session.run(JobSpec(script, hosts=1))) == ["again"]


def test_engine_that_dies_is_told_and_replaced(session: Session, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\n")
    with pytest.raises(EngineError, match=r"runs the ranks died \(exit code -9\)"):
        session.run(JobSpec(script, hosts=1))
    script.write_text("print('again')")
    assert last_lines(session.run(JobSpec(script, hosts=1))) == ["again"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_nothing_is_left_of_a_session_that_was_killed(tmp_path: Path) -> None:
    seconds = str(986_000 + os.getpid() % 1000)
    started = tmp_path / "started"
    script = tmp_path / "train.py"
    script.write_text(
        "import pathlib, subprocess, sys\n"
        f"sleeping = subprocess.Popen(['sleep', '{seconds}'], start_new_session=True)\n"
        f"pathlib.Path({str(started)!r}).write_text(sys.path[0])\n"
        "sleeping.wait()\n"
    )
    running = (
        "from pathlib import Path\n"
        "from pytest_sagemaker.job.run import Session\n"
        "from pytest_sagemaker.job.spec import JobSpec\n"
        f"Session().run(JobSpec(Path({str(script)!r}), hosts=1))\n"
    )

    with subprocess.Popen([sys.executable, "-c", running]) as session:
        assert eventually(lambda: started.exists() and started.stat().st_size > 0)
        session.kill()

    code = Path(started.read_text())
    assert eventually(lambda: not any(seconds in command for command in processes().values()))
    assert eventually(lambda: not code.exists())


def test_missing_torch_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError('No module named torch', name='torch')")
    (tmp_path / "train.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    with (
        Session() as session,
        pytest.raises(EngineError, match=r'^running .*: pip install "pytest-sagemaker\['),
    ):
        session.run(JobSpec(tmp_path / "train.py"))
