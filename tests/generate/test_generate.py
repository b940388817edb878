"""The stage as a whole, with real workers: the same bytes from any number of them, and no work done twice."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.benches import make_shards
from tests.invariants import check_complete, store_bytes
from tests.sources import Fault, numbers_job
from xpshpc.errors import EnvironmentFault, UsageError
from xpshpc.events import Event, StageFinished, StageProgressed, StageStarted, read_events
from xpshpc.generate import space
from xpshpc.generate.events import ShardCommitted, ShardStarted
from xpshpc.generate.generate import generate
from xpshpc.generate.policy import Patience
from xpshpc.generate.space import Pause, bytes_needed, check_space
from xpshpc.report.status import read_status
from xpshpc.run_directory import RunDirectory, open_run
from xpshpc.store.layout import lay_out
from xpshpc.store.lease import hold_lease
from xpshpc.store.manifest import Tally

JOB = numbers_job(100)


def files_of(run: RunDirectory) -> dict[str, int]:
    return {str(file): file.stat().st_mtime_ns for file in run.path.rglob("*")}


@pytest.mark.parametrize("workers", [1, 2])
def test_any_number_of_workers_makes_the_same_bytes_and_a_second_call_does_nothing(
    tmp_path: Path, workers: int
) -> None:
    alone, run = RunDirectory(tmp_path / "alone"), RunDirectory(tmp_path / "run")
    make_shards(alone, JOB, range(7))
    environment = dict(os.environ)
    events: list[Event] = []
    made = generate(JOB, run, workers=workers, on_event=events.append)

    check_complete(run, JOB)
    assert store_bytes(run) == store_bytes(alone)
    assert (made.planned, made.committed, made.quarantined, made.made, made.shards) == (100, 100, 0, 100, 7)
    assert made.workers == workers
    assert made.bytes == sum(file.stat().st_size for file in run.data.glob("*/c.*"))
    assert made.failures == {}
    json.dumps(made.as_json())
    assert dict(os.environ) == environment

    assert events[0] == StageStarted("generate", 100, 0, "samples")
    assert [event.done for event in events if isinstance(event, StageProgressed)][-1] == 100
    assert isinstance(events[-1], StageFinished)
    assert sorted(event.shard for event in events if isinstance(event, ShardCommitted)) == list(range(7))
    assert sorted(event.shard for event in events if isinstance(event, ShardStarted)) == list(range(7))
    logged = [event["shard"] for event in read_events(run.events) if event["event"] == "ShardCommitted"]
    assert sorted(logged) == list(range(7))

    before = files_of(run)
    again = generate(JOB, run, workers=workers)
    assert files_of(run) == before
    assert (again.made, again.workers, again.committed, again.bytes) == (0, 0, 100, made.bytes)

    status = read_status(run)
    assert (status.stage, status.working, status.committed, status.pending) == ("generate", False, 100, 0)
    assert (status.shards, status.shards_committed, status.shards_running, status.errors) == (7, 7, 0, ())
    assert status.core_hours == pytest.approx(made.core_s / 3600)
    json.dumps(status.as_json())


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    make_shards(run, JOB, [0, 2, 5])
    committed = {file: file.stat().st_ino for file in run.data.glob("*/c.*")}
    events: list[Event] = []
    result = generate(JOB, run, workers=1, on_event=events.append)
    assert {event.shard for event in events if isinstance(event, ShardCommitted)} == {1, 3, 4, 6}
    assert events[0] == StageStarted("generate", 100, 48, "samples")
    assert result.made == 52
    assert {file: file.stat().st_ino for file in committed} == committed
    check_complete(run, JOB)


def test_another_jobs_run_is_left_as_it_is(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    make_shards(run, JOB, [0])
    before = files_of(run)
    with pytest.raises(UsageError, match="another job's data"):
        generate(numbers_job(100, seed=2), run, workers=1)
    assert files_of(run) == before


def test_a_job_whose_samples_all_fail_stops_at_once(tmp_path: Path) -> None:
    faults = tuple(Fault(sample=sample, behaviour="refuse") for sample in range(100))
    run = RunDirectory(tmp_path / "run")
    with pytest.raises(UsageError, match="not one sample of the first shard"):
        generate(numbers_job(100, faults=faults, ledger=tmp_path), run, workers=1)
    assert not list(run.data.glob("*/c.*"))
    assert not run.staging.exists()
    stopped = [event for event in read_events(run.events) if event["event"] == "StageStopped"]
    assert "not one sample" in stopped[0]["why"]
    assert read_status(run).errors[-1].startswith("generate stopped: not one sample")


def test_too_little_space_is_known_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "free_bytes", lambda _run: 1000)
    run = RunDirectory(tmp_path / "run")
    with pytest.raises(EnvironmentFault, match=r"needs about .* GB, and 1e-06 GB are free"):
        generate(numbers_job(10**6, 1024), run, workers=1)
    assert not list(run.data.glob("*/c.*"))


def test_space_is_estimated_by_what_samples_took_before() -> None:
    arrays = lay_out(JOB.domain.source("embedded", JOB.settings, {}, 1).arrays(), 16, 8)
    assert bytes_needed(arrays, 1000, Tally(shards=1, samples=10, bytes=50)) == 5000
    raw = 1000 * (16 * 2 + 3 * 4 + 8 + 1)
    assert 0 < bytes_needed(arrays, 1000, Tally()) < raw


def test_enough_space_is_enough(tmp_path: Path) -> None:
    check_space(RunDirectory(tmp_path), 1)
    with pytest.raises(EnvironmentFault):
        check_space(RunDirectory(tmp_path), 2**62)


def test_a_pause_lets_one_shard_try_and_gives_up_in_time() -> None:
    pause = Pause(Patience(first_s=1, longest_s=4, total_s=10))
    assert pause.places(8, now=0) == 8
    assert pause.begin(0, "disk") == 1
    assert pause.begin(0.5, "disk") == 0.5  # a shard that was under way fails too: the wait is not doubled for it
    assert pause.places(8, now=0.9) == 0
    assert pause.places(8, now=1) == 1
    assert [pause.begin(now, "disk") for now in (1, 3, 7)] == [2, 4, 4]
    with pytest.raises(EnvironmentFault, match="no room on the disk"):
        pause.begin(11, "disk")
    pause.end()
    assert pause.places(8, now=11) == 8


def test_the_resolved_job_is_in_the_run(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    generate(numbers_job(8), run, workers=1)
    with pytest.raises(UsageError, match="exactly one science"):
        open_run(run.path)  # the test's own science is not installed, but the file is there and whole
    assert "samples = 8" in run.job.read_text()


def test_what_a_coordinator_left_that_died_when_all_was_done_is_cleared_up(tmp_path: Path) -> None:
    run, job_file = RunDirectory(tmp_path / "run"), numbers_job(32)
    make_shards(run, job_file, range(2))
    attempt = run.staging / "000001" / "00000001.1.77"
    attempt.mkdir(parents=True)
    with hold_lease(run):
        assert generate(job_file, run, workers=1).made == 0
    assert attempt.is_dir()  # somebody works here still
    assert generate(job_file, run, workers=1).made == 0
    check_complete(run, job_file)
