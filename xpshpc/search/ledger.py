"""What is known of a search's trials: its journal added up, and kept so by the one process that writes it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from xpshpc.config import JobFile
from xpshpc.errors import UsageError
from xpshpc.events import Event, read_events
from xpshpc.run_directory import RunDirectory
from xpshpc.search.events import SearchEnded, SearchStarted, TrialStarted, TrialSuggested
from xpshpc.search.metric import Metric
from xpshpc.search.outcome import Outcome, tell_outcomes
from xpshpc.search.state import State
from xpshpc.search.strategy import Strategy, Told, TrialView
from xpshpc.search.trial import Trial, make_trial
from xpshpc.train.history import history_path, read_history
from xpshpc.train.result import card_path


@dataclass(eq=False)
class Ledger:
    """The trials of a search that were suggested, in that order, and the outcome of every trial the journal speaks of.

    `ended` tells why the last call ended (None: it did not, or there was none), `parallel` how many trials had room
    at a time in it.
    """

    run: RunDirectory
    strategy: Strategy
    metric: Metric
    suggested: dict[str, Trial]
    outcomes: dict[str, Outcome]
    ended: str | None = None
    parallel: int = 1
    clock: Callable[[], float] = time.time
    _curves: dict[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Those that were suggested, then those that are planned."""
        planned = (trial for trial in self.strategy.trials if trial.id not in self.suggested)
        return (*self.suggested.values(), *planned)

    def outcome(self, trial: Trial) -> Outcome:
        """What became of a trial so far."""
        return self.outcomes.get(trial.id, Outcome())

    def suggest(self, trial: Trial) -> TrialSuggested | None:
        """Takes in a trial that is new; returns what the journal is to be told, None for one that is no news."""
        if trial.id in self.suggested:
            return None
        self.suggested[trial.id] = trial
        number = len(self.suggested) - 1
        return TrialSuggested(trial.id, number, dict(trial.parameters), trial.repeat, trial.name, trial.source)

    def hear(self, event: Event) -> None:
        """Takes in what its writer adds to the journal."""
        line = {"time": self.clock(), **event.as_json()}
        if isinstance(trial := line.get("trial"), str):
            self.outcomes[trial] = self.outcomes.get(trial, Outcome()).after(line)
            self._curves.pop(trial, None)
        if isinstance(event, SearchStarted):
            self.ended, self.parallel = None, event.parallel
        elif isinstance(event, SearchEnded):
            self.ended = event.why

    def told(self, *, may_begin: bool = True) -> Told:
        """What a strategy decides from."""
        return Told(tuple(map(self._view, self.suggested.values())), may_begin)

    def _view(self, trial: Trial) -> TrialView:
        outcome = self.outcome(trial)
        value = self.metric.of(outcome.validation) if outcome.state is State.FINISHED else None
        until = outcome.until_epoch if outcome.state is State.RUNNING else None
        return TrialView(trial, outcome.state, self._curve(trial, outcome.state), value, until)

    def _curve(self, trial: Trial, state: State) -> tuple[float, ...]:
        if trial.id in self._curves:
            return self._curves[trial.id]
        history = read_history(history_path(trial.run(self.run)))
        curve = tuple(self.metric.of(epoch.validation) for epoch in history)
        if state is not State.RUNNING:
            self._curves[trial.id] = curve
        return curve


def journal_path(run: RunDirectory) -> Path:
    """Where a search tells what it did."""
    return run.search / "journal.jsonl"


def open_ledger(
    run: RunDirectory, job_file: JobFile, strategy: Strategy, metric: Metric, *, coordinated: bool
) -> Ledger:
    """The ledger by the run's journal. Trials of other searches of the run are passed over.

    Where no coordinator is at work (`coordinated`), a trial that was begun and has no end is pending again; so is one
    whose network somebody removed.
    """
    events = list(read_events(journal_path(run)))
    suggested = _suggested(events, job_file, strategy)
    ledger = Ledger(run, strategy, metric, suggested, tell_outcomes(events))
    for event in events:
        if event["event"] == SearchStarted.__name__:
            ledger.parallel = event.get("parallel", 1)
    if events and events[-1]["event"] == SearchEnded.__name__:
        ledger.ended = events[-1]["why"]
    for trial in ledger.trials:
        outcome = ledger.outcome(trial)
        lost = outcome.state is State.FINISHED and not _network_is_there(trial.run(run))
        if lost or (outcome.state is State.RUNNING and not coordinated):
            ledger.outcomes[trial.id] = replace(outcome, state=State.PENDING)
    return ledger


def _suggested(events: Sequence[Mapping[str, Any]], job_file: JobFile, strategy: Strategy) -> dict[str, Trial]:
    """The trials that the journal tells of and this search could have suggested, in the order of the journal."""
    planned = {trial.id: trial for trial in strategy.trials}
    found: dict[str, Trial] = {}
    foreign: set[str] = set()
    for event in events:
        name = event.get("trial")
        if not isinstance(name, str) or name in found or name in foreign:
            continue
        trial = planned.get(name)
        if trial is None and event["event"] in (TrialSuggested.__name__, TrialStarted.__name__):
            trial = _remade(event, job_file)
        if trial is not None and trial.id == name and strategy.belongs(trial):
            found[name] = trial
        else:
            foreign.add(name)
    return found


def _remade(event: Mapping[str, Any], job_file: JobFile) -> Trial | None:
    """The trial of a line of the journal; None where the job, which may have changed, does not take it."""
    try:
        return make_trial(
            job_file,
            event["parameters"],
            event["repeat"],
            name=event.get("name", ""),
            source=event.get("source", "grid"),
        )
    except UsageError:
        return None


def _network_is_there(trial: RunDirectory) -> bool:
    return trial.model.is_file() and card_path(trial).is_file()
