"""What befalls workers in SLURM jobs: others take their shards, jobs are replaced, and no byte changes."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.benches import make_shards
from tests.coordinator import wait_until
from tests.invariants import check_invariants, store_bytes
from tests.slurm.actors import KEEPER, WORKER, actors, profile_of, worker_jobs
from tests.sources import numbers_job
from xpshpc.cluster.minislurm import Cluster
from xpshpc.cluster.workers.events import WorkerJoined
from xpshpc.events import Event, read_events
from xpshpc.generate.events import ShardCommitted
from xpshpc.generate.generate import GenerateResult, generate
from xpshpc.run_directory import RunDirectory

pytestmark = [pytest.mark.slurm, pytest.mark.faults]

JOB: dict[str, Any] = {"samples": 480, "piece_s": 0.4, "silence_s": 6.0}
REPLACED: dict[str, Any] = {**JOB, "piece_s": 1.2, "silence_s": 30.0}
SHARDS = 30
Strike = Callable[[Cluster], None]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    run = RunDirectory(tmp_path_factory.mktemp("undisturbed") / "run")
    make_shards(run, numbers_job(480), range(SHARDS))
    return store_bytes(run)


def struck_run(
    cluster: Cluster, folder: Path, strike: Strike, commits: int = 3, job: dict[str, Any] = JOB
) -> tuple[RunDirectory, GenerateResult]:
    """A data set made by four worker jobs, with a strike that falls after so many commits, once all four are there."""
    run = RunDirectory(folder / "run")
    seen, joined, struck = 0, set[str](), False

    def watch(event: Event) -> None:
        nonlocal seen, struck
        if isinstance(event, WorkerJoined):
            joined.add(event.worker)
        if isinstance(event, ShardCommitted):
            seen += 1
            if seen >= commits and len(joined) == 4 and not struck:
                struck = True
                strike(cluster)

    profile = profile_of(cluster, lost_after_s=15.0)
    result = generate(numbers_job(**job), run, workers=4, profile=profile, on_event=watch)
    assert struck
    assert not cluster.status().jobs
    # Workers of jobs that a killed controller has forgotten leave when their scheduler does.
    wait_until(lambda: not cluster.leftovers(), timeout_s=20)
    return run, result


def kill_worker(cluster: Cluster) -> None:
    os.kill(actors(cluster)[WORKER][0].pid, signal.SIGKILL)


def kill_keeper(cluster: Cluster) -> None:
    os.kill(actors(cluster)[KEEPER][0].pid, signal.SIGKILL)


def stop_worker(cluster: Cluster) -> None:
    os.kill(actors(cluster)[WORKER][0].pid, signal.SIGSTOP)


def cancel_job(cluster: Cluster) -> None:
    assert cluster.run("scancel", worker_jobs(cluster)[0]).ok


def cut_power(cluster: Cluster) -> None:
    """Of a node that has a worker."""
    node = next(node for node in cluster.nodes if any(job.nodes == node for job in cluster.status().jobs))
    cluster.kill_node(node)


def restart_controller(cluster: Cluster) -> None:
    cluster.stop_controller()
    threading.Timer(3.0, cluster.start_controller).start()


def end_time(cluster: Cluster) -> None:
    """The end of a job's time is now so near that SLURM sends its signal when it looks next."""
    end = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() + 36))
    assert cluster.run("scontrol", "update", f"JobId={worker_jobs(cluster)[0]}", f"EndTime={end}").ok


@pytest.mark.parametrize(
    ("strike", "causes"),
    [
        (kill_worker, {"worker_lost"}),
        (stop_worker, {"silent"}),
        (cut_power, {"worker_lost"}),
        (restart_controller, set()),
    ],
)
def test_one_strike_costs_no_sample_and_no_byte(
    slurm_environment: Cluster, tmp_path: Path, undisturbed: dict[str, str], strike: Strike, causes: set[str]
) -> None:
    run, result = struck_run(slurm_environment, tmp_path, strike)
    assert set(result.failures) <= causes
    assert sum(result.failures.values()) <= 2
    assert (result.committed, result.quarantined) == (480, 0)
    check_invariants(run, numbers_job(**JOB), undisturbed)


@pytest.mark.parametrize(("strike", "causes"), [(kill_keeper, {"worker_lost"}), (cancel_job, {"stopped"})])
def test_a_job_that_ends_too_soon_is_replaced(
    slurm_environment: Cluster, tmp_path: Path, undisturbed: dict[str, str], strike: Strike, causes: set[str]
) -> None:
    """A worker of another job joins before the data set is complete; a worker dies with its nanny."""
    run, result = struck_run(slurm_environment, tmp_path, strike, job=REPLACED)
    assert set(result.failures) <= causes
    assert sum(result.failures.values()) <= 2
    check_replaced(run)
    assert ("AllocationFailed" in {event["event"] for event in read_events(run.events)}) == (strike is kill_keeper)
    check_invariants(run, numbers_job(**REPLACED), undisturbed)


def test_a_job_whose_time_is_nearly_over_is_asked_to_leave_and_replaced(
    slurm_environment: Cluster, tmp_path: Path
) -> None:
    """By SLURM, with the signal that the job has asked for; SLURM looks at the time twice a minute."""
    job: dict[str, Any] = {**JOB, "samples": 800, "piece_s": 2.0, "silence_s": 30.0}
    run, result = struck_run(slurm_environment, tmp_path, end_time, commits=1, job=job)
    assert set(result.failures) <= {"stopped"}
    check_replaced(run)
    assert "AllocationFailed" not in {event["event"] for event in read_events(run.events)}
    make_shards(RunDirectory(tmp_path / "whole"), numbers_job(800), range(50))
    check_invariants(run, numbers_job(**job), store_bytes(RunDirectory(tmp_path / "whole")))


def check_replaced(run: RunDirectory) -> None:
    """One job was asked for beyond the four, and workers of all have joined."""
    events = list(read_events(run.events))
    requested = [event for event in events if event["event"] == "WorkersRequested"]
    assert [event["jobs"] for event in requested] == [4, 1]
    joined = [event["job_id"] for event in events if event["event"] == "WorkerJoined"]
    assert set(joined) == {job for event in requested for job in event["job_ids"]}


def test_commands_that_fail_for_a_while_are_asked_again(
    slurm_environment: Cluster,
    tmp_path: Path,
    undisturbed: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failing = ("sbatch", "squeue", "scontrol")
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in failing:
        write_failing(folder, name, times=3)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    run = RunDirectory(tmp_path / "run")
    generate(numbers_job(**JOB), run, workers=4, profile=profile_of(slurm_environment))
    for name in failing:
        assert (folder / f"{name}.failed").read_text().count("\n") == 3
    requested = [event["jobs"] for event in read_events(run.events) if event["event"] == "WorkersRequested"]
    assert requested == [4]
    check_invariants(run, numbers_job(**JOB), undisturbed)


def write_failing(folder: Path, name: str, times: int) -> None:
    """A command that says what SLURM says when its controller is busy, so many times, and then is the real one."""
    program, failed = folder / name, folder / f"{name}.failed"
    program.write_text(
        f"""#!/bin/sh
if [ "$(cat {failed} 2>/dev/null | wc -l)" -lt {times} ]; then
    echo failed >> {failed}
    echo "{name}: error: Unable to contact slurm controller (connect failure)" >&2
    exit 1
fi
exec {shutil.which(name)} "$@"
"""
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
