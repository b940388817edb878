"""Ranks on SLURM's nodes are a gang as on one host: joined, named when they fail, and gone when one of them is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.slurm.gang_on_nodes import RANKS_OF_TESTS, main, step_for
from xpshpc.cluster.minislurm import Cluster
from xpshpc.cluster.profile import read_profile
from xpshpc.cluster.ranks.gang import RankCrashed, RankKilled, run_gang
from xpshpc.cluster.readiness.check import State
from xpshpc.cluster.readiness.rank_trial import check_ranks_on_nodes
from xpshpc.errors import Drained, EnvironmentFault, UsageError

pytestmark = [pytest.mark.slurm, pytest.mark.ranks]

HERE = Path(__file__).parent
LAUNCHERS = ("srun-gloo", "srun-pmix")


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.05)


def all_here(folder: Path, ranks: int = 2) -> bool:
    files = [folder / f"{rank}.pid" for rank in range(ranks)]
    return all(file.exists() and file.read_text() for file in files)


def is_empty(cluster: Cluster) -> bool:
    return not cluster.leftovers() and not cluster.status().jobs


def started(folder: Path, behaviour: str, launcher: str = "srun-gloo") -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.slurm.gang_on_nodes", str(folder), behaviour, launcher]
    process = subprocess.Popen(command, cwd=HERE.parents[1])
    wait_for(lambda: all_here(folder))
    return process


def sruns_of(process: subprocess.Popen[bytes]) -> list[int]:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(pid) for pid in children if Path(f"/proc/{pid}/comm").read_text().strip() == "srun"]


def inside_a_job(cluster: Cluster, folder: Path, *arguments: str, nodes: int = 2, tasks: int = 2) -> str:
    """Runs the launcher as a batch job's only command; returns how it ended."""
    script = folder / "job.sh"
    call = " ".join([sys.executable, "-m", "tests.slurm.gang_on_nodes", str(folder), *arguments])
    script.write_text(f"#!/bin/sh\ncd {HERE.parents[1]}\n{call}\necho $? > {folder}/code\n")
    words = [f"--nodes={nodes}", f"--ntasks-per-node={tasks}", "--mem=1900M", f"--output={folder}/job.out"]
    answer = cluster.run("sbatch", "--parsable", *words, str(script))
    assert answer.ok, answer.last_words()
    wait_for(lambda: (folder / "code").exists() and bool((folder / "code").read_text()))
    return (folder / "code").read_text().strip()


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_ranks_of_two_nodes_find_their_place_and_their_gpu(launcher, slurm_environment, tmp_path):
    run_gang(
        "gpu_rank",
        [str(tmp_path)],
        ranks=4,
        launcher=launcher,
        step=step_for(4, gpus_per_node=2, memory_per_rank_mb=200),
        log_directory=tmp_path / "logs",
        environment={"PYTHONPATH": str(HERE)},
    )
    told = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(4)]
    first, second = told[0]["node"], told[2]["node"]
    assert first != second
    assert [(each["node"], each["gpu"]) for each in told] == [(first, "0"), (first, "1"), (second, "0"), (second, "1")]
    if launcher == "srun-gloo":
        assert [each["HOROVOD_LOCAL_RANK"] for each in told] == ["0", "1", "0", "1"]
        assert {each["HOROVOD_GLOO_IFACE"] for each in told} == {"lo"}


@pytest.mark.faults
@pytest.mark.parametrize("launcher", LAUNCHERS)
@pytest.mark.parametrize(
    ("behaviour", "kind", "words"),
    [
        ("explain", UsageError, "the axis does not fit"),
        ("crash", RankCrashed, r"rank 1 of 3 left with exit code 1(?s:.)*RuntimeError: a rank's own fault"),
        ("leave", RankCrashed, "rank 1 of 3 left with exit code 9"),
        ("kill", RankKilled, "rank 1 of 3 was ended by SIGKILL(?s:.)*rank 1 is here"),
    ],
)
def test_one_rank_that_fails_ends_all_and_is_named(launcher, behaviour, kind, words, slurm_environment, tmp_path):
    with pytest.raises(kind, match=words):
        main(tmp_path, behaviour, launcher, 3, 1)
    wait_for(lambda: is_empty(slurm_environment))


def test_the_doctor_lets_two_ranks_add_numbers_on_the_nodes_and_cleans_up(slurm_environment, tmp_path):
    (check,) = check_ranks_on_nodes(read_profile("minislurm"), tmp_path / "runs" / "new")
    assert check.state is State.OK and "on 2 nodes" in check.found
    assert list(tmp_path.iterdir()) == []
    wait_for(lambda: is_empty(slurm_environment))


@pytest.mark.parametrize("launcher", ["srun-gloo", "mpirun"])
def test_inside_a_job_ranks_are_a_step_beside_the_batch_script(launcher, slurm_environment, tmp_path):
    assert inside_a_job(slurm_environment, tmp_path, "finish", launcher, "4") == "0"
    assert all((tmp_path / "logs" / f"rank-{rank}.log").read_text() == f"rank {rank} is here\n" for rank in range(4))


@pytest.mark.faults
def test_inside_a_job_a_killed_rank_is_named_under_mpirun_too(slurm_environment, tmp_path):
    assert inside_a_job(slurm_environment, tmp_path, "kill", "mpirun", "3", "1") == "5"
    assert "rank 1 of 3 was ended by SIGKILL" in (tmp_path / "error").read_text()


@pytest.mark.faults
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_stop_request_reaches_the_ranks_and_drains_them(launcher, slurm_environment, tmp_path):
    threading.Thread(
        target=lambda: (wait_for(lambda: all_here(tmp_path)), os.kill(os.getpid(), signal.SIGTERM)), daemon=True
    ).start()
    with pytest.raises(Drained):
        main(tmp_path, "wait", launcher)
    wait_for(lambda: is_empty(slurm_environment))


@pytest.mark.faults
@pytest.mark.parametrize("behaviour", ["wait", "deaf"])
def test_ranks_do_not_outlive_a_killed_launcher(behaviour, slurm_environment, tmp_path):
    with started(tmp_path, behaviour) as process:
        process.kill()
    wait_for(lambda: is_empty(slurm_environment), 20)


@pytest.mark.faults
def test_ranks_do_not_outlive_launcher_and_srun_killed_together(slurm_environment, tmp_path):
    with started(tmp_path, "deaf") as process:
        for pid in [*sruns_of(process), process.pid]:
            os.kill(pid, signal.SIGKILL)
    wait_for(lambda: is_empty(slurm_environment), 20)


@pytest.mark.faults
def test_a_killed_srun_ends_the_ranks_and_the_call(slurm_environment, tmp_path):
    with started(tmp_path, "deaf") as process:
        (srun,) = sruns_of(process)
        os.kill(srun, signal.SIGKILL)
        assert process.wait(60) == 5
    assert "was lost, with its node or with srun" in (tmp_path / "error").read_text()
    wait_for(lambda: is_empty(slurm_environment), 20)


@pytest.mark.faults
def test_a_node_without_power_ends_the_gang(slurm_environment, tmp_path):
    with started(tmp_path, "wait") as process:
        (line,) = slurm_environment.status().jobs
        slurm_environment.kill_node(f"node{line.nodes.rstrip(']')[-1]}")
        assert process.wait(90) == 5
    assert "was lost, with its node" in (tmp_path / "error").read_text()
    wait_for(lambda: not slurm_environment.leftovers(), 30)


@pytest.mark.faults
def test_a_cancelled_job_drains_its_ranks(slurm_environment, tmp_path):
    with started(tmp_path, "wait") as process:
        (job,) = slurm_environment.status().jobs
        slurm_environment.run("scancel", job.id)
        assert process.wait(60) == 75


@pytest.mark.faults
def test_while_the_controller_is_away_the_launch_is_repeated(slurm_environment, tmp_path):
    slurm_environment.stop_controller()
    log = tmp_path / "logs" / "launcher.log"

    def bring_back() -> None:
        wait_for(lambda: log.exists() and "Unable to contact slurm controller" in log.read_text())
        slurm_environment.start_controller()

    threading.Thread(target=bring_back, daemon=True).start()
    main(tmp_path, "finish", "srun-gloo")


def test_what_slurm_refuses_is_a_usage_error_in_its_own_words(slurm_environment, tmp_path):
    with pytest.raises(UsageError, match=r"(?i)invalid partition"):
        run_gang(
            "gang_rank",
            [str(tmp_path), "finish"],
            ranks=2,
            launcher="srun-gloo",
            step=step_for(2, partition="nowhere"),
            log_directory=tmp_path / "logs",
            environment={"PYTHONPATH": str(RANKS_OF_TESTS)},
        )


def test_a_node_without_the_environment_is_an_environment_fault(slurm_environment, tmp_path):
    with pytest.raises(EnvironmentFault, match=r"no rank began(?s:.)*No such file"):
        run_gang(
            "gang_rank",
            [],
            ranks=2,
            launcher="srun-gloo",
            step=step_for(2, python="/nowhere/python"),
            log_directory=tmp_path / "logs",
        )


def test_a_queued_gang_that_is_asked_to_stop_gives_its_place_back(slurm_environment, tmp_path):
    slurm_environment.run("scontrol", "update", "partition=main", "state=down")
    threading.Thread(
        target=lambda: (
            wait_for(lambda: bool(slurm_environment.status().jobs)),
            os.kill(os.getpid(), signal.SIGTERM),
        ),
        daemon=True,
    ).start()
    try:
        with pytest.raises(Drained):
            main(tmp_path, "finish", "srun-gloo")
        wait_for(lambda: is_empty(slurm_environment), 20)
    finally:
        slurm_environment.run("scontrol", "update", "partition=main", "state=up")
