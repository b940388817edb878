"""The events of a run that never was: many workers, every kind of fault, several coordinators."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any


def tell_run(
    workers: int, shards: int, *, coordinators: int = 1, faults: int = 0, seed: int = 1
) -> Iterator[dict[str, Any]]:
    """Events in order of time: `shards` of 1000 samples, each made in about 20 s, with so many failed attempts."""
    chance = random.Random(seed)
    crew = [(f"node{number // 4 + 1}", 4000 + number) for number in range(workers)]
    free = [0.0] * workers
    now = 1_800_000_000.0
    told: list[dict[str, Any]] = []
    failing = set(chance.sample(range(shards), min(faults, shards)))
    each = -(-shards // coordinators)
    for first in range(0, shards, each):
        begun = now
        told.append(
            {"time": now, "event": "StageStarted", "stage": "generate", "total": shards, "done": 0, "unit": "samples"}
        )
        told.append({"time": now + 1, "event": "WorkersRequested", "jobs": workers, "job_ids": ["17"]})
        for number, (host, pid) in enumerate(crew):
            free[number] = now + chance.uniform(5, 40)
            worker = f"17_{number}"
            told.append(
                {
                    "time": free[number],
                    "event": "WorkerJoined",
                    "worker": worker,
                    "host": host,
                    "pid": pid,
                    "job_id": worker,
                }
            )
        for shard in range(first, min(first + each, shards)):
            attempts = [False, True] if shard in failing else [True]
            for number, good in enumerate(attempts, start=1):
                place = min(range(workers), key=lambda lane: free[lane])
                host, pid = crew[place]
                seconds = chance.uniform(15, 25)
                told.append(
                    {
                        "time": free[place],
                        "event": "ShardStarted",
                        "shard": shard,
                        "attempt": number,
                        "host": host,
                        "pid": pid,
                    }
                )
                free[place] += seconds
                told.append(_outcome(chance, shard, number, good, host, pid, seconds, free[place]))
                free[place] += 0.05
        now = max(free) + 1
        if faults:
            middle = (begun + now) / 2
            told.append({"time": middle, "event": "NodeExcluded", "node": "node2", "why": "2 jobs failed there"})
            told.append(
                {
                    "time": middle - 30,
                    "event": "AllocationFailed",
                    "job_id": "17_4",
                    "node": "node2",
                    "why": "NODE_FAIL",
                }
            )
            told.append({"time": middle + 60, "event": "DiskFull", "delay_s": 4.0, "free_bytes": 100})
            told.append({"time": now, "event": "StopRequested", "by": "SIGTERM", "grace_s": 5.0})
            told.append({"time": now, "event": "StageStopped", "stage": "generate", "why": "stopped by SIGTERM"})
        now += 3600.0
    return iter(sorted(told, key=lambda event: event["time"]))


def _outcome(
    chance: random.Random, shard: int, attempt: int, good: bool, host: str, pid: int, seconds: float, time: float
) -> dict[str, Any]:
    common = {"time": time, "shard": shard, "attempt": attempt, "host": host, "pid": pid, "seconds": seconds}
    if good:
        return {**common, "event": "ShardCommitted", "samples": 1000, "quarantined": 0, "bytes": 10**6}
    cause = chance.choice(["worker_lost", "silent", "crash", "bad_output", "stopped"])
    return {**common, "event": "ShardFailed", "cause": cause, "why": f"the script says {cause}", "decision": "retry"}
