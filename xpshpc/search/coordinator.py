"""The one process of a search that decides: it keeps as many trials under way as have room."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from xpshpc.config import Search
from xpshpc.errors import Drained
from xpshpc.events import EventLog
from xpshpc.generate.stop import StopSignals
from xpshpc.run_directory import save_job
from xpshpc.search.attempt import Order
from xpshpc.search.best import export_best
from xpshpc.search.clerk import Clerk
from xpshpc.search.crew import Crew
from xpshpc.search.events import SearchEnded, SearchStarted
from xpshpc.search.forecast import UnderWay, foresee_hours, make_forecast
from xpshpc.search.ledger import Ledger
from xpshpc.search.policy import Verdict, judge_budget
from xpshpc.search.progress import SearchProgress
from xpshpc.search.result import SearchResult, sum_up
from xpshpc.search.room import Room
from xpshpc.search.state import State
from xpshpc.search.strategy import Move, Step
from xpshpc.search.trial import Trial, prepare_folder
from xpshpc.store.lease import Lease

_POLL_S = 0.05


@dataclass(frozen=True)
class Coordinator:
    """Begins attempts while the strategy has any and the budget lasts. `deadline` is in seconds since the epoch."""

    ledger: Ledger
    asked: Search
    room: Room
    deadline: float | None
    journal: EventLog
    clerk: Clerk
    crew: Crew
    progress: SearchProgress
    lease: Lease
    stop: StopSignals
    clock: Callable[[], float]
    monotonic: Callable[[], float] = time.monotonic

    def standing(self) -> SearchResult:
        return sum_up(self.ledger, self.asked)

    def work(self, job_id: str) -> SearchResult:
        """Keeps trials under way until none is left, the budget is spent, or somebody asks to stop."""
        standing = self.standing()
        known = len(standing.trials) + standing.undecided
        self.journal.emit(SearchStarted(known, standing.done, job_id, self.room.parallel, self.room.note))
        self.progress.begin(standing)
        self._export(standing)
        asks, draining, why = True, False, None
        while True:
            self.lease.beat()
            if (self.stop.requests or self.clerk.trouble.fatal) and not draining:
                draining = True
                self.crew.drain()
            if asks and not draining and self.monotonic() >= self.clerk.trouble.not_before:
                # Nothing new is known, and no question worth asking again, before another attempt has ended.
                asks, why = False, self._fill()
            if not len(self.crew):
                if self.clerk.trouble.fatal is not None:
                    raise self.clerk.trouble.fatal
                if draining:
                    raise self._drained()
                if why is not None:
                    return self._end(why)
            for ended in self.crew.ended():
                asks, why = True, None
                if self.clerk.take_in(ended):
                    self.stop.requests += 1
                standing = self.standing()
                self._export(standing)
                self.progress.trial_over(standing)
            time.sleep(_POLL_S)

    def _fill(self) -> str | None:
        """Begins attempts while there is room. Returns why no more are begun; None where there is no more room."""
        while len(self.crew) < self.room.parallel:
            unscored = self._next_unscored()
            if unscored is not None:
                self._begin(unscored, None)
                continue
            step, why = self._next_step()
            if step is None:
                return why
            if step.move is Move.GIVE_UP:
                self.clerk.give_up(step.trial)
                continue
            verdict = self._judge(step)
            if verdict is not Verdict.GO:
                return str(verdict)
            self._start(step)
        return None

    def _next_unscored(self) -> Trial | None:
        """A finished trial whose network is still to be scored on the held-out shards."""
        if not self.asked.evaluate:
            return None
        for trial in self.ledger.suggested.values():
            outcome = self.ledger.outcome(trial)
            scored = outcome.held_out is not None or outcome.unscored
            if outcome.state is State.FINISHED and not scored and trial.id not in self.crew.trials:
                return trial
        return None

    def _next_step(self) -> tuple[Step | None, str]:
        strategy, most = self.ledger.strategy, self.asked.budget.trials
        may_begin = most is None or len(self.ledger.suggested) < most
        step = strategy.next_step(self.ledger.told(may_begin=may_begin))
        if step is not None or may_begin or strategy.next_step(self.ledger.told()) is None:
            return step, "complete"
        return None, str(Verdict.ENOUGH_TRIALS)

    def _judge(self, step: Step) -> Verdict:
        outcomes = [self.ledger.outcome(trial) for trial in self.ledger.suggested.values()]
        forecast = make_forecast(outcomes, cores=self.room.cores, gpus=self.room.gpus)
        next_s = forecast.seconds(self._epochs(step.trial, step.until_epoch))
        under_way = [
            UnderWay(
                elapsed_s,
                forecast.seconds(self._epochs(trial, self.ledger.outcome(trial).until_epoch)),
            )
            for trial, elapsed_s in ((self.ledger.suggested[name], age) for name, age in self.crew.trials.items())
        ]
        cores, gpus = foresee_hours(forecast, outcomes, under_way, next_s)
        return judge_budget(
            self.asked.budget, self.deadline, now=self.clock(), seconds=next_s, core_hours=cores, gpu_hours=gpus
        )

    def _epochs(self, trial: Trial, until_epoch: int | None) -> int | None:
        """Epochs of an attempt; None for a training that knows no rungs."""
        if self.asked.halving is None:
            return None
        full = trial.job_file.job.train.epochs
        return max(1, (until_epoch or full) - self.ledger.outcome(trial).epochs)

    def _start(self, step: Step) -> None:
        trial = step.trial
        prepare_folder(trial, self.ledger.run)
        self.clerk.start(step)
        self._begin(trial, step.until_epoch)

    def _begin(self, trial: Trial, until_epoch: int | None) -> None:
        folder = prepare_folder(trial, self.ledger.run)
        save_job(folder, trial.job_file)
        room = self.room
        order = Order(room.ranks, room.launcher, room.threads_per_rank, room.step, until_epoch, self.asked.evaluate)
        self.crew.begin(trial, folder, order)

    def _export(self, standing: SearchResult) -> None:
        if not standing.leaderboard:
            return
        first = standing.leaderboard[0]
        trial = self.ledger.suggested[first.trials[0]]
        choice = {
            "trial": trial.id,
            "name": trial.name,
            "parameters": dict(trial.parameters),
            "metric": standing.metric.name,
            "goal": standing.metric.goal,
            "value": first.values[0],
        }
        export_best(self.ledger.run, trial.run(self.ledger.run), choice)

    def _end(self, why: str) -> SearchResult:
        self.journal.emit(SearchEnded(why, self.progress.end()))
        return self.standing()

    def _drained(self) -> Drained:
        standing = self._end("stopped")
        whole = len(standing.trials) + standing.undecided
        return Drained(
            f"the search was stopped in good order with {whole - standing.done} of {whole} trials left",
            where=str(self.ledger.run.search),
            try_="the same command again",
        )
