"""TPE suggests from what is told and from nothing else: the same told, the same suggestion."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import fmean

import pytest

from tests.search.searched_job import searched_job
from tests.search.simulated import SimulatedSearch, falling
from xpshpc.errors import UsageError
from xpshpc.search.layout import lay_out_search
from xpshpc.search.metric import Metric
from xpshpc.search.parzen import is_known, suggest_point
from xpshpc.search.state import State
from xpshpc.search.strategy import Told
from xpshpc.search.tpe import STARTUP
from xpshpc.search.trial import make_trial

PARAMETERS = {
    "train.learning_rate": {"low": 1e-5, "high": 1e-1, "log": True},
    "train.optimizer": ["adam", "sgd", "lamb"],
    "train.global_batch": {"low": 16, "high": 96, "step": 16, "integer": True},
}
DRAWS = 26


def rate(trial):
    return trial.job_file.job.train.learning_rate


def quality(trial):
    """Best at 1e-3 with lamb and the smallest batch."""
    train = trial.job_file.job.train
    return abs(math.log10(train.learning_rate) + 3) + (train.optimizer != "lamb") + train.global_batch / 100


def lay_out(folder, parameters=PARAMETERS, **search):
    job_file = searched_job(folder, parameters, **{"strategy": "tpe", "draws": DRAWS, **search})
    return lay_out_search(job_file, job_file.job.search)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    strategy = lay_out(tmp_path_factory.mktemp("tpe"))
    return SimulatedSearch(strategy, 2, workers=2, curve=falling(quality)).run()


def test_it_draws_as_often_as_asked_inside_the_space_and_nothing_twice(finished):
    assert len(finished.begun()) == len({trial.id for trial in finished.begun()}) == DRAWS
    assert all(finished.strategy.belongs(trial) and trial.source == "tpe" for trial in finished.begun())
    assert finished.strategy.trials == () and finished.strategy.most_trials == DRAWS


def test_what_it_learned_makes_the_later_points_better(finished):
    early = [quality(trial) for trial in finished.begun()[:STARTUP]]
    late = [quality(trial) for trial in finished.begun()[-STARTUP:]]
    assert fmean(late) < 0.7 * fmean(early)


def test_the_first_points_are_those_of_a_random_search(finished, tmp_path):
    random = lay_out(tmp_path, strategy="random", draws=STARTUP)
    assert [trial.id for trial in random.trials] == [trial.id for trial in finished.begun()[:STARTUP]]


def test_the_same_told_gives_the_same_suggestion_and_what_is_told_matters(finished):
    views = tuple(finished.views[:-1])
    suggested = finished.strategy.next_step(Told(views)).trial
    assert finished.strategy.next_step(Told(views)).trial.id == suggested.id
    turned = tuple(replace(view, value=-view.value) for view in views)
    assert finished.strategy.next_step(Told(turned)).trial.id != suggested.id


def test_a_search_that_is_stopped_anywhere_goes_on_as_if_it_had_not_been(finished, tmp_path):
    again = SimulatedSearch(
        lay_out(tmp_path), 2, workers=2, curve=falling(quality), views=list(finished.views[: DRAWS - 4])
    ).run()
    without = SimulatedSearch(
        finished.strategy, 2, workers=2, curve=falling(quality), views=list(finished.views[: DRAWS - 4])
    ).run()
    assert [trial.id for trial in again.begun()] == [trial.id for trial in without.begun()]


def test_trials_in_any_state_are_told_and_those_without_a_value_mean_nothing(finished):
    states = [State.RUNNING, State.PENDING, State.FAILED, State.STOPPED, State.PAUSED, State.FINISHED]
    views = list(finished.views)
    for place, state in enumerate(states):
        views[place] = replace(views[place], state=state, curve=(math.nan,), value=math.nan)
    space = finished.strategy.points.space
    assert [is_known(view) for view in views] == [False] * len(states) + [True] * (DRAWS - len(states))
    assert space.holds(suggest_point(space, views, Metric("loss", False), 1))
    paused = replace(views[0], state=State.PAUSED, curve=(math.nan, 0.5))
    assert is_known(paused) and space.holds(suggest_point(space, [paused], Metric("loss", False), 1))


def test_the_goal_is_the_metrics_own(finished):
    space = finished.strategy.points.space
    views = [replace(view, value=math.log10(rate(view.trial))) for view in finished.views]

    def suggested(largest):
        points = [suggest_point(space, views, Metric("any", largest), seed) for seed in range(5)]
        return fmean(math.log10(point["train.learning_rate"]) for point in points)

    assert suggested(largest=True) > suggested(largest=False) + 1


def test_a_finite_space_is_exhausted_and_then_nothing_is_suggested(tmp_path):
    strategy = lay_out(tmp_path, {"train.learning_rate": [k * 1e-4 for k in range(1, 15)]}, draws=30)
    search = SimulatedSearch(strategy, 2, workers=1, curve=falling(quality)).run()
    assert len({trial.id for trial in search.begun()}) == len(search.begun()) == 14 == strategy.most_trials


def test_points_that_the_job_does_not_take_are_passed_over(tmp_path):
    """A decay of weights is for some optimizers only: one of the four combinations is no training."""
    parameters = {"train.optimizer": ["adamw", "adam"], "train.weight_decay": [0.0, 0.1]}
    strategy = lay_out(tmp_path, parameters, draws=9)
    search = SimulatedSearch(strategy, 2, workers=1, curve=falling(quality)).run()
    assert len(search.begun()) == 3
    with pytest.raises(UsageError, match="weight_decay is for optimizer"):
        assert strategy.examples


def test_with_halving_it_learns_from_trials_that_were_stopped(tmp_path):
    strategy = lay_out(tmp_path, halving={"first_epochs": 1}, draws=DRAWS)
    job_epochs = strategy.job_file.job.train.epochs
    search = SimulatedSearch(strategy, job_epochs, workers=2, curve=falling(quality)).run()
    assert search.states() == {State.FINISHED, State.STOPPED} and len(search.views) == DRAWS
    late = [quality(trial) for trial in search.begun()[-STARTUP:]]
    assert fmean(late) < fmean([quality(trial) for trial in search.begun()[:STARTUP]])


def test_a_trial_of_another_space_does_not_belong(tmp_path):
    strategy = lay_out(tmp_path)
    inside = {"train.learning_rate": 1e-3, "train.optimizer": "sgd", "train.global_batch": 32}
    assert strategy.belongs(make_trial(strategy.job_file, inside, 0, source="tpe"))
    for change in ({"train.optimizer": "adamw"}, {"train.learning_rate": 0.5}, {"train.global_batch": 33}):
        assert not strategy.belongs(make_trial(strategy.job_file, {**inside, **change}, 0, source="tpe"))
