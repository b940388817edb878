"""A gang lives and dies as one: the cause is told, and no process is left, whatever happened."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from xpshpc.cluster.ranks.gang import RankCrashed, RankKilled, explain_failure, run_gang
from xpshpc.cluster.ranks.launchers import mpirun_command, rank_environment, read_mpirun_exit
from xpshpc.cluster.ranks.rendezvous import open_rendezvous
from xpshpc.errors import Drained, EnvironmentFault, UsageError

HERE = Path(__file__).parent
LAUNCHERS = ("gloo", "mpirun")


def start(folder: Path, behaviour: str, who: int = 0, *, launcher: str = "gloo", ranks: int = 2, **options):
    return run_gang(
        "gang_rank",
        [str(folder), behaviour, str(who)],
        ranks=ranks,
        launcher=launcher,
        log_directory=folder / "logs",
        environment={"PYTHONPATH": str(HERE)},
        **options,
    )


def wait_for(condition, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.02)


def all_here(folder: Path, ranks: int = 2) -> bool:
    files = [folder / f"{rank}.pid" for rank in range(ranks)]
    return all(file.exists() and file.read_text() for file in files)


def nobody_left(folder: Path) -> bool:
    return not any(lives(int(file.read_text())) for file in folder.glob("*.pid"))


def lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.ranks
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_gang_that_finishes_keeps_each_ranks_log(launcher, tmp_path):
    calls = []
    result = start(tmp_path, "finish", launcher=launcher, ranks=3, while_waiting=lambda: calls.append(1))
    assert result.ranks == 3 and calls
    assert [log.read_text() for log in result.logs] == [f"rank {rank} is here\n" for rank in range(3)]


@pytest.mark.ranks
@pytest.mark.faults
@pytest.mark.parametrize("launcher", LAUNCHERS)
@pytest.mark.parametrize(
    ("behaviour", "kind", "words"),
    [
        ("explain", UsageError, "the axis does not fit"),
        ("crash", RankCrashed, r"rank 1 of 2 left with exit code 1(?s:.)*RuntimeError: a rank's own fault"),
        ("leave", RankCrashed, "rank 1 of 2 left with exit code 9"),
        ("kill", RankKilled, "rank 1 of 2 was ended by SIGKILL(?s:.)*rank 1 is here"),
    ],
)
def test_one_rank_that_fails_ends_all_and_is_named(launcher, behaviour, kind, words, tmp_path):
    with pytest.raises(kind, match=words) as caught:
        start(tmp_path, behaviour, 1, launcher=launcher)
    assert nobody_left(tmp_path)
    if behaviour == "explain":
        assert (caught.value.where, caught.value.try_) == ("spectrum 7", "another axis")
    else:
        assert "rank-1.log" in caught.value.where


@pytest.mark.ranks
@pytest.mark.faults
@pytest.mark.parametrize("launcher", LAUNCHERS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_request_reaches_the_ranks_and_drains_them(launcher, number, tmp_path):
    before = signal.getsignal(number)
    threading.Thread(
        target=lambda: (wait_for(lambda: all_here(tmp_path)), os.kill(os.getpid(), number)), daemon=True
    ).start()
    with pytest.raises(Drained):
        start(tmp_path, "wait", launcher=launcher)
    assert nobody_left(tmp_path)
    assert signal.getsignal(number) is before


@pytest.mark.ranks
@pytest.mark.faults
@pytest.mark.parametrize("launcher", LAUNCHERS)
@pytest.mark.parametrize("behaviour", ["wait", "deaf"])
def test_ranks_do_not_outlive_a_killed_launcher(launcher, behaviour, tmp_path):
    command = [sys.executable, str(HERE / "gang_launcher.py"), str(tmp_path), behaviour, launcher]
    with subprocess.Popen(command) as process:
        wait_for(lambda: all_here(tmp_path))
        process.kill()
    wait_for(lambda: nobody_left(tmp_path))


@pytest.mark.ranks
@pytest.mark.faults
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_deaf_ranks_are_killed_when_their_time_to_drain_is_over(launcher, tmp_path):
    command = [sys.executable, str(HERE / "gang_launcher.py"), str(tmp_path), "deaf", launcher]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        wait_for(lambda: all_here(tmp_path))
        process.terminate()
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 75 and "did not stop within 1 s" in said
    assert nobody_left(tmp_path)


@pytest.mark.ranks
@pytest.mark.faults
def test_a_gang_that_takes_too_long_is_ended(tmp_path):
    with pytest.raises(EnvironmentFault, match="did not finish within 1 s"):
        start(tmp_path, "wait", timeout_s=1.0)
    assert nobody_left(tmp_path)


@pytest.mark.ranks
@pytest.mark.faults
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_temporary_files_go_with_their_rank_those_of_a_killed_one_with_the_next(launcher, tmp_path, monkeypatch):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    with pytest.raises(RankCrashed):
        start(tmp_path, "crash", 1, launcher=launcher)
    with pytest.raises(RankKilled):
        start(tmp_path, "kill", ranks=1, launcher=launcher)  # alone, for a rank that starts later removes what it left
    assert [*temporary.glob("xpshpc-rank-*/gang_rank*")]
    start(tmp_path, "finish", launcher=launcher)
    assert not [*temporary.glob("xpshpc-rank-*")]


def test_a_gang_without_ranks_is_refused(tmp_path):
    with pytest.raises(UsageError, match="at least one rank"):
        start(tmp_path, "finish", ranks=0)


def test_a_missing_mpirun_is_an_environment_fault(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentFault, match="mpirun is not installed"):
        start(tmp_path, "finish", launcher="mpirun")


def test_the_rendezvous_answers_on_its_own_address_only():
    with open_rendezvous("127.0.0.1") as port:
        listening = [c.laddr for c in psutil.Process().net_connections("tcp") if c.status == psutil.CONN_LISTEN]
        assert [address.ip for address in listening if address.port == port] == ["127.0.0.1"]
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_taken_port_is_an_environment_fault():
    with (
        open_rendezvous("127.0.0.1") as port,
        pytest.raises(EnvironmentFault, match="cannot listen"),
        open_rendezvous("127.0.0.1", port=port),
    ):
        pass


def test_ranks_see_no_trace_of_an_outer_launch():
    outer = {"HOME": "/h", "OMPI_COMM_WORLD_RANK": "3", "HOROVOD_RANK": "1", "HOROVOD_FUSION_THRESHOLD": "1"}
    environment = rank_environment(outer, {"MORE": "1"}, threads=2)
    assert environment.keys() & outer.keys() == {"HOME", "HOROVOD_FUSION_THRESHOLD"}
    assert environment["OMP_NUM_THREADS"] == environment["TF_NUM_INTRAOP_THREADS"] == "2"
    assert environment["MORE"] == "1"


def test_root_is_allowed_only_where_it_is_root():
    assert "--allow-run-as-root" in mpirun_command(2, root=True)
    assert "--allow-run-as-root" not in mpirun_command(2, root=False)


def test_mpirun_tells_which_rank_ended_how():
    killed = "mpirun noticed that process rank 2 with PID 0 on node vm exited on signal 9 (Killed)."
    assert read_mpirun_exit(killed, 137, 3) == {0: 0, 1: 0, 2: -9}
    left = "  Process name: [[4242,1],1]\n  Exit code:    7\n"
    assert read_mpirun_exit(left, 7, 3) == {0: 0, 1: 7, 2: 0}
    assert read_mpirun_exit("bad luck", 3, 2) == {0: 3, 1: 0}
    assert read_mpirun_exit("", 0, 2) == {0: 0, 1: 0}


def test_the_cause_is_told_and_not_what_followed():
    logs = Path("logs")
    told = {1: {"error": "NaN", "where": "shard 3", "try": "verify", "exit_code": 1}}
    assert explain_failure({0: 1, 1: 1}, told, ["", ""], logs, False).what == "NaN"
    assert isinstance(explain_failure({0: 1, 1: -9}, {}, ["lost a partner", ""], logs, False), RankKilled)
    assert "rank 0 of 2" in explain_failure({0: 1}, {}, ["x", ""], logs, False).what
    lost = {0: {"error": "another rank is gone", "where": "", "try": "", "exit_code": 76}}
    assert "rank 1 of 2" in explain_failure({0: 76, 1: 1}, lost, ["", "x"], logs, False).what
    assert isinstance(explain_failure({0: 76, 1: -9}, lost, ["", ""], logs, False), RankKilled)
    assert "lost each other" in explain_failure({0: 76}, lost, ["", ""], logs, False).what
    assert isinstance(explain_failure({0: 75, 1: 75}, {}, ["", ""], logs, False), Drained)
    assert isinstance(explain_failure({0: -15, 1: 75}, {}, ["", ""], logs, True), Drained)
    assert isinstance(explain_failure({0: -15, 1: 75}, {}, ["", ""], logs, False), RankKilled)
