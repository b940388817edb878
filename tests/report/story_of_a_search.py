"""The journal and curves of a search that never was: every trial of a grid or of points, with known values."""

from __future__ import annotations

import json
from collections.abc import Callable

from xpshpc.config import JobFile
from xpshpc.events import EventLog
from xpshpc.run_directory import RunDirectory, save_job
from xpshpc.search.events import (
    SearchEnded,
    SearchStarted,
    TrialFailed,
    TrialFinished,
    TrialPaused,
    TrialScored,
    TrialStarted,
    TrialStopped,
)
from xpshpc.search.ledger import journal_path
from xpshpc.search.result import read_search
from xpshpc.search.state import State
from xpshpc.search.trial import Trial
from xpshpc.train.history import EpochFinished, history_path, write_history
from xpshpc.train.result import card_path

HOURS = 0.25
"""Core-hours of each trial."""

Fate = Callable[[Trial], tuple[State, float]]
"""What becomes of a trial, and the accuracy it comes to."""


def tell_search(run: RunDirectory, job_file: JobFile, fate: Fate, *, held_out_less: float | None = None) -> None:
    """Writes the search of a run; `held_out_less` is how much smaller the accuracy is on the held-out shards."""
    save_job(run, job_file)
    epochs = job_file.job.train.epochs
    trials = read_search(run, job_file).trials
    times = iter(range(100, 10**9, 10))
    with EventLog(journal_path(run), clock=lambda: float(next(times))) as log:
        log.emit(SearchStarted(len(trials), 0, ""))
        for trial in trials:
            state, accuracy = fate(trial)
            if state is State.PENDING:
                continue
            log.emit(TrialStarted(trial.id, dict(trial.parameters), trial.repeat, 1))
            done = epochs if state is State.FINISHED else 1
            folder = trial.run(run)
            save_job(folder, trial.job_file)
            curve = [
                EpochFinished(
                    n, epochs, 0.1, {"loss": (1 - accuracy) / n, "accuracy": accuracy * n / done}, 1.0, 9.0, 1e-3, 0.0
                )
                for n in range(1, done + 1)
            ]
            if state is not State.FAILED:
                write_history(history_path(folder), curve)
            validation = curve[-1].validation
            if state is State.FINISHED:
                folder.model.write_bytes(b"weights")
                card_path(folder).write_text(json.dumps({"sha256": ""}))
                log.emit(TrialFinished(trial.id, validation, done, 1, 60.0, done, HOURS, 0.0))
                if held_out_less is not None:
                    log.emit(TrialScored(trial.id, {"accuracy": accuracy - held_out_less}))
            elif state is State.STOPPED:
                log.emit(TrialPaused(trial.id, 1, validation, 20.0, HOURS, 0.0))
                log.emit(TrialStopped(trial.id, 1))
            elif state is State.FAILED:
                log.emit(TrialFailed(trial.id, "refused", "<b>loss</b> is not finite", "give_up", 1.0, HOURS, 0.0))
        log.emit(SearchEnded("complete", 100.0))
