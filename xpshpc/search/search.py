"""A search as a stage: one coordinator that owns the journal, and one trial after another by a gang of ranks."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from xpshpc.cluster.profile import Launcher
from xpshpc.cluster.ranks.rank import error_path
from xpshpc.config import JobFile, Search
from xpshpc.errors import Drained, UsageError, XpshpcError
from xpshpc.events import EventLog, Listener, read_events
from xpshpc.generate.stop import StopSignals
from xpshpc.run_directory import RunDirectory, save_job
from xpshpc.search.best import export_best
from xpshpc.search.events import (
    SearchEnded,
    SearchStarted,
    TrialFailed,
    TrialFinished,
    TrialReopened,
    TrialStarted,
)
from xpshpc.search.metric import Metric, check_metric, choose_metric
from xpshpc.search.outcome import State
from xpshpc.search.policy import Cause, Decision, Verdict, cause_of, decide, judge_budget, next_deadline, pause_s
from xpshpc.search.progress import SearchProgress
from xpshpc.search.result import SearchResult, choose_strategy, journal_path, search_section, tally_search
from xpshpc.search.strategy import Strategy
from xpshpc.search.trial import Trial, prepare_folder
from xpshpc.store.lease import Lease
from xpshpc.store.stage import hold_stage
from xpshpc.train.batches import check_even_share
from xpshpc.train.launch import check_stored, train
from xpshpc.train.result import TrainResult, checkpoints_path

if TYPE_CHECKING:
    from xpshpc.cluster.ranks.step import Step

_POLL_S = 0.2


def search(
    run: RunDirectory,
    job_file: JobFile,
    *,
    ranks: int,
    launcher: Launcher = "gloo",
    threads_per_rank: int = 1,
    step: Step | None = None,
    retry_failed: bool = False,
    job_id: str = "",
    on_event: Listener | None = None,
    clock: Callable[[], float] = time.time,
) -> SearchResult:
    """Trains the trials of the job's [search] that are not done yet, each by `ranks` processes, on the run's data.

    Writes search/journal.jsonl, search/trials/<id> for each trial and search/best. A trial that fails for good is
    noted and the next one begins; `retry_failed` begins such trials of earlier calls again. `job_id` is the SLURM job
    that this process belongs to: put back into the queue, it keeps to the end of time that it was first given.
    Events of the stage "search" (unit: epochs) go to `on_event`.

    Raises UsageError, before any rank starts, for settings, shards, ranks or a place that do not fit, or another search
    of this run that goes on; after all trials, if none of them came to a network. Drained when asked to stop;
    EnvironmentFault when ranks cannot be started time and again. The same call goes on where it stopped.
    """
    asked = search_section(job_file)
    strategy, metric = choose_strategy(job_file), choose_metric(asked)
    check_trials(strategy.trials, metric, job_file, ranks)
    check_stored(run, job_file)
    with (
        hold_stage(run, "search") as lease,
        StopSignals() as stop,
        EventLog(journal_path(run), clock=clock) as journal,
    ):
        save_job(run, job_file)
        began = _first_asked(run, job_id, clock())
        coordinator = _Coordinator(
            run=run,
            asked=asked,
            strategy=strategy,
            metric=metric,
            gang=_Gang(ranks, launcher, threads_per_rank, step),
            deadline=next_deadline(asked.budget.until, began),
            journal=journal,
            progress=SearchProgress(on_event),
            lease=lease,
            stop=stop,
            clock=clock,
        )
        if retry_failed:
            coordinator.reopen_failed()
        result = coordinator.work(job_id)
    if result.leaderboard or not result.count(State.FAILED):
        return result
    first = next(outcome for outcome in result.outcomes.values() if outcome.state is State.FAILED)
    raise UsageError(
        f"no trial came to a network; {result.count(State.FAILED)} failed, the first because: {first.why}",
        where=str(run.search / "trials"),
        try_=f"read {journal_path(run)}; after a cure, xpshpc search {run.path} --retry-failed",
    )


def check_trials(trials: Sequence[Trial], metric: Metric, job_file: JobFile, ranks: int) -> None:
    """Raises UsageError for a metric that nobody knows, and for a trial whose batch the ranks cannot share."""
    check_metric(metric, job_file)
    for batch in {trial.job_file.job.train.global_batch for trial in trials}:
        check_even_share(batch, ranks)


@dataclass(frozen=True)
class _Gang:
    """How the ranks of each trial are started."""

    ranks: int
    launcher: Launcher
    threads_per_rank: int
    step: Step | None


@dataclass(frozen=True)
class _Coordinator:
    """The one process that decides, and writes the journal."""

    run: RunDirectory
    asked: Search
    strategy: Strategy
    metric: Metric
    gang: _Gang
    deadline: float | None
    journal: EventLog
    progress: SearchProgress
    lease: Lease
    stop: StopSignals
    clock: Callable[[], float]

    def standing(self) -> SearchResult:
        return tally_search(self.run, self.strategy.trials, self.metric)

    def reopen_failed(self) -> None:
        """Forgives the trials that were given up."""
        standing = self.standing()
        for trial in standing.trials:
            if standing.outcomes[trial.id].state is State.FAILED:
                self.journal.emit(TrialReopened(trial.id))

    def work(self, job_id: str) -> SearchResult:
        """Runs trial after trial until none is left, the budget is spent, or somebody asks to stop."""
        standing = self.standing()
        self.journal.emit(SearchStarted(len(standing.trials), standing.done, job_id))
        self.progress.begin(standing)
        failed_starts = 0
        while True:
            self._export(standing)
            trial = self.strategy.next_trial(standing.outcomes)
            if trial is None:
                return self._end("complete")
            budget = self.asked.budget
            verdict = judge_budget(
                budget.trials,
                self.deadline,
                done=standing.done,
                seconds=standing.trial_seconds,
                now=self.clock(),
            )
            if verdict is not Verdict.GO:
                return self._end(verdict)
            if self.stop.requests:
                raise self._drained(standing)
            try:
                self._train(trial, standing)
                failed_starts = 0
            except Drained:
                raise self._drained(standing) from None
            except XpshpcError as error:
                cause = cause_of(error, told_by_rank=bool(_rank_errors(trial.run(self.run), self.gang.ranks)))
                failed_starts = failed_starts + 1 if cause is Cause.ENVIRONMENT else 0
                failures = failed_starts or standing.outcomes[trial.id].failures.get(cause, 0) + 1
                decision = decide(cause, failures, self.asked.allowances)
                self.journal.emit(TrialFailed(trial.id, cause, error.what, decision))
                if decision is Decision.STOP:
                    raise
                if decision is Decision.AGAIN:
                    self._pause(pause_s(cause, failures))
            standing = self.standing()
            self.progress.trial_over(standing)

    def _train(self, trial: Trial, standing: SearchResult) -> None:
        folder = prepare_folder(trial, self.run)
        for told in _rank_errors(folder, self.gang.ranks):
            told.unlink()
        attempt = standing.outcomes[trial.id].attempts + 1
        self.journal.emit(TrialStarted(trial.id, dict(trial.parameters), trial.repeat, attempt))
        began = self.clock()
        result = train(
            folder,
            trial.job_file,
            ranks=self.gang.ranks,
            launcher=self.gang.launcher,
            threads_per_rank=self.gang.threads_per_rank,
            step=self.gang.step,
            on_event=self.progress.hear,
            while_waiting=self.lease.beat,
        )
        self.journal.emit(_finished(trial, result, self.clock() - began))
        # Only a training that is not done goes on from a checkpoint, and they are many times as large as the network.
        shutil.rmtree(checkpoints_path(folder), ignore_errors=True)

    def _export(self, standing: SearchResult) -> None:
        if not standing.leaderboard:
            return
        first = standing.leaderboard[0]
        trial = next(trial for trial in standing.trials if trial.id == first.trials[0])
        choice = {
            "trial": trial.id,
            "parameters": dict(trial.parameters),
            "metric": self.metric.name,
            "goal": self.metric.goal,
            "value": first.values[0],
        }
        export_best(self.run, trial.run(self.run), choice)

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.stop.requests:
            self.lease.beat()
            time.sleep(_POLL_S)

    def _end(self, why: str) -> SearchResult:
        self.journal.emit(SearchEnded(str(why), self.progress.end()))
        return self.standing()

    def _drained(self, standing: SearchResult) -> Drained:
        self._end("stopped")
        left = standing.count(State.PENDING)
        return Drained(
            f"the search was stopped in good order with {left} of {len(standing.trials)} trials left",
            where=str(self.run.search),
            try_="the same command again",
        )


def _rank_errors(trial: RunDirectory, ranks: int) -> list[Path]:
    """What the ranks of the last attempt left about its end."""
    return [path for rank in range(ranks) if (path := error_path(trial.logs / "train", rank)).exists()]


def _finished(trial: Trial, result: TrainResult, wall_s: float) -> TrialFinished:
    # The training's own time spans all its attempts but not the start of the ranks; this attempt's has that as well.
    seconds = round(max(result.seconds, wall_s), 3)
    return TrialFinished(trial.id, result.validation, result.best_epoch, result.ranks, seconds)


def _first_asked(run: RunDirectory, job_id: str, now: float) -> float:
    """When this search was asked for: now, or when its SLURM job first began if that was put back into the queue."""
    if not job_id:
        return now
    starts: Sequence[float] = [
        event["time"]
        for event in read_events(journal_path(run))
        if event["event"] == SearchStarted.__name__ and event["job_id"] == job_id
    ]
    return min(starts, default=now)
