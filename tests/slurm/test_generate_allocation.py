"""The data set made by the ranks of one allocation: the same bytes, and whoever dies, nothing is left running."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.benches import make_shards
from tests.coordinator import coordinator_command, wait_until
from tests.invariants import check_nothing_is_left, check_plan_is_covered, store_bytes
from tests.slurm.actors import write_profile
from tests.slurm.numbers_domain import ROOT, install
from tests.sources import numbers_job
from xpshpc.cluster.minislurm import Cluster
from xpshpc.cluster.profile import Profile, read_profile
from xpshpc.cluster.slurm.client import Slurm
from xpshpc.errors import EnvironmentFault, UsageError
from xpshpc.events import Event, StageProgressed, StageStarted, read_events
from xpshpc.generate.allocation import srun_command
from xpshpc.generate.events import ShardCommitted, WorkerJoined
from xpshpc.generate.generate import GenerateResult, generate
from xpshpc.run_directory import RunDirectory

pytestmark = pytest.mark.slurm

JOB: dict[str, Any] = {"samples": 320, "piece_s": 0.1}
SLOW_JOB = {**JOB, "piece_s": 0.5}
SHARDS = 20
WORKERS = 3


def profile(**generate_site: Any) -> Profile:
    tables = read_profile("minislurm").model_dump(exclude_none=True)
    tables["slurm"]["generate"] |= {"mode": "allocation", **generate_site}
    return Profile.model_validate(tables)


@pytest.fixture(autouse=True)
def nodes_know_the_science(slurm_environment: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", install(tmp_path / "science"))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    run = RunDirectory(tmp_path_factory.mktemp("undisturbed") / "run")
    make_shards(run, numbers_job(**JOB), range(SHARDS))
    return store_bytes(run)


def check_nothing_runs(cluster: Cluster) -> None:
    wait_until(lambda: cluster.status().jobs == () and cluster.leftovers() == ())


def ranks(role: int) -> list[psutil.Process]:
    """The processes of one rank (0: scheduler, 1: coordinator, from 2: workers), seen from outside the nodes."""
    found = []
    for process in psutil.process_iter():
        try:
            arguments, environment = process.cmdline(), process.environ()
        except psutil.Error:
            continue
        ours = environment.get("SLURM_CONF") == os.environ["SLURM_CONF"]
        if ours and "xpshpc.generate.allocation_rank" in arguments and environment.get("SLURM_PROCID") == str(role):
            found.append(process)
    return found


def make(run: RunDirectory, on_event: Any = None, job: dict[str, Any] = JOB) -> GenerateResult:
    return generate(numbers_job(**job), run, workers=WORKERS, profile=profile(), on_event=on_event)


def test_the_bytes_are_those_of_one_machine_and_progress_is_told(
    tmp_path: Path, slurm_environment: Cluster, undisturbed: dict[str, str]
) -> None:
    run = RunDirectory(tmp_path / "run")
    events: list[Event] = []
    result = make(run, events.append)
    assert store_bytes(run) == undisturbed
    assert (result.committed, result.made, result.failures) == (320, 320, {})
    assert events[0] == StageStarted("generate", 320, 0, "samples")
    assert [event.done for event in events if isinstance(event, StageProgressed)][-1] == 320
    assert len({event.worker for event in events if isinstance(event, WorkerJoined)}) == WORKERS
    assert {event.shard for event in events if isinstance(event, ShardCommitted)} == set(range(SHARDS))
    check_nothing_is_left(run)
    assert list(run.slurm.iterdir()) == []
    check_nothing_runs(slurm_environment)
    assert make(run).made == 0


@pytest.mark.faults
@pytest.mark.parametrize("role", [0, 1, 2])
def test_a_rank_dies_and_the_data_set_is_whole_at_the_latest_after_the_next_call(
    tmp_path: Path, slurm_environment: Cluster, undisturbed: dict[str, str], role: int
) -> None:
    """Scheduler and coordinator take all others with them; a worker's rank takes none."""
    run = RunDirectory(tmp_path / "run")
    killed: list[int] = []

    def kill_the_rank(event: Event) -> None:
        if isinstance(event, ShardCommitted) and not killed:
            for process in ranks(role):
                killed.append(process.pid)
                process.kill()

    if role == 2:
        make(run, kill_the_rank, SLOW_JOB)
    else:
        with pytest.raises(EnvironmentFault):
            make(run, kill_the_rank, SLOW_JOB)
    assert killed
    check_nothing_runs(slurm_environment)
    check_plan_is_covered(run)
    result = make(run)
    assert result.committed == 320
    assert (result.made == 0) == (role == 2)
    assert store_bytes(run) == undisturbed
    check_nothing_is_left(run)


@pytest.mark.faults
def test_when_the_caller_is_killed_the_ranks_end_in_good_order(
    tmp_path: Path, slurm_environment: Cluster, undisturbed: dict[str, str]
) -> None:
    run = RunDirectory(tmp_path / "run")
    place = tmp_path / "profile.toml"
    text = (ROOT / "cluster" / "profiles" / "minislurm.toml").read_text()
    place.write_text(text.replace('mode = "jobs"', 'mode = "allocation"'))
    command = [sys.executable, "-m", "tests.coordinator", str(run.path), str(WORKERS), json.dumps(SLOW_JOB), str(place)]
    with subprocess.Popen(command, cwd=ROOT, env=dict(os.environ), stdout=subprocess.DEVNULL) as caller:
        wait_until(lambda: run.events.exists() and "ShardCommitted" in run.events.read_text())
        caller.kill()
    check_nothing_runs(slurm_environment)
    check_plan_is_covered(run)
    assert make(run).committed == 320
    assert store_bytes(run) == undisturbed


def test_what_slurm_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"[Ii]nvalid partition"):
        generate(numbers_job(**JOB), RunDirectory(tmp_path / "run"), workers=1, profile=profile(partition="nowhere"))


def test_inside_a_job_the_ranks_run_where_the_job_does(
    tmp_path: Path, slurm_environment: Cluster, undisturbed: dict[str, str]
) -> None:
    run = RunDirectory(tmp_path / "run")
    file = write_profile(profile(), tmp_path / "profile.toml")
    command = shlex.join(coordinator_command(run.path, WORKERS, file, **JOB))
    script = tmp_path / "generate.sbatch"
    script.write_text(
        f"#!/bin/bash\ncd {shlex.quote(str(ROOT))}\nexec {command} > {shlex.quote(str(tmp_path))}/answer\n"
    )
    options = ["--nodelist=node2,node3", "--nodes=2", "--ntasks-per-node=2", "--mem=2000M", "--output=/dev/null"]
    job_id = Slurm(patience_s=10).submit(script, options=options)
    wait_until(lambda: all(job.over for job in Slurm(patience_s=10).jobs([job_id])))
    assert json.loads((tmp_path / "answer").read_text())["committed"] == 320
    joined = [event for event in read_events(run.events) if event["event"] == "WorkerJoined"]
    assert len({event["worker"] for event in joined}) == WORKERS
    assert {event["host"] for event in joined} <= {"node2", "node3"}
    assert {event["job_id"] for event in joined} == {job_id}
    assert store_bytes(run) == undisturbed
    check_nothing_is_left(run)
    check_nothing_runs(slurm_environment)


def test_inside_a_job_srun_takes_what_the_job_has() -> None:
    outside, inside = srun_command(profile(), 4, None), srun_command(profile(), 4, "17")
    assert "--ntasks=6" in outside and "--ntasks=6" in inside
    assert "--partition=main" in outside and "--time=00:30:00" in outside
    assert not [word for word in inside if word.startswith(("--partition", "--time", "--account"))]
    for command in (outside, inside):
        assert "--kill-on-bad-exit=0" in command and "--wait=0" in command
