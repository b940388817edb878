"""A shard's story holds every attempt once, in order, across coordinators, and ends with the record that stands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.benches import make_shards
from tests.sources import Fault, numbers_job
from xpshpc.errors import UsageError
from xpshpc.generate.generate import generate
from xpshpc.report.shard_story import find_shard, gather_attempts, tell_shard
from xpshpc.run_directory import RunDirectory
from xpshpc.store.retry import release_quarantine, survey_quarantine


def event(kind: str, time: float, attempt: int = 1, pid: int = 5, **more: Any) -> dict[str, Any]:
    return {"event": kind, "time": time, "shard": 1, "attempt": attempt, "host": "h", "pid": pid, **more}


STARTED: dict[str, Any] = {"event": "StageStarted", "time": 0.0}
JOINED: dict[str, Any] = {
    "event": "WorkerJoined", "time": 0.5, "worker": "w-1", "host": "h", "pid": 5, "job_id": "17_1"
}  # fmt: skip


def test_attempts_are_numbered_anew_by_each_coordinator_and_none_is_lost() -> None:
    failed = event("ShardFailed", 4.0, cause="crash", why="because", decision="retry", seconds=2.0)
    committed = event("ShardCommitted", 9.0, seconds=3.0, samples=1, quarantined=0, bytes=1)
    told = gather_attempts(
        [
            STARTED,
            JOINED,
            event("ShardStarted", 1.0),
            failed,
            event("ShardStarted", 5.0, attempt=2),
            STARTED,
            event("ShardStarted", 6.0),
            committed,
        ]
    )
    assert [(attempt.number, attempt.outcome, attempt.began) for attempt in told] == [
        (1, "crash", 1.0), (2, "unfinished", 5.0), (1, "committed", 6.0),
    ]  # fmt: skip
    assert (told[0].worker, told[0].job_id, told[0].why, told[0].seconds) == ("w-1", "17_1", "because", 2.0)


def test_a_struck_shard_tells_its_failures_its_commit_and_what_became_of_each_sample(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    ledger.mkdir()
    faults = (Fault(sample=20, behaviour="kill", times=1), Fault(sample=21, behaviour="refuse", times=1))
    job_file = numbers_job(48, faults=faults, ledger=ledger)
    run = RunDirectory(tmp_path / "run")
    generate(job_file, run, workers=1)

    story = tell_shard(run, find_shard(run, None, sample=20))
    assert (story.shard, story.start, story.stop, story.state) == (1, 16, 32, "committed")
    assert [attempt.outcome for attempt in story.attempts] == ["worker_lost", "committed"]
    assert story.attempts[0].decision == "retry" and story.attempts[0].pid != story.attempts[1].pid
    assert story.commit is not None and len(story.commit.files) == 4
    assert story.fate_of(20) == "stored"
    assert story.fate_of(21) == "in quarantine: refused, the script refuses it"
    json.dumps(story.as_json())
    assert [attempt.outcome for attempt in tell_shard(run, 0).attempts] == ["committed"]

    release_quarantine(run, survey_quarantine(run, job_file))
    pending = tell_shard(run, 1)
    assert (pending.state, pending.commit, len(pending.taken_back)) == ("pending", None, 1)
    assert pending.fate_of(21).startswith("not made yet")
    generate(job_file, run, workers=1)
    again = tell_shard(run, 1)
    assert [attempt.outcome for attempt in again.attempts] == ["worker_lost", "committed", "committed"]
    assert again.fate_of(21) == "stored"


def test_a_commit_that_nobody_lived_to_tell_of_is_told_by_the_record(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    make_shards(run, numbers_job(40), [1])
    assert [attempt.outcome for attempt in tell_shard(run, 1).attempts] == ["committed"]
    assert tell_shard(run, 0).attempts == () and tell_shard(run, 0).state == "pending"


@pytest.mark.parametrize(("shard", "sample", "words"), [(3, None, "shards 0 to 2"), (-1, None, "shards 0 to 2"),
                                                        (None, 40, "samples 0 to 39"), (None, None, "name a shard"),
                                                        (1, 20, "name a shard")])  # fmt: skip
def test_what_is_not_of_the_plan_is_refused_with_what_is(
    tmp_path: Path, shard: int | None, sample: int | None, words: str
) -> None:
    run = RunDirectory(tmp_path / "run")
    make_shards(run, numbers_job(40), [0])
    with pytest.raises(UsageError, match=words):
        find_shard(run, shard, sample)
    assert find_shard(run, None, 39) == 2
