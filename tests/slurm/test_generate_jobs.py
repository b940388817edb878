"""The data set made by SLURM jobs that come and go: the bytes are those of one machine, and no job is left."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.benches import make_shards
from tests.coordinator import wait_until
from tests.invariants import check_complete, store_bytes
from tests.sources import numbers_job
from xpshpc.cluster.minislurm import Cluster
from xpshpc.cluster.profile import Profile, read_profile
from xpshpc.cluster.slurm.client import Slurm
from xpshpc.cluster.workers import jobs as worker_jobs
from xpshpc.cluster.workers.certificates import fresh_certificates
from xpshpc.cluster.workers.queue import worker_job_name, worker_script
from xpshpc.errors import EnvironmentFault, UsageError
from xpshpc.events import Event, read_events
from xpshpc.generate.events import (
    AllocationFailed,
    NodeExcluded,
    WorkerJoined,
    WorkersRequested,
)
from xpshpc.generate.generate import generate
from xpshpc.run_directory import RunDirectory

pytestmark = pytest.mark.slurm

ROOT = Path(__file__).parents[2]
JOB: dict[str, Any] = {"samples": 320, "piece_s": 0.1}
SHARDS = 20


@pytest.fixture(autouse=True)
def nodes_know_the_tests(slurm_environment: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    run = RunDirectory(tmp_path_factory.mktemp("undisturbed") / "run")
    make_shards(run, numbers_job(**JOB), range(SHARDS))
    return store_bytes(run)


def profile(*, limits: dict[str, Any] | None = None, **site: Any) -> Profile:
    """The profile of this cluster, with other settings of its site."""
    tables = read_profile("minislurm").model_dump(exclude_none=True)
    tables["slurm"]["limits"] |= limits or {}
    tables["slurm"] |= site
    return Profile.model_validate(tables)


def kinds(events: list[Event], kind: type[Event]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def check_nothing_runs(cluster: Cluster) -> None:
    assert cluster.status().jobs == ()
    wait_until(lambda: cluster.leftovers() == (), timeout_s=20)


def test_the_bytes_are_those_of_one_machine(
    tmp_path: Path, slurm_environment: Cluster, undisturbed: dict[str, str]
) -> None:
    run = RunDirectory(tmp_path / "a run with % and spaces")
    events: list[Event] = []
    result = generate(numbers_job(**JOB), run, workers=4, profile=profile(), on_event=events.append)
    check_complete(run, numbers_job(**JOB))
    assert store_bytes(run) == undisturbed
    assert (result.committed, result.made, result.failures) == (320, 320, {})
    assert sum(event.jobs for event in kinds(events, WorkersRequested)) == 4
    joined = kinds(events, WorkerJoined)
    assert {event.host for event in joined} <= set(slurm_environment.nodes)
    assert all(event.worker == event.job_id for event in joined)
    check_nothing_runs(slurm_environment)


def test_what_was_left_in_the_queue_at_the_very_end_is_cancelled_by_the_next_call(
    tmp_path: Path, slurm_environment: Cluster
) -> None:
    """A coordinator killed then has made everything, and its last workers start and wait for it."""
    run, job = RunDirectory(tmp_path / "run"), numbers_job(samples=32)
    generate(job, run, workers=1, profile=profile())
    Slurm(patience_s=10).submit(worker_script(run), array=range(2))
    wait_until(lambda: [task.state for task in slurm_environment.status().jobs] == ["running"] * 2)
    again = generate(job, run, workers=4, profile=profile())
    assert (again.committed, again.made, again.workers) == (32, 0, 0)
    check_nothing_runs(slurm_environment)


def test_dask_itself_may_decide_on_the_number_of_jobs(
    tmp_path: Path, slurm_environment: Cluster, undisturbed: dict[str, str]
) -> None:
    run = RunDirectory(tmp_path / "run")
    events: list[Event] = []
    site = {**profile().site.model_dump(exclude_none=True)["generate"], "adaptive": True}
    result = generate(numbers_job(**JOB), run, workers=3, profile=profile(generate=site), on_event=events.append)
    assert (result.committed, result.failures) == (320, {})
    assert 1 <= len({event.job_id for event in kinds(events, WorkerJoined)}) <= 3
    check_complete(run, numbers_job(**JOB))
    assert store_bytes(run) == undisturbed
    check_nothing_runs(slurm_environment)


def test_several_workers_in_a_job_are_told_apart(tmp_path: Path, slurm_environment: Cluster) -> None:
    run = RunDirectory(tmp_path / "run")
    events: list[Event] = []
    site = {**profile().site.model_dump(exclude_none=True)["generate"], "workers_per_job": 2}
    generate(numbers_job(**JOB), run, workers=4, profile=profile(generate=site), on_event=events.append)
    check_complete(run, numbers_job(**JOB))
    assert sum(event.jobs for event in kinds(events, WorkersRequested)) == 2
    joined = kinds(events, WorkerJoined)
    assert len({event.worker for event in joined}) == len(joined)
    check_nothing_runs(slurm_environment)


def test_jobs_that_fail_again_and_again_end_the_run_with_the_last_ones_log(
    tmp_path: Path, slurm_environment: Cluster
) -> None:
    events: list[Event] = []
    broken = profile(environment=("echo the licence has run out >&2; exit 7",), limits={"failed_allocations": 3})
    with pytest.raises(EnvironmentFault, match="the licence has run out"):
        generate(numbers_job(**JOB), RunDirectory(tmp_path / "run"), workers=2, profile=broken, on_event=events.append)
    assert 3 <= len(kinds(events, AllocationFailed)) < 3 + 2  # those of the last wave fail together
    check_nothing_runs(slurm_environment)


def test_a_node_on_which_jobs_fail_is_left_out(
    tmp_path: Path, slurm_environment: Cluster, undisturbed: dict[str, str]
) -> None:
    run = RunDirectory(tmp_path / "run")
    events: list[Event] = []
    bad = profile(environment=('[ "$SLURMD_NODENAME" != node1 ] || exit 1',))
    generate(numbers_job(**JOB), run, workers=2, profile=bad, on_event=events.append)
    assert [event.node for event in kinds(events, NodeExcluded)] == ["node1"]
    assert store_bytes(run) == undisturbed
    hosts = {event["host"] for event in read_events(run.events) if event["event"] == "ShardCommitted"}
    assert "node1" not in hosts


def test_what_slurm_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    with pytest.raises((UsageError, EnvironmentFault), match=r"[Ii]nvalid partition"):
        generate(numbers_job(**JOB), RunDirectory(tmp_path / "run"), workers=2, profile=profile(partition="nowhere"))


def test_without_the_runs_certificate_nobody_gets_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scheduler beyond the loopback: our own workers come in, a stranger with another certificate does not."""
    from distributed import Client

    run = RunDirectory(tmp_path / "run")
    monkeypatch.setattr(worker_jobs, "own_address", outside_address)
    refused: list[str] = []

    def knock(event: Event) -> None:
        if isinstance(event, WorkerJoined) and not refused:
            (folder,) = run.staging.glob("tls-*")
            assert folder.stat().st_mode & 0o777 == 0o700
            assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
            address = next(word for word in script_of(run).split() if word.startswith("tls://"))
            with fresh_certificates(tmp_path / "strange") as strange:
                for security in (strange.security(), None):
                    refused.append(knock_at(address, security, Client))

    generate(numbers_job(**JOB), run, workers=2, profile=profile(), on_event=knock)
    assert refused == ["refused", "refused"]
    check_complete(run, numbers_job(**JOB))


def outside_address(_interface: str | None) -> str:
    """An address of this host that is not the loopback."""
    import socket

    import psutil

    found = [
        address.address
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family is socket.AF_INET and not address.address.startswith("127.")
    ]
    if not found:
        pytest.skip("this host has no address but the loopback's")
    return str(found[0])


def script_of(run: RunDirectory) -> str:
    return (run.slurm / "workers" / "worker.sbatch").read_text()


def knock_at(address: str, security: Any, client: Callable[..., Any]) -> str:
    try:
        client(address, security=security, timeout=2, set_as_default=False).close()
    except (OSError, TimeoutError, TypeError, RuntimeError):
        return "refused"
    return "let in"


def test_worker_jobs_of_two_runs_have_two_names(tmp_path: Path) -> None:
    names = {worker_job_name(tmp_path / place / "run") for place in ("a", "b")}
    assert len(names) == 2
    assert all(os.sep not in name for name in names)
