"""How a run stands, read from its files alone: no scheduler is asked and nothing is changed."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xpshpc.generate.heartbeat import read_beats
from xpshpc.run_directory import RunDirectory
from xpshpc.store.identity import read_identity
from xpshpc.store.lease import read_owner
from xpshpc.store.manifest import Tally, read_manifest

TAIL_BYTES = 256 * 1024
RATE_WINDOW_S = 120.0
ERRORS_SHOWN = 5


@dataclass(frozen=True)
class Status:
    """The state of a run. Counts of samples add up: planned = committed + quarantined + pending.

    `stage` is the last that began, `owner` who coordinates (or last did), `working` whether it still does. `rate` is in
    samples/s over the last two minutes, `time_left_s` by that rate; both are None when nobody works. `core_hours` is
    what the data set has cost so far, `errors` the last failures, oldest first.
    """

    run: str
    stage: str
    working: bool
    owner: str
    planned: int
    committed: int
    quarantined: int
    pending: int
    shards: int
    shards_committed: int
    shards_running: int
    shards_pending: int
    rate: float | None
    time_left_s: float | None
    core_hours: float
    bytes: int
    failed_attempts: int
    errors: tuple[str, ...]
    training: dict[str, Any] | None
    evaluation: dict[str, Any] | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def read_status(run: RunDirectory, now: float | None = None) -> Status:
    """The status of a run; `now` is in seconds since the epoch. A run that has not begun has nothing of everything.

    Raises VerificationError if a commit record cannot be read.
    """
    now = time.time() if now is None else now
    events = _tail(run.events)
    held = read_owner(run)
    owner, working = held if held is not None else (None, False)
    identity = read_identity(run)
    tally, planned, shards = Tally(), 0, 0
    if identity is not None:
        manifest = read_manifest(run, identity.plan())
        tally, planned, shards = manifest.tally(), identity.samples, len(manifest.plan)
    pending = planned - tally.samples - tally.quarantined
    running = _running(run) if working else 0
    rate = _rate(events, now) if working else None
    return Status(
        run=str(run.path),
        stage=_last_stage(run),
        working=working,
        owner=str(owner or ""),
        planned=planned,
        committed=tally.samples,
        quarantined=tally.quarantined,
        pending=pending,
        shards=shards,
        shards_committed=tally.shards,
        shards_running=running,
        shards_pending=max(shards - tally.shards - running, 0),
        rate=rate,
        time_left_s=pending / rate if rate else None,
        core_hours=tally.core_s / 3600,
        bytes=tally.bytes,
        failed_attempts=tally.failed_attempts,
        errors=tuple(_errors(events)),
        training=_last_epoch(run.train / "history.jsonl"),
        evaluation=_metrics(run.evaluate / "metrics.json"),
    )


def _tail(file: Path) -> list[dict[str, Any]]:
    """The last events of a file, however long it is; torn lines are passed over."""
    try:
        with file.open("rb") as handle:
            size = handle.seek(0, os.SEEK_END)
            handle.seek(max(0, size - TAIL_BYTES))
            lines = handle.read().splitlines()
    except FileNotFoundError:
        return []
    events = (_parse(line) for line in lines)
    return [event for event in events if event is not None and "event" in event and "time" in event]


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _rate(events: Iterable[dict[str, Any]], now: float) -> float | None:
    """Samples/s since the workers began, or over the last two minutes if that is later."""
    since, done = now - RATE_WINDOW_S, 0
    for event in events:
        if event["time"] < since:
            continue
        if event["event"] == "StageStarted":
            since, done = event["time"], 0
        elif event["event"] == "ShardCommitted":
            done += event["samples"] + event["quarantined"]
    return done / (now - since) if done and now > since else None


def _running(run: RunDirectory) -> int:
    """Shards that a worker has in hand: the attempts with a beat in any coordinator's part of staging."""
    if not run.staging.is_dir():
        return 0
    sessions = [folder for folder in run.staging.iterdir() if folder.name.isdecimal()]
    return len({beat.shard for session in sessions for beat in read_beats(session)})


def _errors(events: Iterable[dict[str, Any]]) -> Iterable[str]:
    last: deque[str] = deque(maxlen=ERRORS_SHOWN)
    for event in events:
        match event["event"]:
            case "ShardFailed":
                last.append(f"shard {event['shard']}, attempt {event['attempt']}: {event['cause']}, {event['why']}")
            case "SampleQuarantined":
                last.append(f"sample {event['sample']} in quarantine: {event['cause']}, {event['why']}")
            case "DiskFull":
                last.append(f"disk full: waited {event['delay_s']:g} s")
            case "ShardDropped":
                last.append(f"shard {event['shard']} was bad and is made again: {event['why']}")
            case "StageStopped":
                last.append(f"{event['stage']} stopped: {event['why']}")
    return last


def _last_stage(run: RunDirectory) -> str:
    """The stage whose file was written last; empty if none has begun."""
    files = {"generate": run.events, "train": run.train / "events.jsonl", "evaluate": run.evaluate / "events.jsonl"}
    written = {stage: file.stat().st_mtime for stage, file in files.items() if file.exists()}
    return max(written, key=lambda stage: written[stage], default="")


def _last_epoch(history: Path) -> dict[str, Any] | None:
    try:
        lines = history.read_bytes().splitlines()
    except FileNotFoundError:
        return None
    return _parse(lines[-1]) if lines else None


def _metrics(file: Path) -> dict[str, Any] | None:
    try:
        return _parse(file.read_bytes())
    except FileNotFoundError:
        return None
