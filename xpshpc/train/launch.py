"""Training as a stage: checked before it starts, resumed where it stopped, and done by a gang of ranks."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from xpshpc.config import JobFile
from xpshpc.domain import AdversarialProblem
from xpshpc.errors import UsageError
from xpshpc.events import Listener, StageFinished, StageProgressed, StageStarted
from xpshpc.follow import Follower
from xpshpc.run_directory import LOCK, RunDirectory, save_job, write_atomically
from xpshpc.store.stage import hold_stage
from xpshpc.train.check import check_stored, check_training
from xpshpc.train.history import EpochFinished, RanksChanged, TrainingWarned
from xpshpc.train.result import PausedTraining, TrainResult, events_path, read_pause, read_result, settings_hash

if TYPE_CHECKING:
    from xpshpc.cluster.profile import Launcher
    from xpshpc.cluster.ranks.gang import GangResult
    from xpshpc.cluster.ranks.step import Step

_TOLD = (StageStarted, StageProgressed, StageFinished, EpochFinished, RanksChanged, TrainingWarned)


def train(
    run: RunDirectory,
    job_file: JobFile,
    *,
    ranks: int,
    launcher: Launcher = "gloo",
    step: Step | None = None,
    threads_per_rank: int = 1,
    restart: bool = False,
    until_epoch: int | None = None,
    on_event: Listener | None = None,
    while_waiting: Callable[[], None] | None = None,
) -> TrainResult | PausedTraining:
    """Trains the job's network on the run's committed shards by `ranks` processes, from the last checkpoint on.

    Writes train/model.keras, train/model.json, train/history.jsonl, train/tensorboard and train/checkpoints. A finished
    training with the same settings is returned as it is; `restart` clears what is there first. With `until_epoch` it
    pauses after so many epochs of the same schedule: no model is written, and a later call goes on. Events of the stage
    "train" (unit: steps) and EpochFinished go to `on_event`; `while_waiting` is called many times a second.

    Raises UsageError, before any rank starts, for what `check_training` and `check_stored` refuse, other settings than
    those of the checkpoints, or a training of this run that goes on elsewhere; Drained when asked to stop; else what
    `run_gang` and the ranks raise.
    """
    start = _choose_gang(job_file)
    settings = settings_hash(job_file)
    check_training(job_file, ranks, launcher)
    check_stored(run, job_file, ranks)

    def find_done() -> TrainResult | PausedTraining | None:
        done = read_result(run, settings)
        if done is None and until_epoch is not None:
            keeps_last = isinstance(job_file.problem(), AdversarialProblem)
            return read_pause(
                run, job_file.job.train, settings, until_epoch=until_epoch, ranks=ranks, keeps_last=keeps_last
            )
        return done

    with hold_stage(run, "train") as lease:
        if restart:
            _clear(run)
        _claim(run, settings)
        done = find_done()
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

        start(
            "xpshpc.train",
            [str(run.path), *([] if until_epoch is None else [str(until_epoch)])],
            ranks=ranks,
            launcher=launcher,
            step=step,
            log_directory=run.logs / "train",
            threads_per_rank=threads_per_rank,
            while_waiting=attend,
        )
    result = find_done()
    assert result is not None, "the ranks ended well without a model"
    return replace(result, reused=False) if isinstance(result, TrainResult) else result


def _choose_gang(job_file: JobFile) -> Callable[..., GangResult]:
    """What runs the ranks: a gang that ends with its first loss, or one that goes on where the job asks for that."""
    from xpshpc.cluster.ranks.elastic import run_elastic_gang
    from xpshpc.cluster.ranks.elastic_group import Elasticity
    from xpshpc.cluster.ranks.gang import run_gang

    train = job_file.job.train
    if train.elastic is None:
        return run_gang
    elastic = train.elastic
    # Each rank computes its share of a batch in so many equal parts.
    elasticity = Elasticity(
        elastic.min_ranks, elastic.replace, elastic.losses, divides=train.global_batch // train.accumulate
    )
    return partial(run_elastic_gang, elasticity=elasticity)


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
