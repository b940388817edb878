"""Runs on a four-node SLURM, left in peace or struck at: the coordinator is a job that is put back when it dies."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.chaos.operator import on_duty
from benchmarks.chaos.recovery import Strength, to_next_commit
from benchmarks.chaos.strikes import Killer, Kind, Plan, Strike
from tests.coordinator import ROOT, coordinator_command
from tests.invariants import check_invariants, check_plan_is_covered, store_bytes
from tests.slurm.actors import profile_of, write_profile
from tests.sources import numbers_job
from xpshpc.cluster.minislurm import Cluster
from xpshpc.config import JobFile
from xpshpc.errors import EnvironmentFault
from xpshpc.events import read_events
from xpshpc.run_directory import RunDirectory
from xpshpc.store.identity import read_identity
from xpshpc.store.manifest import read_manifest

WORKERS = 7
"""The cluster has eight cores, and one is the coordinator's."""

SHARD_SAMPLES = 16
PIECE_S = 1.0
SILENCE_S = 6.0
ENDLESS = 10**6
END_S = 30.0
"""Seconds within which every job and process of a complete run has to be gone."""

# What a site does with a coordinator that dies on a node that lives; if the node dies, SLURM itself requeues the job.
SCRIPT = """#!/bin/bash
cd {root}
while true; do
    {command} >> {folder}/coordinator.out 2>> {folder}/coordinator.err
    code=$?
    echo "$code" >> {folder}/codes
    case "$code" in 0 | 3) exit 0 ;; esac
    sleep 0.2
done
"""


def chaos_job(shards: int) -> dict[str, Any]:
    """A job of the tests' science. Its allowances are endless: who is killed at random must not be held at fault."""
    allowances = {"worker_lost": ENDLESS, "silent": ENDLESS, "crash": ENDLESS, "bad_output": ENDLESS}
    return {
        "samples": shards * SHARD_SAMPLES,
        "shard_samples": SHARD_SAMPLES,
        "inner_chunk_samples": SHARD_SAMPLES // 2,
        "silence_s": SILENCE_S,
        "allowances": allowances,
        "piece_s": PIECE_S,
    }


@dataclass(frozen=True)
class Round:
    """One run to its end. Times in seconds; `worker_s` is the time that all workers together were held."""

    strikes: tuple[Strike, ...]
    coordinators: tuple[str, ...]
    wall_s: float
    worker_s: float
    to_commit_s: tuple[float, ...]
    to_strength_s: tuple[tuple[Kind, float], ...]
    failures: dict[str, int]


def make_undisturbed(cluster: Cluster, folder: Path, shards: int) -> tuple[Round, dict[str, str]]:
    """A run that is left in peace, and the bytes that every other one must have."""
    run, made = _make(cluster, folder, shards, iter(()))
    _check_end(cluster, run, numbers_job(**chaos_job(shards)), store_bytes(run))
    return made, store_bytes(run)


def make_disturbed(
    cluster: Cluster, folder: Path, shards: int, plans: Iterator[Plan], most: int, undisturbed: dict[str, str]
) -> Round:
    """A run that the killer strikes at, at most so often. Raises AssertionError where an invariant does not hold."""
    run, made = _make(cluster, folder, shards, islice(plans, most))
    _check_end(cluster, run, numbers_job(**chaos_job(shards)), undisturbed)
    return made


def _make(cluster: Cluster, folder: Path, shards: int, plans: Iterator[Plan]) -> tuple[RunDirectory, Round]:
    folder.mkdir(parents=True)
    run, job = RunDirectory(folder / "run"), chaos_job(shards)
    limits = {"failed_allocations": ENDLESS, "node_failures": ENDLESS, "restarts": ENDLESS}
    profile = write_profile(profile_of(cluster, WORKERS, **limits), folder / "profile.toml")
    script = folder / "coordinator.sbatch"
    command = shlex.join(coordinator_command(run.path, WORKERS, profile, **job))
    script.write_text(SCRIPT.format(root=shlex.quote(str(ROOT)), command=command, folder=shlex.quote(str(folder))))
    killer = Killer(cluster)
    began = time.time()
    with on_duty(cluster), _submitted(cluster, script, folder) as job_id:
        _wait_for_commits(cluster, job_id, run, 1)
        _strike(killer, plans, cluster, job_id, run)
        killer.repair_all()
        while _is_active(cluster, job_id):
            time.sleep(0.1)
    ended = time.time()
    events = [event for event in read_events(run.events) if event["time"] <= ended]
    strength = Strength(events)
    recoveries = ((strike.kind, strength.recovery_s(strike.time)) for strike in killer.fallen)
    commits = _commits(run)
    failures: dict[str, int] = {}
    for event in events:
        if event["event"] == "ShardFailed":
            failures[event["cause"]] = failures.get(event["cause"], 0) + 1
    return run, Round(
        strikes=tuple(killer.fallen),
        coordinators=tuple(_codes(folder)),
        wall_s=max(commits) - began,
        worker_s=strength.worker_seconds(max(commits)),
        to_commit_s=tuple(to_next_commit((strike.time for strike in killer.fallen), commits)),
        to_strength_s=tuple((kind, taken) for kind, taken in recoveries if taken is not None),
        failures=failures,
    )


def _strike(killer: Killer, plans: Iterator[Plan], cluster: Cluster, job_id: str, run: RunDirectory) -> None:
    """Strikes until the plans are used up, or the workers hold the last shards in their hands.

    The last worker of a run would be met by every strike: it never would come to its end before they all have fallen.
    """
    for plan in plans:
        time.sleep(plan.gap_s)
        while not _is_ending(run) and not killer.strike(plan):
            time.sleep(0.1)
        if _is_ending(run):
            return


@contextmanager
def _submitted(cluster: Cluster, script: Path, folder: Path) -> Iterator[str]:
    answer = cluster.run(
        "sbatch",
        "--parsable",
        "--requeue",
        "--open-mode=append",
        f"--output={folder}/job.out",
        "--mem=600M",
        str(script),
    )
    if not answer.ok:
        raise EnvironmentFault(f"the coordinator's job is refused: {answer.last_words()}")
    job_id = answer.output.strip()
    try:
        yield job_id
    finally:
        cluster.run("scancel", job_id)


def _wait_for_commits(cluster: Cluster, job_id: str, run: RunDirectory, count: int) -> None:
    while len(_commits(run)) < count and _is_active(cluster, job_id):
        time.sleep(0.1)


def _is_active(cluster: Cluster, job_id: str) -> bool:
    status = cluster.status()
    return not status.controller or any(job.id == job_id for job in status.jobs)


def _commits(run: RunDirectory) -> list[float]:
    """When each committed shard was finished."""
    identity = read_identity(run)
    if identity is None:
        return []
    return [record.finished for record in read_manifest(run, identity.plan()).records()]


def _is_ending(run: RunDirectory) -> bool:
    identity = read_identity(run)
    return identity is not None and int((~read_manifest(run, identity.plan()).committed).sum()) <= WORKERS


def _codes(folder: Path) -> list[str]:
    """How each coordinator that left a word has ended."""
    codes = folder / "codes"
    return codes.read_text().split() if codes.exists() else []


def _check_end(cluster: Cluster, run: RunDirectory, job_file: JobFile, undisturbed: dict[str, str]) -> None:
    """I1 to I5, and nothing in the queue or on the nodes."""
    deadline = time.monotonic() + END_S
    while (left := (cluster.status().jobs, cluster.leftovers())) != ((), ()):
        assert time.monotonic() < deadline, f"left over: {left}"
        time.sleep(0.2)
    check_plan_is_covered(run)
    check_invariants(run, job_file, undisturbed)


def last_words(folder: Path) -> str:
    """What the last coordinators of a run that failed have said."""
    said = folder / "coordinator.out"
    return json.dumps(said.read_text()[-2000:]) if said.exists() else "nothing"
