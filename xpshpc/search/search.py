"""A search as a stage: what is checked before it begins, and the one process that coordinates it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from xpshpc.cluster.profile import Launcher
from xpshpc.config import Budget, JobFile
from xpshpc.errors import UsageError
from xpshpc.events import EventLog, Listener, read_events
from xpshpc.generate.stop import StopSignals
from xpshpc.run_directory import RunDirectory, save_job
from xpshpc.search.clerk import Clerk
from xpshpc.search.coordinator import Coordinator
from xpshpc.search.crew import Crew
from xpshpc.search.events import SearchStarted
from xpshpc.search.ledger import journal_path, open_ledger
from xpshpc.search.metric import Metric, check_metric, choose_metric
from xpshpc.search.policy import next_deadline
from xpshpc.search.progress import SearchProgress
from xpshpc.search.result import SearchResult, choose_strategy, search_section
from xpshpc.search.room import Room
from xpshpc.search.state import State
from xpshpc.search.trial import Trial
from xpshpc.store.stage import hold_stage
from xpshpc.train.check import check_stored, check_training

_CHECKED = ("global_batch", "accumulate", "samples", "early_stopping", "elastic")


def search(
    run: RunDirectory,
    job_file: JobFile,
    room: Room,
    *,
    retry_failed: bool = False,
    job_id: str = "",
    on_event: Listener | None = None,
    clock: Callable[[], float] = time.time,
) -> SearchResult:
    """Trains the trials of a job's [search] that are not done yet on the run's data, as many at a time as have `room`.

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
    check_trials(strategy.examples, metric, job_file, room.ranks, room.launcher)
    check_budget(asked.budget, room)
    check_stored(run, job_file, room.ranks)
    progress = SearchProgress(on_event)
    with (
        hold_stage(run, "search") as lease,
        StopSignals() as stop,
        Crew(progress.hear) as crew,
    ):
        save_job(run, job_file)
        ledger = open_ledger(run, job_file, strategy, metric, coordinated=True)
        began = _first_asked(run, job_id, clock())
        with EventLog(journal_path(run), ledger.hear, clock=clock) as journal:
            clerk = Clerk(ledger, room, asked.allowances, journal)
            clerk.recover(retry_failed=retry_failed)
            coordinator = Coordinator(
                ledger=ledger,
                asked=asked,
                room=room,
                deadline=next_deadline(asked.budget.until, began),
                journal=journal,
                clerk=clerk,
                crew=crew,
                progress=progress,
                lease=lease,
                stop=stop,
                clock=clock,
            )
            result = coordinator.work(job_id)
    if result.leaderboard or not result.count(State.FAILED):
        return result
    first = next(outcome for outcome in result.outcomes.values() if outcome.state is State.FAILED)
    raise UsageError(
        f"no trial came to a network; {result.count(State.FAILED)} failed, the first because: {first.why}",
        where=str(run.search / "trials"),
        try_=f"read {journal_path(run)}; after a cure, xpshpc search {run.path} --retry-failed",
    )


def check_trials(
    trials: Sequence[Trial], metric: Metric, job_file: JobFile, ranks: int, launcher: Launcher = "gloo"
) -> None:
    """Raises UsageError for a metric that nobody knows, and for a trial that so many ranks cannot train."""
    check_metric(metric, job_file)
    # Of thousands of trials, those that differ in what is checked.
    kinds = {repr([getattr(trial.job_file.job.train, key) for key in _CHECKED]): trial for trial in trials}
    for trial in kinds.values():
        check_training(trial.job_file, ranks, launcher)


def check_budget(budget: Budget, room: Room) -> None:
    """Raises UsageError for a budget that would never be spent."""
    if budget.gpu_hours is not None and not room.gpus:
        raise UsageError(
            "SLURM gives these trials no GPUs, and of their GPU-hours none would ever be spent",
            where="search.budget.gpu_hours",
            try_="search.budget.core_hours, or --on with a profile that asks for gpus_per_node",
        )


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
