"""Training on one rank of many: epochs, checkpoints, and a good end whatever happens. Imports TensorFlow."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xpshpc.cluster.communicator import GradientCommunicator
from xpshpc.config import Train
from xpshpc.domain import AdversarialProblem, Place, Problem, sound_rows
from xpshpc.errors import Drained, ExitCode, XpshpcError
from xpshpc.train.batches import Batch, Order, RankSlice, ShardReader, read_batches
from xpshpc.train.checkpoint import Checkpoint, Progress, Variables
from xpshpc.train.history import EpochFinished
from xpshpc.train.prefetch import Prefetch
from xpshpc.train.rivalry import find_troubles
from xpshpc.train.schedule import Schedule, choose_schedule
from xpshpc.train.step import StepResult
from xpshpc.train.stopping import is_over
from xpshpc.train.validation import LARGEST_BATCH, validate

_TELL_EVERY_S = 0.5
_SLOWER = "a smaller train.learning_rate, or a train.gradient_clip"
_KEPT = "earlier checkpoints are kept"


class Diverged(XpshpcError):
    """The loss or its gradient was not a finite number: the data or the learning rate must change."""

    exit_code = ExitCode.USAGE


class DriftedApart(XpshpcError):
    """Ranks that should hold the same weights to the last bit do not."""


class TrainingStep(Protocol):
    """What moves networks by one global batch, and answers without learning; all its state can be copied."""

    network: Any
    """The network that is saved."""

    def step(
        self, inputs: NDArray[np.float32], truth: Mapping[str, NDArray[np.float32]], rate: float, stop: bool
    ) -> StepResult: ...

    def answer(
        self, inputs: NDArray[np.float32], truth: Mapping[str, NDArray[np.float32]]
    ) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float32]]: ...

    def variables(self) -> tuple[Variables, Variables]: ...

    def assign(self, network: Variables, optimizer: Variables | None = None) -> None: ...

    def broadcast(self) -> None: ...


@dataclass(frozen=True)
class Watchers:
    """What the loop tells others: `saved` a checkpoint (all ranks call it), `epoch` and `steps` on progress."""

    saved: Callable[[Checkpoint], None]
    epoch: Callable[[EpochFinished], None]
    steps: Callable[[int, str], None]


@dataclass
class Reached:
    """Where a training stands: after the last step or epoch that is done, None before the first."""

    progress: Progress | None = None


@dataclass(frozen=True)
class Trainer:
    """Everything that training needs, on one rank; `until_epoch` is the number of epochs after which it pauses."""

    stepper: TrainingStep
    problem: Problem
    reader: ShardReader
    order: Order
    validation: tuple[int, ...]
    settings: Train
    ranks: GradientCommunicator
    watchers: Watchers
    should_stop: Callable[[], bool]
    until_epoch: int | None = None
    clock: Callable[[], float] = time.perf_counter
    reached: Reached = field(default_factory=Reached)

    @cached_property
    def last_epoch(self) -> int:
        """Epochs after which this call ends, if nothing ends it earlier."""
        return self.settings.epochs if self.until_epoch is None else min(self.until_epoch, self.settings.epochs)

    @cached_property
    def schedule(self) -> Schedule:
        """The learning rates of the whole training, wherever it pauses."""
        return choose_schedule(self.settings, self.count_steps(self.settings.epochs))

    def count_steps(self, epochs: int) -> int:
        """Steps of the first so many epochs."""
        return sum(self.order.steps(epoch) for epoch in range(epochs))

    def run(self, progress: Progress) -> Progress:
        """Trains from `progress` to the last epoch, or to where it pauses or stops early; returns where it ended.

        `reached` follows on the way: after ranks were lost, others can go on from there. Raises Drained after a
        checkpoint when any rank is asked to stop; Diverged on all ranks, naming the shards, when a loss is not finite;
        DriftedApart when ranks do not hold the same weights. Earlier checkpoints stay.
        """
        self.reached.progress = progress
        while progress.epoch < self.last_epoch and not is_over(self.settings, progress.history):
            progress = self._finish_epoch(self._train_epoch(progress))
        return progress

    def _train_epoch(self, progress: Progress) -> Progress:
        mine = RankSlice(self.ranks.rank, self.ranks.size)
        batches = read_batches(self.order, self.reader, self.problem.reads, progress.epoch, mine, progress.step)
        prepared = (self._prepare(batch, progress.epoch) for batch in batches)
        started, loss_sum, samples = self.clock(), progress.loss_sum, progress.samples
        told_at = started
        with Prefetch(prepared, clock=self.clock) as ready:

            def so_far(step: int) -> Progress:
                return replace(
                    progress,
                    step=step,
                    steps_done=progress.steps_done + step - progress.step,
                    loss_sum=loss_sum,
                    samples=samples,
                    seconds=progress.seconds + self.clock() - started,
                    wait_s=progress.wait_s + ready.waited_s,
                )

            for batch, inputs, truth in ready:
                done = progress.steps_done + batch.step - progress.step
                result = self.stepper.step(inputs, truth, self.schedule.rate(done), self.should_stop())
                if not result.finite:
                    sound = sound_rows(inputs, *truth.values())
                    raise self._diverged(progress.epoch, batch, sound, np.isfinite(result.losses))
                loss_sum += result.loss * self.order.global_batch
                samples += self.order.global_batch
                self.reached.progress = so_far(batch.step + 1)
                if result.stop:
                    self._save(self.reached.progress)
                    raise Drained("training stopped after a checkpoint", try_="the same command again")
                if self.clock() - told_at > _TELL_EVERY_S:
                    told_at = self.clock()
                    self.watchers.steps(done + 1, f"epoch {progress.epoch + 1}, loss {result.loss:.4f}")
            return so_far(self.order.steps(progress.epoch))

    def _prepare(self, batch: Batch, epoch: int) -> tuple[Batch, NDArray[np.float32], dict[str, NDArray[np.float32]]]:
        rows = self.problem.augment(batch.rows, Place(self.order.seed, epoch, batch.step, batch.first))
        return batch, self.problem.features(rows), self.problem.targets(rows)

    def _finish_epoch(self, progress: Progress) -> Progress:
        begun = self.clock()
        validation = validate(
            self.stepper,
            self.problem,
            self.reader,
            self.validation,
            self.ranks,
            batch=min(self.order.global_batch, LARGEST_BATCH),
        )
        if isinstance(self.problem, AdversarialProblem):
            validation = self.problem.conclude(validation)
        if not math.isfinite(validation["loss"]):
            raise Diverged(
                f"the validation loss is not finite, from sound samples; {_KEPT}",
                where=f"epoch {progress.epoch + 1}, validation",
                try_=_SLOWER,
            )
        train_s = progress.seconds
        finished = EpochFinished(
            epoch=progress.epoch + 1,
            epochs=self.settings.epochs,
            loss=progress.loss_sum / progress.samples,
            validation=validation,
            seconds=train_s + self.clock() - begun,
            spectra_per_s=progress.samples / train_s,
            learning_rate=self.schedule.rate(progress.steps_done - 1),
            data_wait_share=progress.wait_s / train_s,
            warnings=self._find_warnings(progress.history, validation),
        )
        # Two networks that train each other have no best epoch: what is kept is the last one.
        better = isinstance(self.problem, AdversarialProblem) or validation["loss"] < progress.best_loss
        after = Progress(
            settings=progress.settings,
            epoch=progress.epoch + 1,
            steps_done=progress.steps_done,
            best_steps=progress.steps_done if better else progress.best_steps,
            best_loss=validation["loss"] if better else progress.best_loss,
            history=(*progress.history, finished),
        )
        self._save(after)
        self.reached.progress = after
        self.watchers.steps(after.steps_done, f"epoch {after.epoch}, loss {finished.loss:.4f}")
        self.watchers.epoch(finished)
        return after

    def _find_warnings(self, before: Sequence[EpochFinished], validation: dict[str, float]) -> tuple[str, ...]:
        if not isinstance(self.problem, AdversarialProblem):
            return ()
        return tuple(trouble.value for trouble in find_troubles([*(each.validation for each in before), validation]))

    def _save(self, progress: Progress) -> None:
        network, optimizer = self.stepper.variables()
        self._check_agreement(network)
        if self.ranks.rank == 0:
            self.watchers.saved(Checkpoint(progress, network, optimizer))
        # Nobody leaves, or goes on, before the checkpoint is on the disk.
        self.ranks.barrier()

    def _check_agreement(self, network: Variables) -> None:
        digest = hashlib.sha256(b"".join(values.tobytes() for values in network)).digest()
        digests = self.ranks.gather(np.frombuffer(digest, np.uint8))
        strangers = [rank for rank, other in enumerate(digests) if other.tobytes() != digests[0].tobytes()]
        if strangers:
            raise DriftedApart(
                f"the weights of rank(s) {', '.join(map(str, strangers))} are not those of rank 0",
                try_="xpshpc doctor; the last checkpoint is good",
            )

    def _diverged(self, epoch: int, batch: Batch, sound: NDArray[np.bool_], finite: NDArray[np.bool_]) -> Diverged:
        """The fault of samples that are not `sound`; else that of weights, for which losses are not `finite`."""
        bad, hit, everyone = (
            sorted({int(shard) for own in self.ranks.gather(np.unique(shards)) for shard in own})
            for shards in (batch.shards[~sound], batch.shards[~finite], batch.shards)
        )
        kind, shards, cure = ("bad", bad, "xpshpc verify RUN") if bad else ("sound", hit or everyone, _SLOWER)
        return Diverged(
            f"loss or gradient is not finite, from {kind} samples of shard(s) {', '.join(map(str, shards))}; {_KEPT}",
            where=f"epoch {epoch + 1}, step {batch.step + 1}",
            try_=cure,
        )
