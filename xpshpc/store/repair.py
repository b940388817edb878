"""Makes room for what must be made anew: after a repair, `generate` completes the data set with the same bytes."""

from __future__ import annotations

from dataclasses import dataclass

from xpshpc.config import JobFile
from xpshpc.events import Event, EventLog, Listener
from xpshpc.run_directory import RunDirectory, sync_directory, write_atomically
from xpshpc.source import Source
from xpshpc.store.commit import clear_staging
from xpshpc.store.identity import identify, identity_file
from xpshpc.store.layout import StoredArray, lay_out
from xpshpc.store.lease import hold_lease
from xpshpc.store.prepare import staged_store, write_store_metadata
from xpshpc.store.record import installed_versions, record_file
from xpshpc.store.tally import forget_sums
from xpshpc.store.verify import VerifyResult


@dataclass(frozen=True)
class ShardDropped(Event):
    """A shard's record was taken back, so that it is made again."""

    shard: int
    why: str


def repair(
    run: RunDirectory, job_file: JobFile, found: VerifyResult, on_event: Listener | None = None
) -> tuple[int, ...]:
    """Drops the shards that `verify` found bad and the files that no record speaks of, and mends the metadata.

    Returns the numbers of the dropped shards; `generate` makes them again. Raises UsageError if a coordinator works on
    the run.
    """
    settings, source = job_file.job.generate, job_file.source()
    arrays = lay_out(source.arrays(), settings.shard_samples, settings.inner_chunk_samples)
    listeners = () if on_event is None else (on_event,)
    with hold_lease(run), EventLog(run.events, *listeners) as log:
        forget_sums(run)
        why = {bad.shard: bad.why for bad in reversed(found.bad)}
        for shard in found.bad_shards:
            record_file(run, shard).unlink(missing_ok=True)
            log.emit(ShardDropped(shard, why[shard]))
        sync_directory(run.commits)
        for shard in found.bad_shards:
            for array in arrays:
                array.file(run.data, shard).unlink(missing_ok=True)
        for name in found.strays:
            if (run.path / name).is_file():
                (run.path / name).unlink()
        clear_staging(run.staging)
        if found.bad_metadata:
            _mend_metadata(run, job_file, source, arrays)
            clear_staging(run.staging)
        forget_sums(run)  # a reader may have summed up while the records went
    return found.bad_shards


def _mend_metadata(run: RunDirectory, job_file: JobFile, source: Source, arrays: tuple[StoredArray, ...]) -> None:
    metadata = write_store_metadata(run, job_file, source, arrays)
    for name in metadata:
        (run.data / name).parent.mkdir(parents=True, exist_ok=True)
        (staged_store(run) / name).replace(run.data / name)
        sync_directory((run.data / name).parent)
    write_atomically(identity_file(run), identify(job_file, installed_versions(), metadata).to_json())
