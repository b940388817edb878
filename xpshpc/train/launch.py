"""Training as a stage: checked before it starts, resumed where it stopped, and done by a gang of ranks."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from xpshpc.config import JobFile
from xpshpc.errors import UsageError
from xpshpc.events import Listener, StageFinished, StageProgressed, StageStarted
from xpshpc.follow import Follower
from xpshpc.plan.shards import split_shards
from xpshpc.run_directory import LOCK, RunDirectory, save_job, write_atomically
from xpshpc.store.identity import check_owner
from xpshpc.store.manifest import read_manifest
from xpshpc.store.stage import hold_stage
from xpshpc.train.batches import check_even_share
from xpshpc.train.history import EpochFinished
from xpshpc.train.result import TrainResult, events_path, read_result, settings_hash

if TYPE_CHECKING:
    from xpshpc.cluster.profile import Launcher
    from xpshpc.cluster.ranks.step import Step

_TOLD = (StageStarted, StageProgressed, StageFinished, EpochFinished)


def train(
    run: RunDirectory,
    job_file: JobFile,
    *,
    ranks: int,
    launcher: Launcher = "gloo",
    step: Step | None = None,
    threads_per_rank: int = 1,
    restart: bool = False,
    on_event: Listener | None = None,
    while_waiting: Callable[[], None] | None = None,
) -> TrainResult:
    """Trains the job's network on the run's committed shards by `ranks` processes, from the last checkpoint on.

    Writes train/model.keras, train/model.json, train/history.jsonl, train/tensorboard and train/checkpoints. A finished
    training with the same settings is returned as it is; `restart` clears what is there first. Events of the stage
    "train" (unit: steps) and EpochFinished go to `on_event`; `while_waiting` is called many times a second.

    Raises UsageError, before any rank starts, for missing shards, a batch that the ranks cannot share, other settings
    than those of the checkpoints, or a training of this run that goes on elsewhere; Drained when asked to stop; else
    what `run_gang` and the ranks raise.
    """
    from xpshpc.cluster.ranks.gang import run_gang

    settings = settings_hash(job_file)
    check_even_share(job_file.job.train.global_batch, ranks)
    check_stored(run, job_file)
    with hold_stage(run, "train") as lease:
        if restart:
            _clear(run)
        _claim(run, settings)
        done = read_result(run, settings)
        if done is not None:
            return done
        save_job(run, job_file)
        events_path(run).unlink(missing_ok=True)
        follower = Follower(events_path(run), _TOLD, on_event)

        def attend() -> None:
            lease.beat()
            follower.pass_on()
            if while_waiting is not None:
                while_waiting()

        run_gang(
            "xpshpc.train",
            [str(run.path)],
            ranks=ranks,
            launcher=launcher,
            step=step,
            log_directory=run.logs / "train",
            threads_per_rank=threads_per_rank,
            while_waiting=attend,
        )
    result = read_result(run, settings)
    assert result is not None, "the ranks ended well without a model"
    return replace(result, reused=False)


def check_stored(run: RunDirectory, job_file: JobFile) -> None:
    """Raises UsageError where the run holds another job's data, or shards to train or validate on are missing."""
    identity = check_owner(run, job_file)
    if identity is None:
        raise UsageError("no data set to train on", where=str(run.path), try_="xpshpc generate JOB")
    plan = identity.plan()
    split = split_shards(len(plan), job_file.job.split)
    committed = read_manifest(run, plan).committed
    missing = [shard for shard in (*split.training, *split.validation) if not committed[shard]]
    if missing:
        shown = ", ".join(map(str, missing[:5])) + (", …" if len(missing) > 5 else "")
        raise UsageError(
            f"{len(missing)} of the shards to train on are not stored yet: {shown}",
            where=str(run.data),
            try_=f"xpshpc generate {run.path}",
        )


def _claim(run: RunDirectory, settings: str) -> None:
    path = run.train / "settings.json"
    if not path.exists():
        write_atomically(path, json.dumps({"settings": settings}).encode())
    elif json.loads(path.read_bytes())["settings"] != settings:
        raise UsageError(
            "this run was trained, or half trained, with other settings",
            where=str(run.train),
            try_=f"xpshpc train {run.path} --restart, which clears them, or another name for the job",
        )


def _clear(run: RunDirectory) -> None:
    for path in run.train.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != LOCK:
            path.unlink()
