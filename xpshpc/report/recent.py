"""The end of a run's event file, and what it tells of the present: rate, workers, worker jobs, errors."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

TAIL_BYTES = 256 * 1024
RATE_WINDOW_S = 120.0
ERRORS_SHOWN = 5

Events = list[dict[str, Any]]

_LOST = ("worker_lost", "silent")


def read_recent(file: Path, most_bytes: int = TAIL_BYTES) -> Events:
    """The last events of a file, however long it is; torn lines are passed over, a missing file has none."""
    try:
        with file.open("rb") as handle:
            size = handle.seek(0, os.SEEK_END)
            handle.seek(max(0, size - most_bytes))
            lines = handle.read().splitlines()
    except FileNotFoundError:
        return []
    events = (parse_object(line) for line in lines)
    return [event for event in events if event is not None and "event" in event and "time" in event]


def parse_object(text: bytes) -> dict[str, Any] | None:
    """A JSON object; None for anything else, such as a line that is still being written."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def find_rate(events: Iterable[Mapping[str, Any]], now: float) -> float | None:
    """Samples/s since the coordinator began, or over the last two minutes if that is later."""
    since, done = now - RATE_WINDOW_S, 0
    for event in events:
        if event["time"] < since:
            continue
        if event["event"] == "StageStarted":
            since, done = event["time"], 0
        elif event["event"] == "ShardCommitted":
            done += event["samples"] + event["quarantined"]
    return done / (now - since) if done and now > since else None


def find_workers(events: Iterable[Mapping[str, Any]]) -> set[tuple[str, int]]:
    """Host and process of the workers that are there: those that joined or did something, and have not left since."""
    there: set[tuple[str, int]] = set()
    for event in events:
        match event["event"]:
            case "StageStarted" | "StageStopped":
                there.clear()
            case "WorkerJoined" | "ShardStarted" | "ShardCommitted":
                there.add((event["host"], event["pid"]))
            case "WorkerLeft" | "WorkerKilled":
                there.discard((event["host"], event["pid"]))
            case "ShardFailed" if event["cause"] in _LOST:
                there.discard((event["host"], event["pid"]))
    return there


def find_worker_jobs(events: Iterable[Mapping[str, Any]]) -> set[str]:
    """Numbers of the SLURM jobs that were asked for as workers since the coordinator began."""
    asked: set[str] = set()
    for event in events:
        match event["event"]:
            case "StageStarted":
                asked.clear()
            case "WorkersRequested":
                asked.update(event["job_ids"])
            case "WorkerJoined" if event["job_id"]:
                asked.add(str(event["job_id"]))
    return asked


def list_errors(events: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The last failures in words, oldest first."""
    told = (describe_failure(event) for event in events)
    return tuple(deque((error for error in told if error is not None), maxlen=ERRORS_SHOWN))


def describe_failure(event: Mapping[str, Any]) -> str | None:
    """One line for an event that is a failure; None for any other."""
    match event["event"]:
        case "ShardFailed":
            return f"shard {event['shard']}, attempt {event['attempt']}: {event['cause']}, {event['why']}"
        case "SampleQuarantined":
            return f"sample {event['sample']} in quarantine: {event['cause']}, {event['why']}"
        case "DiskFull":
            return f"disk full: waited {event['delay_s']:g} s"
        case "ShardDropped":
            return f"shard {event['shard']} was bad and is made again: {event['why']}"
        case "AllocationFailed":
            where = f" on {event['node']}" if event["node"] else ""
            return f"worker job {event['job_id']} failed{where}: {event['why']}"
        case "NodeExcluded":
            return f"node {event['node']} is left out: {event['why']}"
        case "StageStopped":
            return f"{event['stage']} stopped: {event['why']}"
    return None
