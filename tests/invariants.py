"""What must hold of a run after any fault."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from xpshpc.config import Allowances, JobFile
from xpshpc.events import read_events
from xpshpc.generate.generate import generate
from xpshpc.generate.policy import Cause, Decision, decide
from xpshpc.run_directory import RunDirectory
from xpshpc.store.identity import read_identity
from xpshpc.store.manifest import read_manifest
from xpshpc.store.read import Store
from xpshpc.store.record import Attempt, CommitRecord
from xpshpc.store.verify import verify


def store_bytes(run: RunDirectory) -> dict[str, str]:
    """SHA-256 of every file of the store by its path."""
    return {
        str(file.relative_to(run.data)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(run.data.rglob("*"))
        if file.is_file()
    }


def check_plan_is_covered(run: RunDirectory) -> None:
    """I1: committed, quarantined and pending samples are the plan, and no sample is two of them."""
    identity = read_identity(run)
    assert identity is not None
    manifest = read_manifest(run, identity.plan())
    seen = np.zeros(identity.samples, dtype=int)
    for number in manifest.pending():
        shard = manifest.plan[number]
        seen[shard.start : shard.stop] += 1
    store = Store(run)
    for record in manifest.records():
        seen[store.indices(record.shard)] += 1
        for sample in record.quarantined:
            seen[sample.sample] += 1
    assert (seen == 1).all()


def check_nothing_is_left(run: RunDirectory) -> None:
    """I3: no partial file anywhere in the run. (That no process is left is asked of those who started it.)"""
    assert not run.staging.exists()
    assert not [file for file in run.path.rglob("*") if file.name.endswith(".tmp")]


def check_complete(run: RunDirectory, job_file: JobFile, quarantined: tuple[int, ...] = ()) -> None:
    """The data set is whole but for these samples, holds what its source makes, and nothing is left over."""
    check_plan_is_covered(run)
    check_nothing_is_left(run)
    found = verify(run, job_file)
    assert found.bad == ()
    assert found.ok
    assert found.pending == 0
    assert found.quarantined == len(quarantined)
    store = Store(run)
    faultless = job_file.settings.model_copy(update={"faults": (), "piece_s": 0.0})
    source = job_file.domain.source("embedded", faultless, {}, job_file.job.seed)
    there: list[int] = []
    for number in store.committed:
        indices = store.indices(number)
        rows = store.read_shard(number, list(store.specs))
        expected = source.make(indices) if len(indices) else {}
        for name, array in expected.items():
            np.testing.assert_array_equal(rows[name], array)
        there += indices.tolist()
    assert there == [index for index in range(job_file.job.generate.samples) if index not in quarantined]


def check_attempts_follow_the_policy(run: RunDirectory, job_file: JobFile) -> None:
    """I4: decided anew, every recorded failure leads to what was done, and every sample left out was convicted."""
    identity = read_identity(run)
    assert identity is not None
    allowances = job_file.job.generate.allowances
    for record in read_manifest(run, identity.plan()).records():
        assert [attempt.number for attempt in record.attempts] == list(range(1, len(record.attempts) + 1))
        _check_verdicts(record, [*_decided(record.attempts, allowances)])
    for life in _lives(run):
        attempts = [_attempt(event) for event in life]
        decisions = [decision.name.lower() for decision in _decided(attempts, allowances)]
        assert [event["decision"] for event in life] == decisions


def check_second_run_does_no_work(run: RunDirectory, job_file: JobFile, **options: Any) -> None:
    """I5: asked again, nothing is made and no file of the run changes. `options` go to `generate`."""
    before = _files(run)
    result = generate(job_file, run, workers=2, **options)
    assert (result.made, result.workers, result.failures) == (0, 0, {})
    assert _files(run) == before


def check_invariants(run: RunDirectory, job_file: JobFile, undisturbed: dict[str, str]) -> None:
    """I1 to I5 of a run that nothing was left out of; `undisturbed` are the bytes of one without faults."""
    check_complete(run, job_file)
    assert store_bytes(run) == undisturbed
    check_attempts_follow_the_policy(run, job_file)
    check_second_run_does_no_work(run, job_file)


def _decided(attempts: Sequence[Attempt], allowances: Allowances) -> Iterator[Decision]:
    for place, attempt in enumerate(attempts):
        yield decide(attempt, attempts[:place], allowances)


def _check_verdicts(record: CommitRecord, decisions: Sequence[Decision]) -> None:
    """A deadly sample is left out by a verdict of its own; one that crashes, alone in a piece that was isolated."""
    assert Decision.GIVE_UP not in decisions
    pairs = list(zip(record.attempts, decisions, strict=True))
    convicted = {attempt.sample for attempt, decision in pairs if decision is Decision.QUARANTINE}
    deadly = {sample.sample for sample in record.quarantined if sample.cause in (Cause.WORKER_LOST, Cause.SILENT)}
    assert deadly == convicted
    isolated = [attempt.piece for attempt, decision in pairs if decision is Decision.ISOLATE]
    for sample in record.quarantined:
        if sample.cause in (Cause.CRASH, Cause.BAD_OUTPUT):
            assert any(piece is not None and piece <= sample.sample for piece in isolated)


def _lives(run: RunDirectory) -> Iterator[list[dict[str, Any]]]:
    """The failures of each shard in the order of the log, told apart by coordinator: each counts from 1."""
    by_shard: dict[int, list[dict[str, Any]]] = {}
    for event in read_events(run.events):
        if event["event"] == "ShardFailed":
            life = by_shard.setdefault(event["shard"], [])
            if life and event["attempt"] <= life[-1]["attempt"]:
                yield life
                life = by_shard[event["shard"]] = []
            life.append(event)
    yield from by_shard.values()


def _attempt(event: dict[str, Any]) -> Attempt:
    return Attempt(event["attempt"], event["cause"], event["why"], piece=event["piece"], sample=event["sample"])


def _files(run: RunDirectory) -> dict[Path, tuple[int, int]]:
    """Every file of the run with its time of change and length."""
    found = {file: file.stat() for file in run.path.rglob("*") if file.is_file()}
    return {file: (status.st_mtime_ns, status.st_size) for file, status in found.items()}


def attempts_of(run: RunDirectory, shard: int) -> list[Any]:
    """The failed attempts that a shard's record lists."""
    identity = read_identity(run)
    assert identity is not None
    return [
        attempt
        for record in read_manifest(run, identity.plan()).records()
        if record.shard == shard
        for attempt in record.attempts
    ]
