"""A submitted run in a bad night: whatever dies, in the morning it is complete, and as if nothing had been."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.invariants import check_nothing_is_left, check_plan_is_covered, store_bytes
from tests.slurm.commands import wait_until
from xpshpc.cluster.minislurm import Cluster
from xpshpc.cluster.process import ProcessId, kill_process
from xpshpc.cluster.slurm.client import JobState, Slurm
from xpshpc.cluster.submission.history import read_history as read_lives
from xpshpc.cluster.submission.record import read_submission
from xpshpc.events import read_events
from xpshpc.run_directory import RunDirectory
from xpshpc.train.history import history_path, read_history
from xpshpc.train.result import events_path

pytestmark = [pytest.mark.slurm, pytest.mark.faults, pytest.mark.ranks]

DEMO = Path(__file__).parents[2] / "jobs" / "demo.toml"
SHARDS = 48
SETTINGS = {
    "generate.samples": 128 * SHARDS,
    "generate.shard_samples": 128,
    "generate.inner_chunk_samples": 128,
    "generate.workers": 2,
    "train.epochs": 5,
    "train.global_batch": 64,
    "train.parameters.filters_1": 4,
}
NIGHT_S = 420.0


def xpshpc(*words: str) -> Any:
    """The JSON answer of a command that does what it is asked for."""
    command = [sys.executable, "-m", "xpshpc", *words, "--json"]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=300)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    return json.loads(done.stdout)


def on_demo(command: str, runs: Path, *words: str) -> RunDirectory:
    """Gives a command on the small job; returns its run."""
    settings = [f"--set={key}={value}" for key, value in SETTINGS.items()]
    xpshpc(command, str(DEMO), f"--runs={runs}", *settings, *words)
    return RunDirectory(runs / "demo")


def coordinators(cluster: Cluster) -> list[ProcessId]:
    """The processes on the nodes that make a data set by their workers; not the wrappers that watch over them."""
    return [process for process in cluster.leftovers() if _words(process)[1:4] == ["-m", "xpshpc", "generate"]]


def _words(process: ProcessId) -> list[str]:
    try:
        return Path(f"/proc/{process.pid}/cmdline").read_text().split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def job(job_id: str) -> JobState:
    return Slurm().jobs([job_id])[0]


def lose_the_coordinator(cluster: Cluster, run: RunDirectory) -> None:
    """Some shards into the data set, kills the process that coordinates it."""
    wait_until(lambda: stored(run) >= 3, NIGHT_S)
    before = coordinators(cluster)
    for process in before:
        kill_process(process)
    wait_until(lambda: any(process not in before for process in coordinators(cluster)), NIGHT_S)


def lose_a_worker(cluster: Cluster, run: RunDirectory) -> None:
    """Some shards later, cancels a job of a worker."""
    reached = stored(run) + 3
    wait_until(lambda: stored(run) >= reached, NIGHT_S)
    workers = [line.id for line in cluster.status().jobs if "-workers-" in line.name and line.state == "running"]
    assert workers
    Slurm().cancel(workers[:1])


def lose_a_node(cluster: Cluster, run: RunDirectory, training: str) -> None:
    """After an epoch, cuts the power of the node that holds the second rank, and lets it boot."""
    wait_until(lambda: len(read_history(history_path(run))) >= 1, NIGHT_S)
    *_, last = Slurm().expand(job(training).nodes)
    cluster.kill_node(last)
    wait_until(lambda: restarted(run, training) >= 1, NIGHT_S)
    cluster.start_node(last)


def lose_the_controller(cluster: Cluster, run: RunDirectory, training: str) -> None:
    """Once the training goes on, kills slurmctld and starts it on what it last saved.

    A controller that has forgotten this life of the job would start it twice, and hold it until an operator comes.
    """
    wait_until(lambda: any(event["event"] == "StageStarted" for event in read_events(events_path(run))), NIGHT_S)
    began = job(training).started
    assert began is not None
    saved = cluster.root / "state" / "job_state"
    wait_until(lambda: saved.stat().st_mtime > began + 1, NIGHT_S)
    cluster.stop_controller()
    cluster.start_controller()


def preempt(run: RunDirectory, training: str) -> None:
    """Asks the training to stop after one more epoch, as a site does that wants the nodes for somebody else."""
    wait_until(lambda: len(read_history(history_path(run))) >= 2, NIGHT_S)
    lives = restarted(run, training)
    Slurm().cancel([training], signal="TERM")
    wait_until(lambda: restarted(run, training) > lives, NIGHT_S)


def stored(run: RunDirectory) -> int:
    """How many shards are committed."""
    return sum(file.stem.isdecimal() for file in run.commits.glob("*.json"))


def restarted(run: RunDirectory, job_id: str) -> int:
    """How many lives of a job have begun after its first."""
    return sum(life.what == "started" for life in read_lives(run.path) if life.job_id == job_id) - 1


def losses(run: RunDirectory) -> list[tuple[float, dict[str, float]]]:
    return [(epoch.loss, epoch.validation) for epoch in read_history(history_path(run))]


def test_in_the_morning_the_run_is_complete_and_as_if_nothing_had_been(
    slurm_environment: Cluster, tmp_path: Path
) -> None:
    run = on_demo("submit", tmp_path / "night", "--on=minislurm", "--yes")
    submission = read_submission(run.path)
    assert submission is not None
    jobs = {each.stage: each.job_id for each in submission.jobs}
    training = jobs["train"]
    assert training is not None

    lose_the_coordinator(slurm_environment, run)
    lose_a_worker(slurm_environment, run)
    lose_a_node(slurm_environment, run, training)
    lose_the_controller(slurm_environment, run, training)
    preempt(run, training)
    wait_until(lambda: all(state.over for state in Slurm().jobs(submission.job_ids)), NIGHT_S)

    logs = "".join(log.read_text() for log in sorted((run.logs / "slurm").glob("*.out")))
    states = {state.name: state.state for state in Slurm().jobs(submission.job_ids)}
    assert set(states.values()) == {"COMPLETED"}, f"{states}\n{logs}"
    assert xpshpc("verify", str(run.path))["ok"]
    check_plan_is_covered(run)
    check_nothing_is_left(run)
    assert xpshpc("status", str(run.path))["complete"] is True
    assert run.report.is_file()
    wait_until(lambda: not slurm_environment.leftovers())
    assert not slurm_environment.status().jobs

    calm = on_demo("generate", tmp_path / "calm", "--on=local")
    on_demo("train", tmp_path / "calm", "--on=local", "--ranks=2")
    assert store_bytes(run) == store_bytes(calm)
    assert losses(run) == losses(calm)
