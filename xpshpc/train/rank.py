"""One rank's part of a training: joined to the others, gone on from the last checkpoint, written down by the first."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from xpshpc.cluster.communicator import Communicator, GradientCommunicator
from xpshpc.config import JobFile, Train
from xpshpc.domain import AdversarialProblem, Problem
from xpshpc.errors import UsageError
from xpshpc.events import EventLog, StageFinished, StageProgressed, StageStarted
from xpshpc.plan.shards import split_shards
from xpshpc.run_directory import RunDirectory
from xpshpc.store.read import Store
from xpshpc.store.record import read_records
from xpshpc.train.adversarial import AdversarialStepper
from xpshpc.train.batches import Order
from xpshpc.train.calibration import calibrate_on_validation
from xpshpc.train.check import first_shards
from xpshpc.train.checkpoint import Checkpoint, Progress, latest_checkpoint, load_best, save_checkpoint
from xpshpc.train.export import Curves, save_model, summarise
from xpshpc.train.history import EpochFinished, TrainingWarned, history_path, write_history
from xpshpc.train.loop import Trainer, TrainingStep, Watchers
from xpshpc.train.pictures import Gallery
from xpshpc.train.result import checkpoints_path, events_path, settings_hash
from xpshpc.train.step import Stepper
from xpshpc.train.stopping import is_over
from xpshpc.train.validation import LARGEST_BATCH


@dataclass(frozen=True)
class Held:
    """What a process holds of a training in memory; `begun_at` are the steps that were done when the command began."""

    checkpoint: Checkpoint
    begun_at: int


def train_on_rank(
    run: RunDirectory,
    job_file: JobFile,
    ranks: GradientCommunicator,
    *,
    should_stop: Callable[[], bool],
    until_epoch: int | None = None,
    held: Held | None = None,
    watch: Callable[[Trainer, int], None] = lambda trainer, begun_at: None,
) -> None:
    """Trains from the last whole checkpoint, or from the start, to the end; the first rank saves the model.

    Paused after `until_epoch` epochs, it leaves its checkpoint and no model. Where the first rank has `held` a state in
    memory, all go on from there; `watch` is given the trainer before its first step, and the steps that were done when
    the command began. Raises what `Trainer.run` raises, and UsageError for a checkpoint of other settings.
    """
    begun = time.monotonic()
    job = job_file.job
    problem = job_file.problem()
    store = Store(run)
    split = split_shards(len(store.plan), job.split)
    order = Order(
        _rows_to_train_on(store, split.training, job.train, ranks),
        job.training_seed,
        job.train.global_batch,
        job.train.buffer_shards,
    )
    stepper = _make_stepper(problem, job_file, store, ranks)
    progress, begun_at = _resume(run, stepper, ranks, settings_hash(job_file), held)
    with ExitStack() as stack:
        scribe = None
        if ranks.rank == 0:
            gallery = Gallery(problem, stepper.network, run) if isinstance(problem, AdversarialProblem) else None
            scribe = stack.enter_context(_Scribe(run, job.train.keep_checkpoints, gallery))
        watchers = Watchers(scribe.save, scribe.finish_epoch, scribe.progress) if scribe else _SILENT
        trainer = Trainer(
            stepper=stepper,
            problem=problem,
            reader=store,
            order=order,
            validation=tuple(split.validation),
            settings=job.train,
            ranks=ranks,
            watchers=watchers,
            should_stop=should_stop,
            until_epoch=until_epoch,
        )
        if scribe:
            planned = trainer.count_steps(trainer.last_epoch)
            scribe.log.emit(StageStarted("train", planned, progress.steps_done, "steps"))
        watch(trainer, begun_at)
        progress = trainer.run(progress)
        if is_over(job.train, progress.history):
            if ranks.rank == 0:
                stepper.assign(load_best(checkpoints_path(run), progress))
            stepper.broadcast()
            calibration = calibrate_on_validation(
                stepper, problem, store, split.validation, ranks, batch=min(order.global_batch, LARGEST_BATCH)
            )
            if scribe:
                training = summarise(
                    progress,
                    epochs=job.train.epochs,
                    ranks=ranks.size,
                    resumed_from=begun_at or None,
                    keeps_last=isinstance(problem, AdversarialProblem),
                )
                save_model(run, stepper.network, problem, training, calibration)
        if scribe:
            scribe.log.emit(StageFinished("train", round(time.monotonic() - begun, 3)))
    ranks.barrier()


def _rows_to_train_on(store: Store, shards: range, train: Train, ranks: Communicator) -> dict[int, int]:
    """Valid samples of each shard that is trained on, read by one rank for all."""
    told = None
    if ranks.rank == 0:
        rows = first_shards(read_records(store.run, shards), train.samples)
        told = np.array([*rows.values()], np.int64)
    return {shard: int(rows) for shard, rows in zip(shards, ranks.broadcast(told), strict=False)}


def _make_stepper(
    problem: Problem, job_file: JobFile, store: Store, ranks: GradientCommunicator
) -> Stepper | AdversarialStepper:
    train = job_file.job.train
    empty = {name: np.zeros((1, *store.specs[name].shape), store.specs[name].dtype) for name in problem.reads}
    shape = problem.features(empty).shape[1:]
    network = problem.network(train.network, train.parameters, shape, job_file.job.training_seed)
    if isinstance(problem, AdversarialProblem):
        return AdversarialStepper(network, problem, ranks, train)
    return Stepper(network, problem, ranks, train)


def _resume(
    run: RunDirectory, stepper: TrainingStep, ranks: GradientCommunicator, settings: str, held: Held | None
) -> tuple[Progress, int]:
    """Brings every rank to what the first one holds, or to the last whole checkpoint, or to the first one's weights.

    Returns where the training stands, and the steps that were done when the command began.
    """
    told = None
    if ranks.rank == 0:
        progress = Progress(settings)
        checkpoint = held.checkpoint if held else latest_checkpoint(checkpoints_path(run), settings)
        if checkpoint is not None:
            progress = checkpoint.progress
            try:
                stepper.assign(checkpoint.network, checkpoint.optimizer)
            except ValueError as error:
                raise UsageError(
                    str(error), where=str(checkpoints_path(run)), try_=f"xpshpc train {run.path} --restart"
                ) from None
        write_history(history_path(run), progress.history)
        told = {"progress": progress.as_json(), "begun_at": held.begun_at if held else progress.steps_done}
    told = ranks.broadcast(told)
    stepper.broadcast()
    return Progress.from_json(told["progress"]), told["begun_at"]


_SILENT = Watchers(lambda checkpoint: None, lambda epoch: None, lambda done, note: None)


class _Scribe:
    """The first rank's pen: events, loss curve, TensorBoard, checkpoints, and pictures where there is a gallery."""

    def __init__(self, run: RunDirectory, keep: int, gallery: Gallery | None = None) -> None:
        self._run = run
        self._gallery = gallery
        self._warned: frozenset[str] = frozenset()
        self._keep = keep
        self.log = EventLog(events_path(run))
        self._curves = Curves(run.train / "tensorboard")

    def __enter__(self) -> _Scribe:
        return self

    def __exit__(self, *_: object) -> None:
        self._curves.close()
        self.log.close()

    def save(self, checkpoint: Checkpoint) -> None:
        # The curve is written first: a crash in between leaves a line too many, which resuming cuts off again.
        write_history(history_path(self._run), checkpoint.progress.history)
        save_checkpoint(checkpoints_path(self._run), checkpoint, keep=self._keep)

    def finish_epoch(self, epoch: EpochFinished) -> None:
        self._curves.add(epoch)
        picture = self._gallery.add(epoch) if self._gallery else None
        if picture is not None:
            self._curves.show(epoch.epoch, picture)
        self.log.emit(epoch)
        for warning in epoch.warnings:
            if warning not in self._warned:
                self.log.emit(TrainingWarned(epoch.epoch, warning))
        self._warned = frozenset(epoch.warnings)

    def progress(self, done: int, note: str) -> None:
        self.log.emit(StageProgressed("train", done, note))
