"""How a run stands, read from its files, and from SLURM where it was submitted. Nothing of the run is changed."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from xpshpc.cluster.submission.record import read_submission
from xpshpc.generate.heartbeat import Beat, read_beats
from xpshpc.report.cost import foresee_data
from xpshpc.report.queue import QueuedJob, Scheduler, ask_queue
from xpshpc.report.recent import (
    Events,
    find_rate,
    find_worker_jobs,
    find_workers,
    list_errors,
    parse_object,
    read_recent,
)
from xpshpc.report.search_status import read_search_status
from xpshpc.report.training_status import foresee_gpu_hours, has_made_generator, read_last_epoch
from xpshpc.run_directory import RunDirectory
from xpshpc.search.ledger import journal_path
from xpshpc.store.identity import Identity, read_identity
from xpshpc.store.lease import read_owner
from xpshpc.store.manifest import Tally, read_manifest
from xpshpc.store.owner import Owner
from xpshpc.store.stage import READERS
from xpshpc.store.tally import Sums, read_sums

QUIET_S = 60.0
"""A stage that has written nothing for so long, with no job and no lease, was the last: the next would have begun.

A run does not know which command works on it. After `xpshpc train` nothing follows, after the same training within
`xpshpc run` the scores do, and between the two stages nobody holds anything.
"""


@dataclass(frozen=True)
class Status:
    """The state of a run. Counts of samples add up: planned = committed + quarantined + pending.

    `stage` is the last that began, `owner` who coordinates (or last did), `working` whether it still does. `rate` is in
    samples/s over the last two minutes, `time_left_s` by that rate; both are None when nobody works. `core_hours` is
    what the data set has cost so far and `core_hours_to_come` what is left of it at the same cost; `gpu_hours` the same
    of training, where it has GPUs. `records_read` tells how many of the shards' records the sums are from: fewer than
    are committed, and all but the counts of shards are estimates. `slurm` says how SLURM was asked, `jobs` what it
    answered. `idle_s` is the time since a stage last told anything; `errors` are the last failures, oldest first.
    `search` tells how the run's search stands (None: there is none, or it has not begun). `busy` are the stages
    after the data set that a process has in hand, with its name; `generator` tells that a network that makes samples is
    trained to its end: no stage comes after that.
    """

    run: str
    stage: str
    working: bool
    owner: str
    planned: int
    committed: int
    quarantined: int
    pending: int
    shards: int
    shards_committed: int
    shards_running: int
    shards_pending: int
    rate: float | None
    time_left_s: float | None
    core_hours: float
    core_hours_to_come: float | None
    gpu_hours: float | None
    gpu_hours_to_come: float | None
    bytes: int
    failed_attempts: int
    records_read: int
    workers: int
    slurm: str
    jobs: tuple[QueuedJob, ...]
    idle_s: float | None
    errors: tuple[str, ...]
    training: dict[str, Any] | None
    evaluation: dict[str, Any] | None
    search: dict[str, Any] | None = None
    busy: dict[str, str] = field(default_factory=dict)
    generator: bool = False

    @property
    def complete(self) -> bool:
        """Whether nothing is left to watch: the data set is whole, nobody works, and no job or stage is to come."""
        at_rest = self.planned > 0 and not self.pending and not self.working and not self.busy
        searched = self.search is not None and self.search["ended"] not in (None, "stopped")
        judged = self.evaluation is not None or searched or self.generator
        return at_rest and (judged or (self.idle_s or 0.0) >= QUIET_S) and not any(job.active for job in self.jobs)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "complete": self.complete}


def read_status(run: RunDirectory, now: float | None = None, scheduler: Scheduler | None = None) -> Status:
    """The status of a run; `now` is in seconds since the epoch. A run that has not begun has nothing of everything.

    SLURM is asked for a few seconds at most, and only about a run that has jobs; without a `scheduler` it is this
    machine's. Raises VerificationError if a commit record cannot be read.
    """
    now = time.time() if now is None else now
    events = read_recent(run.events)
    submission = read_submission(run.path)
    queue = ask_queue(submission, find_worker_jobs(events), now, scheduler)
    ended = {job.job_id for job in queue.jobs if job.state and not job.active}

    def job_is_over(owner: Owner) -> bool | None:
        return True if owner.job_id in ended else None

    held = read_owner(run, job_is_over)
    holders = {stage: read_owner(run, job_is_over, stage=stage) for stage in READERS}
    owner, working = held if held is not None else (None, False)
    identity = read_identity(run)
    sums, shards = _sum_up(run, identity)
    tally, planned = sums.tally, identity.samples if identity is not None else 0
    pending = planned - tally.samples - tally.quarantined
    beats = _read_beats(run) if working else []
    running = len({beat.shard for beat in beats})
    rate = find_rate(events, now) if working else None
    written = _stage_files(run)
    data, training = foresee_data(tally, pending), foresee_gpu_hours(run, submission)
    return Status(
        run=str(run.path),
        stage=max(written, key=lambda stage: written[stage], default=""),
        working=working,
        owner=str(owner or ""),
        planned=planned,
        committed=tally.samples,
        quarantined=tally.quarantined,
        pending=pending,
        shards=shards,
        shards_committed=tally.shards,
        shards_running=running,
        shards_pending=max(shards - tally.shards - running, 0),
        rate=rate,
        time_left_s=pending / rate if rate else None,
        core_hours=data.spent_h or 0.0,
        core_hours_to_come=data.to_come_h,
        gpu_hours=training.spent_h,
        gpu_hours_to_come=training.to_come_h,
        bytes=tally.bytes,
        failed_attempts=tally.failed_attempts,
        records_read=sums.read,
        workers=_count_workers(events, beats) if working else 0,
        slurm=queue.slurm,
        jobs=queue.jobs,
        idle_s=max(0.0, now - max(written.values())) if written else None,
        errors=list_errors(events),
        training=read_last_epoch(run),
        evaluation=_metrics(run.evaluate / "metrics.json"),
        search=read_search_status(run),
        busy={stage: str(holder[0]) for stage, holder in holders.items() if holder is not None and holder[1]},
        generator=has_made_generator(run),
    )


def _sum_up(run: RunDirectory, identity: Identity | None) -> tuple[Sums, int]:
    """The sums over what is committed, and the number of shards that were planned."""
    if identity is None:
        return Sums(Tally(), 0, 0), 0
    manifest = read_manifest(run, identity.plan())
    return read_sums(run, manifest), len(manifest.plan)


def _read_beats(run: RunDirectory) -> list[Beat]:
    """The attempts that workers have in hand, in any coordinator's part of staging."""
    if not run.staging.is_dir():
        return []
    sessions = [folder for folder in run.staging.iterdir() if folder.name.isdecimal()]
    return [beat for session in sessions for beat in read_beats(session)]


def _count_workers(events: Events, beats: list[Beat]) -> int:
    return len(find_workers(events) | {(beat.host, beat.pid) for beat in beats})


def _stage_files(run: RunDirectory) -> dict[str, float]:
    """When the file of events of each stage was last written, in seconds since the epoch."""
    files = {"generate": run.events}
    files |= {folder.name: folder / "events.jsonl" for folder in (run.train, run.evaluate)}
    files["search"] = journal_path(run)
    return {stage: file.stat().st_mtime for stage, file in files.items() if file.exists()}


def _metrics(file: Path) -> dict[str, Any] | None:
    try:
        return parse_object(file.read_bytes())
    except FileNotFoundError:
        return None
