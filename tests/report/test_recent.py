"""The end of the event file tells the present: who works, how fast, what failed; whatever stood before it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from xpshpc.report.recent import find_rate, find_worker_jobs, find_workers, list_errors, read_recent

START: dict[str, Any] = {"time": 0.0, "event": "StageStarted", "stage": "generate", "total": 9, "done": 0, "unit": "s"}


def joined(host: str, pid: int, job_id: str = "") -> dict[str, Any]:
    return {"time": 1.0, "event": "WorkerJoined", "worker": "w", "host": host, "pid": pid, "job_id": job_id}


def shard(time: float, pid: int, cause: str = "") -> dict[str, Any]:
    common = {"time": time, "shard": 1, "attempt": 1, "host": "a", "pid": pid, "seconds": 1.0}
    if cause:
        return {**common, "event": "ShardFailed", "cause": cause, "why": "because", "decision": "retry"}
    return {**common, "event": "ShardCommitted", "samples": 90, "quarantined": 10, "bytes": 1}


def test_workers_are_those_that_joined_and_have_not_left() -> None:
    events = [START, joined("a", 1), joined("a", 2), joined("b", 1)]
    assert find_workers(events) == {("a", 1), ("a", 2), ("b", 1)}
    assert find_workers([*events, {**joined("b", 1), "event": "WorkerLeft", "why": ""}]) == {("a", 1), ("a", 2)}
    assert find_workers([*events, shard(2, 1, "worker_lost")]) == {("a", 2), ("b", 1)}
    assert find_workers([*events, shard(2, 1, "bad_output")]) == {("a", 1), ("a", 2), ("b", 1)}
    assert find_workers([*events, START]) == set()


def test_a_local_worker_is_known_by_what_it_made() -> None:
    assert find_workers([START, shard(2, 7), shard(3, 8)]) == {("a", 7), ("a", 8)}


def test_worker_jobs_are_those_of_this_coordinator() -> None:
    asked = {"time": 1.0, "event": "WorkersRequested", "jobs": 2, "job_ids": ["12", "13"]}
    assert find_worker_jobs([asked, START, asked, joined("a", 1, "12_3")]) == {"12", "13", "12_3"}
    assert find_worker_jobs([asked, START, joined("a", 1)]) == set()


@pytest.mark.parametrize(("now", "rate"), [(10.0, 20.0), (150.0, 100 / 120), (1000.0, None)])
def test_the_rate_is_over_the_last_two_minutes_or_since_the_start(now: float, rate: float | None) -> None:
    assert find_rate([START, shard(5.0, 1), shard(40.0 if now > 100 else 6.0, 1)], now) == pytest.approx(rate)


def test_only_the_end_of_a_long_file_is_read_and_torn_lines_do_not_matter(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    lines = [json.dumps(shard(float(second), 1)) for second in range(5000)]
    file.write_text("\n".join(lines) + '\n{"time": 5000, "ev')
    recent = read_recent(file, most_bytes=10_000)
    assert [event["time"] for event in recent] == [float(second) for second in range(5000 - len(recent), 5000)]
    assert 10 < len(recent) < 100
    assert read_recent(tmp_path / "none.jsonl") == []


def test_errors_are_the_last_failures_in_words() -> None:
    excluded = {"time": 1.0, "event": "NodeExcluded", "node": "n7", "why": "2 jobs failed there"}
    failed = {"time": 1.0, "event": "AllocationFailed", "job_id": "9", "node": "", "why": "exit code 1"}
    told = list_errors([*(shard(1.0, 1, "crash") for _ in range(9)), excluded, shard(1.0, 1), failed])
    assert len(told) == 5
    assert told[-2:] == ("node n7 is left out: 2 jobs failed there", "worker job 9 failed: exit code 1")
