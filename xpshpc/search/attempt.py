"""One attempt at a trial, in a process of its own: its training, up to where it pauses or ends, and then its scores.

`python -m xpshpc.search.attempt FOLDER ORDER`, with the order as JSON; the answer is FOLDER/attempt.json. A gang of
ranks wants the main thread of its process, where signals arrive: so several gangs take several processes.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from xpshpc.cluster.profile import Launcher
from xpshpc.cluster.ranks.step import Step
from xpshpc.config import JobFile
from xpshpc.errors import Drained, ExitCode, XpshpcError
from xpshpc.evaluate.evaluate import evaluate
from xpshpc.events import Event, StageStarted
from xpshpc.run_directory import RunDirectory, open_run, write_atomically
from xpshpc.search.policy import Cause, cause_of
from xpshpc.train.launch import train
from xpshpc.train.result import TrainResult


@dataclass(frozen=True)
class Order:
    """How a trial's ranks are started, after which epoch they pause (None: nowhere), and whether the end is scored."""

    ranks: int
    launcher: Launcher = "gloo"
    threads_per_rank: int = 1
    step: Step | None = None
    until_epoch: int | None = None
    score: bool = False


@dataclass(frozen=True)
class Failure:
    """Why an attempt came to nothing: the cause, and the error's own words."""

    cause: Cause
    what: str
    where: str = ""
    try_: str = ""


@dataclass(frozen=True)
class Answer:
    """What an attempt came to.

    `epochs` and `validation` are those of the training so far; `finished` tells that it has its network, saved from
    epoch `best_epoch` by `ranks` ranks. `training_s` is what all epochs took, `held_s` how long this attempt's ranks
    held their cores. `metrics` are the scores on the held-out shards (None: not asked for, or not come to), and
    `unscored` why there are none.
    """

    held_s: float = 0.0
    finished: bool = False
    epochs: int = 0
    validation: Mapping[str, float] = field(default_factory=dict)
    best_epoch: int = 0
    ranks: int = 0
    training_s: float = 0.0
    metrics: Mapping[str, float] | None = None
    unscored: str = ""
    failure: Failure | None = None


_ORDERS = TypeAdapter(Order)
_ANSWERS = TypeAdapter(Answer)


def order_words(folder: RunDirectory, order: Order) -> list[str]:
    """The command of an attempt at the trial in this folder."""
    return [sys.executable, "-P", "-m", "xpshpc.search.attempt", str(folder.path), json.dumps(asdict(order))]


def answer_path(folder: RunDirectory) -> Path:
    """Where an attempt leaves what it came to."""
    return folder.path / "attempt.json"


def read_answer(folder: RunDirectory) -> Answer | None:
    """What the attempt came to; None where its process died before it could tell."""
    try:
        return _ANSWERS.validate_python(json.loads(answer_path(folder).read_bytes()))
    except FileNotFoundError:
        return None


def make_attempt(folder: RunDirectory, order: Order) -> None:
    """Trains, then scores where that is asked for, and leaves the answer. Raises Drained when asked to stop."""
    _, job_file = open_run(folder.path)
    meter = Meter(waits=_waits_in_queue(order))
    for left in _rank_errors(folder):
        left.unlink()
    try:
        answer = _train(folder, job_file, order, meter)
    except Drained:
        _leave(folder, Answer(held_s=meter.seconds))
        raise
    except XpshpcError as error:
        cause = cause_of(error, told_by_rank=bool(_rank_errors(folder)))
        failure = Failure(cause, error.what, error.where, error.try_)
        _leave(folder, Answer(held_s=meter.seconds, failure=failure))
        return
    _leave(folder, answer)
    if not (answer.finished and order.score):
        return
    told_scores: dict[str, Any]
    try:
        told_scores = {"metrics": _score(folder, job_file, order, meter)}
    except Drained:
        raise
    except XpshpcError as error:
        told_scores = {"unscored": error.what}
    _leave(folder, Answer(**{**vars(answer), **told_scores, "held_s": meter.seconds}))


class Meter:
    """Seconds for which ranks held their cores; where they wait in a queue (`waits`), from when they first speak on."""

    def __init__(self, *, waits: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._waits = waits
        self._clock = clock
        self._before = 0.0
        self._since = None if waits else clock()

    @property
    def seconds(self) -> float:
        return self._before + (0.0 if self._since is None else self._clock() - self._since)

    def hear(self, event: Event) -> None:
        """Takes an event of a stage."""
        if isinstance(event, StageStarted) and self._since is None:
            self._since = self._clock()

    def pause(self) -> None:
        """The ranks are over, and others are about to be asked for."""
        self._before = self.seconds
        self._since = None if self._waits else self._clock()


def _rank_errors(folder: RunDirectory) -> list[Path]:
    """What ranks left about their end."""
    return sorted((folder.logs / "train").glob("rank-*.error.json"))


def _waits_in_queue(order: Order) -> bool:
    return order.step is not None and "SLURM_JOB_ID" not in os.environ


def _train(folder: RunDirectory, job_file: JobFile, order: Order, meter: Meter) -> Answer:
    result = train(
        folder,
        job_file,
        ranks=order.ranks,
        launcher=order.launcher,
        step=order.step,
        threads_per_rank=order.threads_per_rank,
        until_epoch=order.until_epoch,
        on_event=meter.hear,
    )
    if not isinstance(result, TrainResult):
        return Answer(meter.seconds, epochs=result.epochs, validation=result.validation, training_s=result.seconds)
    return Answer(
        meter.seconds,
        finished=True,
        epochs=result.epochs,
        validation=result.validation,
        best_epoch=result.best_epoch,
        ranks=result.ranks,
        training_s=result.seconds,
    )


def _score(folder: RunDirectory, job_file: JobFile, order: Order, meter: Meter) -> dict[str, float]:
    """The scores that are single numbers; all of them are in the trial's evaluate/metrics.json."""
    meter.pause()
    scores = evaluate(
        folder, job_file, ranks=order.ranks, launcher=order.launcher, step=order.step, on_event=meter.hear
    ).metrics
    return {name: float(value) for name, value in scores.items() if isinstance(value, float)}


def _leave(folder: RunDirectory, answer: Answer) -> None:
    write_atomically(answer_path(folder), json.dumps(asdict(answer)).encode())


def main(folder: str, order: str) -> int:
    """The attempt's process; its exit code tells only whether it was asked to stop."""
    try:
        make_attempt(RunDirectory(Path(folder)), _ORDERS.validate_json(order))
    except Drained:
        return int(ExitCode.DRAINED)
    return int(ExitCode.DONE)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
