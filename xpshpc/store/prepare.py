"""Makes the empty store of a job, whole or not at all, and knows an existing one again."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from xpshpc.config import JobFile
from xpshpc.errors import UsageError, VerificationError
from xpshpc.plan.identity import data_hash
from xpshpc.plan.shards import Plan
from xpshpc.run_directory import RunDirectory, sync_directory, write_atomically
from xpshpc.source import Source
from xpshpc.store.commit import clear_staging, make_private_folder
from xpshpc.store.identity import check_owner, identify, identity_file
from xpshpc.store.layout import StoredArray, lay_out, read_layout, write_metadata
from xpshpc.store.manifest import read_manifest
from xpshpc.store.record import installed_versions


def prepare_store(run: RunDirectory, job_file: JobFile, source: Source) -> tuple[Plan, tuple[StoredArray, ...]]:
    """The plan and arrays of a job's data set; writes plan and metadata where there are none yet.

    Raises UsageError if the run holds another job's data, VerificationError if shards are recorded and the store gone.
    """
    generate = job_file.job.generate
    arrays = lay_out(source.arrays(), generate.shard_samples, generate.inner_chunk_samples)
    found = check_owner(run, job_file)
    if found is not None and run.data.exists():
        stored, _ = read_layout(run.data)
        if {array.name: array.form for array in stored} != {array.name: array.form for array in arrays}:
            raise UsageError(
                "another version of the source laid this store out",
                where=str(run.data),
                try_=f"delete {run.path}",
            )
        return found.plan(), arrays
    if found is not None and read_manifest(run, found.plan()).committed.any():
        raise VerificationError(
            "shards are recorded, but the store is gone", where=str(run.data), try_=f"xpshpc verify {run.path} --repair"
        )
    metadata = write_store_metadata(run, job_file, source, arrays)
    identity = identify(job_file, installed_versions(), metadata)
    write_atomically(identity_file(run), identity.to_json())
    staged_store(run).replace(run.data)
    sync_directory(run.path)
    return identity.plan(), arrays


def write_store_metadata(
    run: RunDirectory, job_file: JobFile, source: Source, arrays: tuple[StoredArray, ...]
) -> dict[str, str]:
    """Writes the metadata of an empty store into staging; returns the SHA-256 of each file by its path."""
    folder = staged_store(run)
    clear_staging(folder)
    make_private_folder(run.staging)
    attributes = {**source.attributes(), "data_hash": data_hash(job_file), "versions": installed_versions()}
    generate = job_file.job.generate
    write_metadata(folder, arrays, generate.samples, generate.shard_samples, attributes)
    hashes: dict[str, str] = {}
    for file in sorted(folder.rglob("zarr.json")):
        with file.open("rb") as handle:
            hashes[str(file.relative_to(folder))] = hashlib.sha256(handle.read()).hexdigest()
            os.fsync(handle.fileno())
        sync_directory(file.parent)
    return hashes


def staged_store(run: RunDirectory) -> Path:
    """Where new metadata stands until it is whole."""
    return run.staging / "data.zarr"
