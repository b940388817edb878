"""The generate stage: a job's data set, made or completed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xpshpc.config import Generate, JobFile
from xpshpc.errors import EnvironmentFault, XpshpcError
from xpshpc.events import Event, EventLog, Listener, StageFinished, StageStarted
from xpshpc.generate.events import StageStopped, WorkersStarted
from xpshpc.generate.fanout import STAGE, FanOut, Harvest, Supervision
from xpshpc.generate.policy import Patience
from xpshpc.generate.shard_task import NO_ROOM, Workbench
from xpshpc.generate.space import Pause, bytes_needed, check_space
from xpshpc.generate.stop import StopSignals
from xpshpc.run_directory import RunDirectory, save_job
from xpshpc.source import AttendedSource
from xpshpc.store.commit import clear_staging, make_private_folder
from xpshpc.store.identity import check_owner
from xpshpc.store.lease import hold_lease
from xpshpc.store.manifest import Manifest, read_manifest
from xpshpc.store.prepare import prepare_store


@dataclass(frozen=True)
class GenerateResult:
    """The state of a data set after `generate`.

    `planned`, `committed` (they hold data), `quarantined` and `made` (by this call, of either kind) count samples.
    `spectra_per_s` is that of this call, 0 if it had nothing to do. `core_s` are seconds on one core that went into the
    whole data set, failed attempts included; `failures` counts this call's failed attempts by cause.
    """

    run: str
    planned: int
    committed: int
    quarantined: int
    spectra_per_s: float
    wall_s: float
    made: int
    shards: int
    bytes: int
    workers: int
    core_s: float
    failures: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def generate(
    job_file: JobFile,
    run: RunDirectory,
    *,
    workers: int,
    on_event: Listener | None = None,
    patience: Patience | None = None,
    scratch: Path | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> GenerateResult:
    """Makes what is missing of a job's data set with so many worker processes of this machine.

    Writes the resolved job into the run. Calling it again goes on where it stopped; with nothing missing it starts no
    worker and makes nothing. The bytes of the store depend on the job alone. `patience` says how long a full disk is
    waited for, `scratch` where Dask's own files go (by default into the run's staging).

    Raises UsageError if the run holds another job's data or another coordinator works on it, EnvironmentFault if the
    disk is or stays full or the workers cannot be kept alive, Drained after SIGINT or SIGTERM.
    """
    began = clock()
    listener = on_event or _ignore
    try:
        harvest = _find_complete(job_file, run, listener)
        if harvest is None:
            harvest = _complete(job_file, run, workers, listener, patience or Patience(), scratch)
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


def _complete(
    job_file: JobFile,
    run: RunDirectory,
    workers: int,
    listener: Listener,
    patience: Patience,
    scratch: Path | None,
) -> Harvest:
    settings, job = job_file.job.generate, job_file.job
    source = job_file.domain.source(settings.source, job_file.settings, settings.options, job.seed)
    if isinstance(source, AttendedSource):
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
        supervision = Supervision(lease, log, stop, listener, Pause(patience))
        try:
            _fan_out(run, manifest, settings, bench, supervision, harvest, scratch or run.staging / "dask")
        except XpshpcError as error:
            log.emit(StageStopped(STAGE, error.what))
            raise
        finally:
            clear_staging(run.staging)
    return harvest


def _fan_out(
    run: RunDirectory,
    manifest: Manifest,
    settings: Generate,
    bench: Workbench,
    supervision: Supervision,
    harvest: Harvest,
    scratch: Path,
) -> None:
    from xpshpc.cluster.launch import open_local_client
    from xpshpc.generate.crew import Crew

    make_private_folder(run.staging)
    make_private_folder(run.staging / supervision.session)
    run.logs.mkdir(exist_ok=True)
    with open_local_client(harvest.workers, scratch=scratch, log=run.logs / "workers.log") as client:
        crew = Crew(client, bench)
        supervision.log.emit(WorkersStarted(harvest.workers))
        window = harvest.workers * settings.window
        FanOut(run, manifest, settings, crew, window, supervision, harvest).complete()


def _ignore(_event: Event) -> None:
    """Nobody listens."""
