"""What happened while a data set was made, put in order of time: who worked when, what failed, how fast it went.

Read from the event file in one pass. A million attempts are held as a few arrays; nothing grows with the text of the
events but the marks, of which so many are kept.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_MARKS = 400
"""Marks of one kind that are kept; the others are only counted."""

COMMITTED = "committed"
_MARKS = {
    "WorkerKilled": "silent worker killed",
    "WorkerLeft": "worker left",
    "WorkersRequested": "workers asked for",
    "AllocationFailed": "worker job failed",
    "NodeExcluded": "node left out",
    "DiskFull": "disk full",
    "StopRequested": "asked to stop",
    "ShardDropped": "bad shard taken back",
    "ShardReleased": "quarantine tried again",
}
COORDINATOR = "coordinator began"
WORKER_LOST = "worker lost"


@dataclass(frozen=True)
class Mark:
    """Something that happened at a time (seconds at work); `lane` is whom it befell, None for the whole run."""

    kind: str
    at: float
    lane: int | None


@dataclass(frozen=True)
class Session:
    """The time of one coordinator: it began at `at` (seconds at work), after a pause of `pause_s` by the clock."""

    at: float
    pause_s: float


@dataclass(frozen=True)
class Loss:
    """What one cause has cost: failed attempts, the shards they struck, and seconds on one core."""

    cause: str
    attempts: int
    shards: int
    seconds: float


@dataclass(frozen=True)
class Timeline:
    """The attempts of a run, each a bar from `begin` to `end` on the lane of its worker.

    Times are seconds at work: the pauses between coordinators are cut out. `outcome` is an index into `outcomes`, whose
    first is "committed"; `samples` is what each attempt brought. `counts` holds how often each kind of mark came.
    """

    lanes: tuple[str, ...]
    lane: NDArray[np.int32]
    begin: NDArray[np.float64]
    end: NDArray[np.float64]
    outcome: NDArray[np.int16]
    samples: NDArray[np.int64]
    outcomes: tuple[str, ...]
    marks: tuple[Mark, ...]
    counts: dict[str, int]
    sessions: tuple[Session, ...]
    losses: tuple[Loss, ...]
    length_s: float
    since: float

    @property
    def busy_s(self) -> NDArray[np.float64]:
        """Seconds of work on each lane."""
        busy = np.bincount(self.lane, self.end - self.begin, minlength=len(self.lanes)).astype(np.float64)
        return busy


def gather_timeline(events: Iterable[Mapping[str, Any]]) -> Timeline | None:
    """The timeline of a run's events; None if no attempt has ended yet."""
    reader = _Reader()
    for event in events:
        reader.read(event)
    return reader.finish()


class _Reader:
    """Takes events one after another; times are by the clock until `finish`."""

    def __init__(self) -> None:
        self._lanes: dict[tuple[str, int], int] = {}
        self._names: dict[tuple[str, int], str] = {}
        self._outcomes = {COMMITTED: 0}
        self._lane, self._outcome = array("i"), array("h")
        self._begin, self._end, self._samples = array("d"), array("d"), array("q")
        self._marks: list[tuple[str, float, int | None]] = []
        self._counts: Counter[str] = Counter()
        self._sessions: list[list[float]] = []
        self._struck: dict[str, set[int]] = {}
        self._seconds: Counter[str] = Counter()

    def read(self, event: Mapping[str, Any]) -> None:
        kind, time = event["event"], event["time"]
        if kind == "StageStarted" or not self._sessions:
            self._sessions.append([time, time])
            self._mark(COORDINATOR, time, None)
        self._sessions[-1][1] = max(self._sessions[-1][1], time)
        match kind:
            case "WorkerJoined":
                self._names[event["host"], event["pid"]] = _name(event)
            case "ShardCommitted":
                self._bar(event, COMMITTED, event["samples"] + event["quarantined"])
            case "ShardFailed":
                self._bar(event, event["cause"], 0)
                self._struck.setdefault(event["cause"], set()).add(event["shard"])
                self._seconds[event["cause"]] += event["seconds"]
                if event["cause"] == "worker_lost":
                    self._mark(WORKER_LOST, time, self._find_lane(event))
            case _ if kind in _MARKS:
                known = "pid" in event and (event["host"], event["pid"]) in self._lanes
                self._mark(_MARKS[kind], time, self._find_lane(event) if known else None)

    def finish(self) -> Timeline | None:
        if not len(self._end):
            return None
        clock, work, sessions = _work_clock(self._sessions)
        begin, end = np.interp(np.array(self._begin), clock, work), np.interp(np.array(self._end), clock, work)
        outcome = np.array(self._outcome, dtype=np.int16)
        failed = Counter({cause: int((outcome == number).sum()) for cause, number in self._outcomes.items() if number})
        return Timeline(
            lanes=tuple(self._names.get(worker, f"{worker[0]}:{worker[1]}") for worker in self._lanes),
            lane=np.array(self._lane, dtype=np.int32),
            begin=begin,
            end=end,
            outcome=outcome,
            samples=np.array(self._samples, dtype=np.int64),
            outcomes=tuple(self._outcomes),
            marks=tuple(Mark(kind, float(np.interp(at, clock, work)), lane) for kind, at, lane in self._marks),
            counts=dict(self._counts),
            sessions=sessions,
            losses=tuple(
                Loss(cause, attempts, len(self._struck[cause]), self._seconds[cause])
                for cause, attempts in failed.most_common()
            ),
            length_s=float(work[-1]),
            since=self._sessions[0][0],
        )

    def _bar(self, event: Mapping[str, Any], outcome: str, samples: int) -> None:
        self._lane.append(self._find_lane(event))
        self._outcome.append(self._outcomes.setdefault(outcome, len(self._outcomes)))
        self._begin.append(max(event["time"] - event["seconds"], self._sessions[-1][0]))
        self._end.append(event["time"])
        self._samples.append(samples)

    def _find_lane(self, event: Mapping[str, Any]) -> int:
        return self._lanes.setdefault((event["host"], event["pid"]), len(self._lanes))

    def _mark(self, kind: str, time: float, lane: int | None) -> None:
        self._counts[kind] += 1
        if self._counts[kind] <= MOST_MARKS:
            self._marks.append((kind, time, lane))


def _name(event: Mapping[str, Any]) -> str:
    job = f", job {event['job_id']}" if event["job_id"] else ""
    return f"{event['host']}:{event['pid']}{job}"


def _work_clock(
    sessions: Iterable[Iterable[float]],
) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[Session, ...]]:
    """Points of the clock and the seconds at work they stand for, ascending, and the coordinators' beginnings.

    A clock that was put back between two coordinators costs the second one nothing: it begins where the first ended.
    """
    clock: list[float] = []
    work: list[float] = []
    told: list[Session] = []
    for began, ended in sessions:
        before = clock[-1] if clock else began
        start = max(began, before)
        at = work[-1] if work else 0.0
        told.append(Session(at, start - before))
        clock += [start, max(start, ended)]
        work += [at, at + max(0.0, ended - start)]
    return np.array(clock), np.array(work), tuple(told)


def merge_bars(begin: NDArray[np.float64], end: NDArray[np.float64], gap_s: float) -> list[tuple[float, float]]:
    """Bars of one lane as stretches of work: those closer than `gap_s` are one, none is shorter than `gap_s`."""
    merged: list[tuple[float, float]] = []
    for start, stop in sorted(zip(begin.tolist(), end.tolist(), strict=True)):
        if merged and start - merged[-1][1] <= gap_s:
            merged[-1] = (merged[-1][0], max(merged[-1][1], stop))
        else:
            merged.append((start, max(stop, start + gap_s)))
    return merged


def find_throughput(timeline: Timeline, bins: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Edges (s at work) and samples/s between them; a shard's samples count evenly over the time it took to make."""
    edges = np.linspace(0.0, max(timeline.length_s, 1e-3), bins + 1)
    made = np.zeros(bins + 1)
    good = timeline.outcome == 0
    begin, end, samples = timeline.begin[good], timeline.end[good], timeline.samples[good]
    length = np.maximum(end - begin, 1e-9)
    width = edges[1]
    for number, edge in enumerate(edges):
        made[number] = (samples * np.clip((edge - begin) / length, 0.0, 1.0)).sum()
    return edges, np.diff(made) / width
