"""The generate stage: a job's data set, made or completed."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from xpshpc.cluster.profile import Profile
from xpshpc.cluster.workers.queue import end_leftovers
from xpshpc.cluster.workers.workforce import Workforce
from xpshpc.config import Generate, JobFile
from xpshpc.errors import EnvironmentFault, UsageError, XpshpcError
from xpshpc.events import Event, EventLog, Listener, StageFinished, StageStarted
from xpshpc.generate.allocation import generate_in_allocation, is_allocation
from xpshpc.generate.events import StageStopped, WorkersStarted
from xpshpc.generate.fanout import STAGE, FanOut
from xpshpc.generate.policy import Patience
from xpshpc.generate.result import GenerateResult
from xpshpc.generate.shard_task import NO_ROOM, Workbench
from xpshpc.generate.space import Pause, bytes_needed, check_space
from xpshpc.generate.stop import StopSignals
from xpshpc.generate.supervision import DRAIN_S, Harvest, Supervision
from xpshpc.run_directory import RunDirectory, save_job
from xpshpc.source import CheckedSource
from xpshpc.store.commit import clear_staging, make_private_folder
from xpshpc.store.identity import check_owner
from xpshpc.store.lease import hold_lease
from xpshpc.store.manifest import Manifest, read_manifest
from xpshpc.store.prepare import prepare_store

__all__ = ["GenerateResult", "OpenWorkers", "generate"]

OpenWorkers = Callable[[int, Listener], AbstractContextManager[Workforce]]
"""Brings so many workers, and tells the listener who comes and goes."""


def generate(
    job_file: JobFile,
    run: RunDirectory,
    *,
    workers: int,
    profile: Profile | None = None,
    on_event: Listener | None = None,
    patience: Patience | None = None,
    scratch: Path | None = None,
    open_workers: OpenWorkers | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> GenerateResult:
    """Makes what is missing of a job's data set with so many worker processes, on this machine or where `profile` says.

    Writes the resolved job into the run. Calling it again goes on where it stopped; with nothing missing it starts no
    worker and makes nothing. The bytes of the store depend on the job alone. `patience` says how long a full disk is
    waited for, `scratch` where Dask's own files go (by default into the run's staging); `open_workers` brings
    the workers where they are there already.

    Raises UsageError if the run holds another job's data or another coordinator works on it, EnvironmentFault if the
    disk is or stays full or the workers cannot be kept alive, Drained after SIGINT or SIGTERM.
    """
    began = clock()
    listener = on_event or _ignore
    try:
        harvest = _find_complete(job_file, run, listener)
        if harvest is not None:
            _clear_up(profile, run)
        if harvest is None and open_workers is None and profile is not None and is_allocation(profile):
            return generate_in_allocation(job_file, run, workers=workers, profile=profile, listener=listener)
        if harvest is None:
            bring = open_workers or partial(_open_workers, profile, run, scratch)
            drain_s = DRAIN_S if profile is None or profile.slurm is None else profile.slurm.limits.stop_before_s / 2
            harvest = _complete(job_file, run, workers, listener, patience or Patience(), bring, max(drain_s, DRAIN_S))
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise EnvironmentFault(
            "no room on the disk, or the quota is used up",
            where=str(run.path),
            try_="free some space, then the same command again",
        ) from error
    wall_s = clock() - began
    listener(StageFinished(STAGE, wall_s))
    made = harvest.made.samples + harvest.made.quarantined
    return GenerateResult(
        run=str(run.path),
        planned=job_file.job.generate.samples,
        committed=harvest.total.samples,
        quarantined=harvest.total.quarantined,
        spectra_per_s=round(made / wall_s, 1),
        wall_s=round(wall_s, 3),
        made=made,
        shards=harvest.total.shards,
        bytes=harvest.total.bytes,
        workers=harvest.workers,
        core_s=round(harvest.total.core_s, 3),
        failures=dict(harvest.failures),
    )


def _find_complete(job_file: JobFile, run: RunDirectory, listener: Listener) -> Harvest | None:
    """The sums of a data set that has all its shards; None if work is left. UsageError if it is another job's."""
    identity = check_owner(run, job_file)
    if identity is None or not run.data.exists():
        return None
    manifest = read_manifest(run, identity.plan())
    if not manifest.committed.all():
        return None
    save_job(run, job_file)
    harvest = Harvest(manifest.tally())
    listener(StageStarted(STAGE, identity.samples, identity.samples, "samples"))
    return harvest


def _clear_up(profile: Profile | None, run: RunDirectory) -> None:
    """Ends and removes what a coordinator left that was killed when its work was done; one that lives keeps it."""
    end_leftovers(profile, run)
    if run.staging.exists():
        with contextlib.suppress(UsageError), hold_lease(run):
            clear_staging(run.staging)


def _complete(
    job_file: JobFile,
    run: RunDirectory,
    workers: int,
    listener: Listener,
    patience: Patience,
    bring: OpenWorkers,
    drain_s: float,
) -> Harvest:
    settings = job_file.job.generate
    source = job_file.source()
    if isinstance(source, CheckedSource):
        source.check()
    with hold_lease(run) as lease, StopSignals() as stop, EventLog(run.events, listener) as log:
        clear_staging(run.staging)
        plan, arrays = prepare_store(run, job_file, source)
        save_job(run, job_file)
        manifest = read_manifest(run, plan)
        harvest = Harvest(manifest.tally(), workers=min(workers, int((~manifest.committed).sum())))
        pending = plan.samples - harvest.total.samples - harvest.total.quarantined
        check_space(run, bytes_needed(arrays, pending, harvest.total))
        log.emit(StageStarted(STAGE, plan.samples, plan.samples - pending, "samples"))
        bench = Workbench(run, job_file, arrays, plan.data_hash)
        supervision = Supervision(lease, log, stop, listener, Pause(patience), drain_s)
        try:
            _fan_out(run, manifest, settings, bench, supervision, harvest, bring)
        except XpshpcError as error:
            log.emit(StageStopped(STAGE, error.what))
            raise
        finally:
            # Who was taken over leaves what is its successor's alone.
            clear_staging(run.staging if lease.is_ours else run.staging / supervision.session)
    return harvest


def _fan_out(
    run: RunDirectory,
    manifest: Manifest,
    settings: Generate,
    bench: Workbench,
    supervision: Supervision,
    harvest: Harvest,
    bring: OpenWorkers,
) -> None:
    from xpshpc.generate.crew import Crew

    make_private_folder(run.staging)
    make_private_folder(run.staging / supervision.session)
    run.logs.mkdir(exist_ok=True)
    with bring(harvest.workers, supervision.log.emit) as workforce:
        crew = Crew(workforce.client, bench)
        workforce.tend()
        supervision.log.emit(WorkersStarted(workforce.connected))
        FanOut(run, manifest, settings, crew, workforce, supervision, harvest).complete()


@contextlib.contextmanager
def _open_workers(
    profile: Profile | None, run: RunDirectory, scratch: Path | None, workers: int, on_event: Listener
) -> Iterator[Workforce]:
    from xpshpc.cluster.workers.launch import open_workforce

    with open_workforce(profile, workers, run, on_event=on_event, scratch=scratch) as workforce:
        yield workforce


def _ignore(_event: Event) -> None:
    """Nobody listens."""
