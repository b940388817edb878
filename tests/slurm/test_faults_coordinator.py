"""Coordinators that die or meet another while workers are in SLURM jobs: the next one completes the same bytes."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.benches import make_shards
from tests.coordinator import ROOT, coordinator_command, start_coordinator, wait_until
from tests.invariants import check_invariants, check_plan_is_covered, store_bytes
from tests.slurm.actors import COORDINATOR, KEEPER, WORKER, actors, profile_of, write_profile
from tests.sources import numbers_job
from xpshpc.cluster.minislurm import Cluster
from xpshpc.cluster.minislurm.configuration import CLUSTER_NAME
from xpshpc.errors import EnvironmentFault
from xpshpc.events import Event, StageStarted, read_events
from xpshpc.generate.events import ShardCommitted
from xpshpc.generate.generate import generate
from xpshpc.generate.heartbeat import read_beats
from xpshpc.run_directory import RunDirectory
from xpshpc.store.identity import read_identity
from xpshpc.store.manifest import read_manifest

pytestmark = [pytest.mark.slurm, pytest.mark.faults]

JOB: dict[str, Any] = {"samples": 480, "piece_s": 0.4}
SHARDS = 30
SLOW: dict[str, Any] = {**JOB, "piece_s": 1.5}
OVER = ["FAILED", "CANCELLED", "COMPLETED", "TIMEOUT"]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    run = RunDirectory(tmp_path_factory.mktemp("undisturbed") / "run")
    make_shards(run, numbers_job(480), range(SHARDS))
    return store_bytes(run)


def committed(run: RunDirectory) -> int:
    identity = read_identity(run)
    return 0 if identity is None else int(read_manifest(run, identity.plan()).committed.sum())


def submit_coordinator(
    cluster: Cluster,
    folder: Path,
    name: str,
    run: RunDirectory,
    *options: str,
    interface: str | None = None,
    job: dict[str, Any] = JOB,
) -> str:
    """A coordinator as a job of its own; what it answers is in `name`.json."""
    profile = write_profile(profile_of(cluster, interface=interface), folder / f"{name}.toml")
    command = shlex.join(coordinator_command(run.path, 4, profile, **job))
    script = folder / f"{name}.sbatch"
    answer_file = shlex.quote(str(folder / f"{name}.json"))
    script.write_text(f"#!/bin/bash\ncd {shlex.quote(str(ROOT))}\nexec {command} > {answer_file}\n")
    told = cluster.run("sbatch", "--parsable", f"--output={folder}/{name}.out", "--mem=600M", *options, str(script))
    assert told.ok, told
    return told.output.strip()


def state_of(cluster: Cluster, job_id: str) -> str:
    return cluster.run("squeue", "--noheader", "--states=all", f"--jobs={job_id}", "--format=%T").output.strip()


def nothing_runs(cluster: Cluster) -> bool:
    return not cluster.leftovers() and not cluster.status().jobs


def check_nothing_runs(cluster: Cluster) -> None:
    """No job is left; helpers of Python, which belong to no job any more, end by themselves a moment later."""
    assert not cluster.status().jobs
    wait_until(lambda: not cluster.leftovers(), timeout_s=20)


def complete(cluster: Cluster, run: RunDirectory, undisturbed: dict[str, str]) -> None:
    """The next call, typed on the login node, goes on from what is there."""
    check_plan_is_covered(run)
    before = committed(run)
    assert 0 < before < SHARDS
    told: list[Event] = []
    result = generate(numbers_job(**JOB), run, workers=4, profile=profile_of(cluster), on_event=told.append)
    (found,) = (event.done for event in told if isinstance(event, StageStarted))
    assert found >= 16 * before  # more, where a worker that outlived its coordinator has ended its shard meanwhile
    assert result.made == 16 * SHARDS - found
    check_nothing_runs(cluster)
    check_invariants(run, numbers_job(**JOB), undisturbed)


def test_killed_on_the_login_node_its_workers_end_by_themselves(
    slurm_environment: Cluster, tmp_path: Path, undisturbed: dict[str, str]
) -> None:
    run = RunDirectory(tmp_path / "run")
    profile = write_profile(profile_of(slurm_environment), tmp_path / "profile.toml")
    with start_coordinator(run.path, 4, profile=profile, **JOB) as coordinator:
        wait_until(lambda: committed(run) >= 3 or coordinator.process.poll() is not None)
        before = actors(slurm_environment)
        assert before[WORKER] and before[KEEPER]
        coordinator.process.send_signal(signal.SIGKILL)
        coordinator.process.wait()
        wait_until(lambda: nothing_runs(slurm_environment))
    complete(slurm_environment, run, undisturbed)


@pytest.mark.parametrize("strike", ["scancel", "kill -9", "power cut"])
def test_a_coordinator_in_a_job_that_is_lost_is_followed_by_the_next(
    slurm_environment: Cluster, tmp_path: Path, undisturbed: dict[str, str], strike: str
) -> None:
    run, cluster = RunDirectory(tmp_path / "run"), slurm_environment
    job_id = submit_coordinator(cluster, tmp_path, "first", run, "--no-requeue", "--nodelist=node4")
    wait_until(lambda: committed(run) >= 3)
    match strike:
        case "scancel":
            assert cluster.run("scancel", job_id).ok
        case "kill -9":
            (coordinator,) = actors(cluster)[COORDINATOR]
            os.kill(coordinator.pid, signal.SIGKILL)
        case _:
            cluster.kill_node("node4")
    wait_until(lambda: state_of(cluster, job_id) in (*OVER, "NODE_FAIL"))
    complete(cluster, run, undisturbed)


def test_of_two_coordinators_on_two_nodes_one_works_and_the_other_is_told_whose_run_it_is(
    slurm_environment: Cluster, tmp_path: Path, undisturbed: dict[str, str]
) -> None:
    run, cluster = RunDirectory(tmp_path / "run"), slurm_environment
    first = submit_coordinator(cluster, tmp_path, "first", run, "--nodelist=node3")
    second = submit_coordinator(cluster, tmp_path, "second", run, "--nodelist=node4")
    wait_until(lambda: state_of(cluster, first) in OVER and state_of(cluster, second) in OVER, timeout_s=120)
    answers = {name: json.loads((tmp_path / f"{name}.json").read_text()) for name in ("first", "second")}
    (refused,) = [name for name, answer in answers.items() if "error" in answer]
    owner, owners_node = (second, "node4") if refused == "first" else (first, "node3")
    assert answers[refused]["exit_code"] == 2
    assert f"on {owners_node}, job {owner}" in answers[refused]["error"]
    winner = "second" if refused == "first" else "first"
    assert answers[winner]["committed"] == 480
    check_nothing_runs(cluster)
    check_invariants(run, numbers_job(**JOB), undisturbed)


def test_who_was_taken_over_leaves_all_that_is_its_successors(
    slurm_environment: Cluster, tmp_path: Path, undisturbed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By SLURM's word its job is over, yet it lives: it slept, and wakes up while its successor is at work."""
    run, cluster, interface = RunDirectory(tmp_path / "run"), slurm_environment, outside_interface()
    if cluster.plan.isolation == "none":
        pytest.skip("without namespaces the successor sees that its predecessor lives")
    over = cluster.run("sbatch", "--parsable", "--output=/dev/null", "--wrap", "true").output.strip()
    wait_until(lambda: state_of(cluster, over) == "COMPLETED")
    monkeypatch.setenv("SLURM_JOB_ID", over)
    monkeypatch.setenv("SLURM_CLUSTER_NAME", CLUSTER_NAME)
    monkeypatch.setattr("xpshpc.store.lease.BEAT_S", 0.0)
    successors: list[str] = []
    certificates: set[Path] = set()

    def sleep_while_taken_over(event: Event) -> None:
        if isinstance(event, ShardCommitted) and not successors:
            successors.append(submit_coordinator(cluster, tmp_path, "successor", run, interface=interface, job=SLOW))
            wait_until(lambda: any(read_beats(run.staging / "000002")))
            certificates.update(run.staging.glob("tls-*"))

    profile = profile_of(cluster, interface=interface)
    with pytest.raises(EnvironmentFault, match="taken this run over"):
        generate(numbers_job(**SLOW), run, workers=4, profile=profile, on_event=sleep_while_taken_over)
    assert committed(run) < SHARDS
    assert not (run.staging / "000001").exists() and (run.staging / "000002").is_dir()
    assert set(run.staging.glob("tls-*")) == certificates
    assert len(certificates) == (interface is not None)
    wait_until(lambda: state_of(cluster, successors[0]) in OVER, timeout_s=120)
    answer = json.loads((tmp_path / "successor.json").read_text())
    assert (answer["committed"], answer["failures"]) == (480, {})
    requested = [event["jobs"] for event in read_events(run.events) if event["event"] == "WorkersRequested"]
    assert requested == [4, 4]
    check_nothing_runs(cluster)
    check_invariants(run, numbers_job(**SLOW), undisturbed)


def outside_interface() -> str | None:
    """A network interface of this host that is not the loopback: only there do workers need certificates."""
    for name, addresses in psutil.net_if_addrs().items():
        if any(one.family is socket.AF_INET and not one.address.startswith("127.") for one in addresses):
            return name
    return None
