"""What must hold of a run after any fault."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from xpshpc.config import JobFile
from xpshpc.run_directory import RunDirectory
from xpshpc.store.identity import read_identity
from xpshpc.store.manifest import read_manifest
from xpshpc.store.read import Store
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
    """I3: no partial file anywhere in the run."""
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
