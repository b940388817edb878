"""The coordinator dies, is asked to stop, or meets another: nothing is lost, nothing runs on, nothing is made twice."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.benches import make_shards
from tests.coordinator import Coordinator, start_coordinator, wait_until
from tests.invariants import check_complete, check_nothing_is_left, check_plan_is_covered, store_bytes
from tests.sources import numbers_job
from xpshpc.errors import Drained, UsageError
from xpshpc.events import Event, read_events
from xpshpc.generate.events import ShardCommitted
from xpshpc.generate.generate import generate
from xpshpc.report.status import read_status
from xpshpc.run_directory import RunDirectory
from xpshpc.store.identity import read_identity
from xpshpc.store.manifest import read_manifest
from xpshpc.store.verify import verify

pytestmark = pytest.mark.faults

JOB: dict[str, Any] = {"samples": 200, "piece_s": 0.25}
SHARDS = 13


def committed(run: RunDirectory) -> int:
    identity = read_identity(run)
    return 0 if identity is None else int(read_manifest(run, identity.plan()).committed.sum())


def wait_for_commits(coordinator: Coordinator, run: RunDirectory, count: int) -> None:
    wait_until(lambda: committed(run) >= count or coordinator.process.poll() is not None)
    assert coordinator.process.poll() is None


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    run = RunDirectory(tmp_path_factory.mktemp("undisturbed") / "run")
    make_shards(run, numbers_job(**JOB), range(SHARDS))
    return store_bytes(run)


@pytest.mark.parametrize("commits", [0, 3])
def test_killed_outright_it_is_followed_by_its_workers_and_the_next_completes_the_same_bytes(
    tmp_path: Path, undisturbed: dict[str, str], commits: int
) -> None:
    run = RunDirectory(tmp_path / "run")
    with start_coordinator(run.path, **JOB) as coordinator:
        wait_for_commits(coordinator, run, commits)
        if not commits:
            wait_until(lambda: run.job.exists())
        status = read_status(run)
        assert status.working and str(coordinator.process.pid) in status.owner
        coordinator.process.send_signal(signal.SIGKILL)
        coordinator.process.wait()
        wait_until(lambda: not coordinator.descendants(), timeout_s=10)
    assert not read_status(run).working
    check_plan_is_covered(run)
    before = committed(run)
    assert before < SHARDS
    result = generate(numbers_job(**JOB), run, workers=2)
    assert result.committed == 200
    assert result.made <= 200 - 16 * before
    check_complete(run, numbers_job(**JOB))
    assert store_bytes(run) == undisturbed


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_drains_and_leaves_nothing_half_made(tmp_path: Path, number: signal.Signals) -> None:
    run = RunDirectory(tmp_path / "run")
    with start_coordinator(run.path, **JOB) as coordinator:
        wait_for_commits(coordinator, run, 2)
        coordinator.process.send_signal(number)
        out, err = coordinator.process.communicate(timeout=60)
        assert coordinator.process.returncode == 75, err
        assert not coordinator.descendants()
    answer = json.loads(out)
    assert number.name in answer["error"] and answer["exit_code"] == 75
    assert err == ""
    check_nothing_is_left(run)
    check_plan_is_covered(run)
    assert verify(run, numbers_job(**JOB)).ok
    assert 2 <= committed(run) < SHARDS
    assert not [event for event in read_events(run.events) if event["event"] == "ShardFailed"]


def test_a_shard_that_does_not_end_is_dropped_without_a_charge_when_asked_twice(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    with start_coordinator(run.path, samples=64, piece_s=3600.0, silence_s=3600.0) as coordinator:
        wait_until(lambda: read_status(run).shards_running == 2)
        coordinator.process.terminate()
        wait_until(lambda: "StopRequested" in run.events.read_text())
        coordinator.process.terminate()
        out, err = coordinator.process.communicate(timeout=60)
        assert coordinator.process.returncode == 75, err
        assert not coordinator.descendants()
    assert committed(run) == 0
    check_nothing_is_left(run)
    assert json.loads(out)["exit_code"] == 75


def test_the_second_of_two_coordinators_is_refused_by_name(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    with start_coordinator(run.path, **JOB) as coordinator:
        wait_for_commits(coordinator, run, 1)
        with pytest.raises(UsageError, match=f"process {coordinator.process.pid} on"):
            generate(numbers_job(**JOB), run, workers=1)
        assert verify(run, numbers_job(**JOB)).ok  # reading beside a coordinator is no fault of the store
        out, err = coordinator.process.communicate(timeout=120)
        assert coordinator.process.returncode == 0, err
    assert json.loads(out)["committed"] == 200
    check_complete(run, numbers_job(**JOB))


def test_a_stop_in_this_process_restores_the_handlers(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    run = RunDirectory(tmp_path / "run")

    def stop(event: Event) -> None:
        if isinstance(event, ShardCommitted):
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Drained):
        generate(numbers_job(**JOB), run, workers=1, on_event=stop)
    assert signal.getsignal(signal.SIGTERM) is before
    check_nothing_is_left(run)
