"""Shards with samples in quarantine are put back to pending, so that those samples are tried again.

The record goes first, then the files: killed between the two, the shard is pending and its old files are no one's,
which the next commit replaces. The bytes of a sample depend on job, seed and index alone, so a sample that comes out
well this time is the one that would have come out then, and the others of its shard get the same bytes again.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from xpshpc.config import JobFile
from xpshpc.errors import UsageError
from xpshpc.events import Event, EventLog, Listener, StageFinished, StageProgressed, StageStarted
from xpshpc.run_directory import RunDirectory, sync_directory
from xpshpc.store.identity import check_owner
from xpshpc.store.layout import read_layout
from xpshpc.store.lease import hold_lease
from xpshpc.store.manifest import read_manifest
from xpshpc.store.record import CommitRecord, read_record, record_file
from xpshpc.store.stage import stages_at_rest
from xpshpc.store.tally import forget_sums

STAGE = "retry"
_OFTEN = 1000


@dataclass(frozen=True)
class ShardReleased(Event):
    """A shard's record was taken back, so that its `quarantined` samples are tried again; it had cost `core_s`."""

    shard: int
    quarantined: int
    causes: dict[str, int]
    core_s: float


@dataclass(frozen=True)
class Quarantine:
    """The shards with samples in quarantine, of one cause or of all.

    `samples` are those that a retry is for, by `causes`; `made_again` the good samples of the same shards, which are
    made once more; `core_s` is what the shards took the first time.
    """

    run: str
    shards: tuple[int, ...]
    samples: int
    causes: dict[str, int]
    made_again: int
    core_s: float

    def as_json(self) -> dict[str, Any]:
        return {
            "run": self.run,
            "shards": list(self.shards),
            "samples": self.samples,
            "causes": self.causes,
            "made_again": self.made_again,
            "core_hours": self.core_s / 3600,
        }


def survey_quarantine(
    run: RunDirectory, job_file: JobFile, cause: str | None = None, on_event: Listener | None = None
) -> Quarantine:
    """Which shards hold samples in quarantine (of that cause). Reads every record and changes nothing.

    Raises UsageError where there is no data set or another job's, and for a cause that no sample has while others do.
    """
    identity = check_owner(run, job_file)
    if identity is None:
        raise UsageError("no data set here", where=str(run.path), try_=f"xpshpc generate {run.path}")
    listener = on_event or _ignore
    manifest = read_manifest(run, identity.plan())
    listener(StageStarted(STAGE, int(manifest.committed.sum()), 0, "records"))
    shards: list[int] = []
    causes: Counter[str] = Counter()
    others: Counter[str] = Counter()
    made_again, core_s = 0, 0.0
    for done, record in enumerate(manifest.records(), start=1):
        found = _count_causes(record)
        others.update(found)
        if done % _OFTEN == 0:
            listener(StageProgressed(STAGE, done))
        if found and (cause is None or cause in found):
            shards.append(record.shard)
            causes.update(found if cause is None else {cause: found[cause]})
            made_again += record.stop - record.start - (found.total() if cause is None else found[cause])
            core_s += record.core_s
    listener(StageFinished(STAGE, 0.0))
    if cause is not None and others and not shards:
        there = ", ".join(sorted(others))
        raise UsageError(
            f"no sample is in quarantine for {cause!r}; there are: {there}",
            where=str(run.path),
            try_=f"xpshpc retry {run.path} --quarantined --cause {min(others)}",
        )
    return Quarantine(str(run.path), tuple(shards), causes.total(), dict(causes.most_common()), made_again, core_s)


def release_quarantine(run: RunDirectory, quarantine: Quarantine, on_event: Listener | None = None) -> tuple[int, ...]:
    """Puts the shards of a survey back to pending and returns their numbers; those that changed meanwhile are left.

    `generate` makes them again, with all attempts allowed anew. Raises UsageError if another process makes, searches,
    trains on or evaluates the run.
    """
    arrays, _ = read_layout(run.data)
    listeners = () if on_event is None else (on_event,)
    released: list[int] = []
    with stages_at_rest(run), hold_lease(run) as lease, EventLog(run.events, *listeners) as log:
        forget_sums(run)
        for shard in quarantine.shards:
            lease.beat()
            record = read_record(run, shard)
            if record is None or not record.quarantined:
                continue
            record_file(run, shard).unlink()
            causes = _count_causes(record)
            log.emit(ShardReleased(shard, causes.total(), dict(causes), round(record.core_s, 3)))
            released.append(shard)
        sync_directory(run.commits)
        for shard in released:
            for array in arrays:
                array.file(run.data, shard).unlink(missing_ok=True)
        forget_sums(run)
    return tuple(released)


def _count_causes(record: CommitRecord) -> Counter[str]:
    return Counter(sample.cause for sample in record.quarantined)


def _ignore(_event: Event) -> None:
    """Nobody listens."""
