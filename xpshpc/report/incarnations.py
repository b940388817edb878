"""The incarnations of a run's stages in SLURM: when each job began, was put back, ended, and why."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Incarnation:
    """A job's run of a stage: `began` and `ended` in seconds since the epoch, `how` and `why` it ended."""

    stage: str
    job_id: str
    restart: int
    host: str
    began: float | None
    ended: float | None
    how: str
    why: str


def read_incarnations(file: Path) -> tuple[Incarnation, ...]:
    """What the jobs of a run told, in order; nothing for a run without jobs. Torn lines are passed over."""
    try:
        lines = file.read_bytes().splitlines()
    except FileNotFoundError:
        return ()
    return gather_incarnations(map(_parse, lines))


def gather_incarnations(told: Iterable[dict[str, Any]]) -> tuple[Incarnation, ...]:
    """One incarnation for each start; one that nobody saw end is left open."""
    found: dict[tuple[str, str, int], Incarnation] = {}
    for event in told:
        if not {"time", "stage", "job_id", "restart", "what"} <= event.keys():
            continue
        key = (str(event["stage"]), str(event["job_id"]), int(event["restart"]))
        started = event["what"] == "started"
        before = found.get(key)
        found[key] = Incarnation(
            *key,
            host=str(event.get("host") or (before.host if before else "")),
            began=event["time"] if started else before.began if before else None,
            ended=None if started else event["time"],
            how="" if started else str(event["what"]),
            why="" if started else str(event.get("why") or ""),
        )
    return tuple(found.values())


def _parse(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
