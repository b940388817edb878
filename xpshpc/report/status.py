"""How a run stands, read from its files, and from SLURM where it was submitted. Nothing of the run is changed."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xpshpc.cluster.profile import Profile, read_profile
from xpshpc.cluster.submission.record import Submission, read_submission
from xpshpc.errors import UsageError
from xpshpc.generate.heartbeat import Beat, read_beats
from xpshpc.report.cost import Outlook, foresee_data, foresee_training
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
from xpshpc.run_directory import RunDirectory
from xpshpc.search.ledger import journal_path
from xpshpc.store.identity import Identity, read_identity
from xpshpc.store.lease import read_owner
from xpshpc.store.manifest import Tally, read_manifest
from xpshpc.store.tally import Sums, read_sums
from xpshpc.train.history import EpochFinished

QUIET_S = 60.0
"""A stage that has written nothing for so long, with no job and no lease, is at its end: the next would have begun."""


@dataclass(frozen=True)
class Status:
    """The state of a run. Counts of samples add up: planned = committed + quarantined + pending.

    `stage` is the last that began, `owner` who coordinates (or last did), `working` whether it still does. `rate` is in
    samples/s over the last two minutes, `time_left_s` by that rate; both are None when nobody works. `core_hours` is
    what the data set has cost so far and `core_hours_to_come` what is left of it at the same cost; `gpu_hours` the same
    of training, where it has GPUs. `records_read` tells how many of the shards' records the sums are from: fewer than
    are committed, and all but the counts of shards are estimates. `slurm` says how SLURM was asked, `jobs` what it
    answered. `idle_s` is the time since a stage last told anything; `errors` are the last failures, oldest first.
    `search` tells how the run's search stands (None: there is none, or it has not begun).
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

    @property
    def complete(self) -> bool:
        """Whether nothing is left to watch: the data set is whole, nobody works, and no job or stage is to come."""
        searching = self.search is not None and self.search["working"]
        at_rest = self.planned > 0 and not self.pending and not self.working and not searching
        searched = self.search is not None and self.search["ended"] not in (None, "stopped")
        ended = self.evaluation is not None or searched or (self.idle_s or 0.0) >= QUIET_S
        return at_rest and ended and not any(job.active for job in self.jobs)

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
    held = read_owner(run, lambda owner: True if owner.job_id in ended else None)
    owner, working = held if held is not None else (None, False)
    identity = read_identity(run)
    sums, shards = _sum_up(run, identity)
    tally, planned = sums.tally, identity.samples if identity is not None else 0
    pending = planned - tally.samples - tally.quarantined
    beats = _read_beats(run) if working else []
    running = len({beat.shard for beat in beats})
    rate = find_rate(events, now) if working else None
    written = _stage_files(run)
    data, training = foresee_data(tally, pending), _foresee_training(run, submission)
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
        training=_last_epoch(run.train / "history.jsonl"),
        evaluation=_metrics(run.evaluate / "metrics.json"),
        search=read_search_status(run),
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


def _foresee_training(run: RunDirectory, submission: Submission | None) -> Outlook:
    """GPU-hours of a training that was submitted to nodes with GPUs."""
    profile = _profile_of(submission)
    if profile is None or profile.slurm is None:
        return Outlook(None, None)
    ranks = profile.slurm.ranks("train")
    history = _read_history(run.train / "history.jsonl")
    if not ranks.gpus_per_node or not history:
        return Outlook(None, None)
    return foresee_training(history, history[-1].epochs, ranks.nodes * ranks.gpus_per_node)


def _profile_of(submission: Submission | None) -> Profile | None:
    """The profile of a submission, as far as it can still be read here."""
    if submission is None:
        return None
    try:
        return read_profile(submission.profile)
    except UsageError:
        return None


def _read_history(file: Path) -> list[EpochFinished]:
    try:
        lines = file.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    return [EpochFinished(**epoch) for epoch in map(parse_object, lines) if epoch is not None]


def _stage_files(run: RunDirectory) -> dict[str, float]:
    """When the file of events of each stage was last written, in seconds since the epoch."""
    files = {"generate": run.events}
    files |= {folder.name: folder / "events.jsonl" for folder in (run.train, run.evaluate)}
    files["search"] = journal_path(run)
    return {stage: file.stat().st_mtime for stage, file in files.items() if file.exists()}


def _last_epoch(history: Path) -> dict[str, Any] | None:
    try:
        lines = history.read_bytes().splitlines()
    except FileNotFoundError:
        return None
    return parse_object(lines[-1]) if lines else None


def _metrics(file: Path) -> dict[str, Any] | None:
    try:
        return parse_object(file.read_bytes())
    except FileNotFoundError:
        return None
