"""The whole story of one shard: what was tried, what went wrong, what was decided, and what stands now."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from xpshpc.errors import UsageError
from xpshpc.generate.heartbeat import read_beats
from xpshpc.plan.shards import Plan
from xpshpc.run_directory import RunDirectory
from xpshpc.store.identity import read_identity
from xpshpc.store.lease import read_owner
from xpshpc.store.record import CommitRecord, read_record

UNFINISHED = "unfinished"
RUNNING = "running"
COMMITTED = "committed"
_STARTED, _JOINED = b'"event":"StageStarted"', b'"event":"WorkerJoined"'
_BACK = ("ShardDropped", "ShardReleased")


@dataclass(frozen=True)
class Attempt:
    """One attempt: `began` and `ended` in seconds since the epoch, `seconds` what it took on one core.

    `outcome` is "committed", the cause of its failure, "running", or "unfinished" where its coordinator ended first.
    """

    number: int
    host: str
    pid: int
    worker: str = ""
    job_id: str = ""
    began: float | None = None
    ended: float | None = None
    seconds: float | None = None
    outcome: str = UNFINISHED
    why: str = ""
    decision: str = ""
    piece: int | None = None
    sample: int | None = None


@dataclass(frozen=True)
class ShardStory:
    """A shard with samples `start` to `stop` (left out), its state ("committed", "running", "pending"), every attempt
    that the event file tells of, when its record was taken back and why, and the record that stands."""

    run: str
    shard: int
    start: int
    stop: int
    state: str
    attempts: tuple[Attempt, ...]
    taken_back: tuple[dict[str, Any], ...]
    commit: CommitRecord | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def fate_of(self, sample: int) -> str:
        """What became of one of its samples, in words."""
        if self.commit is None:
            return f"not made yet (shard {self.shard} is {self.state})"
        for left_out in self.commit.quarantined:
            if left_out.sample == sample:
                return f"in quarantine: {left_out.cause}, {left_out.why}"
        return "stored"


def find_shard(run: RunDirectory, shard: int | None, sample: int | None) -> int:
    """The number of a shard that is named by itself or by one of its samples.

    Raises UsageError, with the range there is, for one that is not of the plan, and where there is no data set.
    """
    plan = _read_plan(run)
    if (shard is None) == (sample is None):
        raise UsageError("name a shard, or a sample", where=str(run.path), try_=f"xpshpc explain {run.path} 0")
    number, there, what = (sample, plan.samples, "sample") if shard is None else (shard, len(plan), "shard")
    assert number is not None
    if not 0 <= number < there:
        raise UsageError(
            f"there is no {what} {number}: the run has {what}s 0 to {there - 1}",
            where=str(run.path),
            try_=f"xpshpc explain {run.path} {'--sample ' if shard is None else ''}{there - 1}",
        )
    return number if shard is not None else number // plan.shard_samples


def tell_shard(run: RunDirectory, number: int) -> ShardStory:
    """The story of a shard of the run's plan, from its record and the event file, which is read line by line.

    Raises VerificationError if the record cannot be read.
    """
    shard = _read_plan(run)[number]
    record = read_record(run, number)
    events = list(_events_of(run.events, number))
    attempts = gather_attempts(events)
    state = COMMITTED if record is not None else RUNNING if _is_running(run, number) else "pending"
    if record is not None:
        attempts = add_record(attempts, record)
    elif state == RUNNING and attempts and attempts[-1].outcome == UNFINISHED:
        attempts[-1] = replace(attempts[-1], outcome=RUNNING)
    taken_back = tuple(event for event in events if event["event"] in _BACK)
    return ShardStory(str(run.path), number, shard.start, shard.stop, state, tuple(attempts), taken_back, record)


def gather_attempts(events: Iterable[Mapping[str, Any]]) -> list[Attempt]:
    """The attempts at one shard, from its own events and those of coordinators and workers, in order."""
    attempts: list[Attempt] = []
    workers: dict[tuple[str, int], tuple[str, str]] = {}
    open_: dict[int, int] = {}
    for event in events:
        match event["event"]:
            case "StageStarted":
                open_.clear()
            case "WorkerJoined":
                workers[event["host"], event["pid"]] = str(event["worker"]), str(event["job_id"])
            case "ShardStarted":
                open_[event["attempt"]] = len(attempts)
                attempts.append(replace(_begin(event, workers), began=event["time"]))
            case "ShardCommitted" | "ShardFailed":
                place = open_.pop(event["attempt"], len(attempts))
                begun = attempts[place] if place < len(attempts) else _begin(event, workers)
                attempts[place : place + 1] = [_end(begun, event)]
    return attempts


def _begin(event: Mapping[str, Any], workers: Mapping[tuple[str, int], tuple[str, str]]) -> Attempt:
    worker, job_id = workers.get((event["host"], event["pid"]), ("", ""))
    return Attempt(event["attempt"], event["host"], event["pid"], worker, job_id)


def _end(attempt: Attempt, event: Mapping[str, Any]) -> Attempt:
    ended = replace(attempt, ended=event["time"], seconds=event["seconds"], host=event["host"], pid=event["pid"])
    if event["event"] == "ShardCommitted":
        return replace(ended, outcome=COMMITTED)
    return replace(
        ended,
        outcome=event["cause"],
        why=event["why"],
        decision=event["decision"],
        piece=event.get("piece"),
        sample=event.get("sample"),
    )


def add_record(attempts: Sequence[Attempt], record: CommitRecord) -> list[Attempt]:
    """The attempts with what the record knows better: who made the shard, also if no coordinator lived to tell."""
    told = list(attempts)
    made = (record.host, record.pid)
    place = next((n for n in reversed(range(len(told))) if (told[n].host, told[n].pid) == made), len(told))
    attempt = told[place] if place < len(told) else Attempt(len(record.attempts) + 1, record.host, record.pid)
    told[place : place + 1] = [
        replace(
            attempt,
            outcome=COMMITTED,
            worker=record.worker,
            job_id=record.job_id,
            seconds=record.seconds,
            ended=attempt.ended or record.finished,
        )
    ]
    return told


def _events_of(file: Path, shard: int) -> Iterator[dict[str, Any]]:
    """The events that speak of a shard, of a coordinator's start, or of who a worker is."""
    within, last = f'"shard":{shard},'.encode(), f'"shard":{shard}}}'.encode()
    try:
        with file.open("rb") as lines:
            for line in lines:
                # Only what may be wanted is parsed: the file may hold millions of lines.
                if within in line or last in line or _STARTED in line or _JOINED in line:
                    event = _parse(line)
                    if event is not None and event.get("shard", shard) == shard:
                        yield event
    except FileNotFoundError:
        return


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event and "time" in event else None


def _is_running(run: RunDirectory, shard: int) -> bool:
    held = read_owner(run)
    if held is None or not held[1] or not run.staging.is_dir():
        return False
    return any(beat.shard == shard for session in run.staging.iterdir() for beat in read_beats(session))


def _read_plan(run: RunDirectory) -> Plan:
    identity = read_identity(run)
    if identity is None:
        raise UsageError("no data set here", where=str(run.path), try_=f"xpshpc generate {run.path}")
    return identity.plan()
