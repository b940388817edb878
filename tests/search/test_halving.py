"""Successive halving: the best go on, whoever comes when; nobody waits for ever, and something is always finished."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.search.searched_job import searched_job
from tests.search.simulated import SimulatedSearch, falling
from xpshpc.errors import UsageError
from xpshpc.search.halving import SuccessiveHalving, rungs_below
from xpshpc.search.layout import lay_out_search
from xpshpc.search.metric import Metric
from xpshpc.search.points import ListedPoints
from xpshpc.search.state import State
from xpshpc.search.straight import Straight
from xpshpc.search.strategy import Move, Told, TrialView

EPOCHS = 9
RUNGS = (1, 3)
FACTOR = 3
RATES = [round(1e-4 * (place + 1), 6) for place in range(12)]
OVER = {State.FINISHED, State.STOPPED, State.FAILED}


def rate(trial):
    return trial.parameters["train.learning_rate"]


def lay_out(folder, rates, **search):
    halving = {"first_epochs": 1, "factor": FACTOR}
    job_file = searched_job(
        folder, {"train.learning_rate": rates}, train={"epochs": EPOCHS}, **{"halving": halving, **search}
    )
    return lay_out_search(job_file, job_file.job.search)


@pytest.fixture(scope="module")
def twelve(tmp_path_factory):
    return lay_out(tmp_path_factory.mktemp("twelve"), RATES)


def first(strategy, count):
    """The same halving of its first points only."""
    return replace(strategy, points=ListedPoints(strategy.points.firsts[:count], ()))


def test_rungs_stand_at_powers_of_the_factor_below_the_full_training(twelve):
    assert isinstance(twelve, SuccessiveHalving) and twelve.rungs == RUNGS
    assert rungs_below(28, 1, 3) == (1, 3, 9, 27) and rungs_below(27, 1, 3) == (1, 3, 9)
    assert rungs_below(10, 2, 2) == (2, 4, 8) and rungs_below(2, 2, 2) == ()


def test_with_one_worker_and_curves_that_do_not_cross_the_best_point_is_finished_and_poor_ones_cost_little(twelve):
    search = SimulatedSearch(twelve, EPOCHS, 1, falling(rate)).run()
    assert search.states() <= OVER and len(search.views) == len(RATES)
    finished = [rate(view.trial) for view in search.views if view.state is State.FINISHED]
    assert min(RATES) in finished
    spent = sum(view.epochs_done for view in search.views)
    assert spent < len(RATES) * EPOCHS / 2
    stopped = [view for view in search.views if view.state is State.STOPPED]
    assert {view.epochs_done for view in stopped} <= set(RUNGS)


def test_a_full_rung_sends_exactly_its_best_third_on(twelve):
    waiting = tuple(TrialView(trial, State.PAUSED, (rate(trial),)) for trial in reversed(twelve.points.firsts))
    promoted = []
    views = list(waiting)
    while (step := twelve.next_step(Told(tuple(views)))) is not None and step.until_epoch == RUNGS[1]:
        promoted.append(rate(step.trial))
        place = next(place for place, view in enumerate(views) if view.trial.id == step.trial.id)
        views[place] = replace(views[place], state=State.RUNNING, until_epoch=step.until_epoch)
    assert promoted == RATES[:4]


@settings(max_examples=60)
@given(st.data())
def test_whatever_the_order_of_results_all_trials_come_to_an_end_and_one_is_finished(twelve, data):
    strategy = first(twelve, data.draw(st.integers(1, 12), label="points"))
    loss = st.one_of(st.sampled_from([0.5, math.nan, math.inf]), st.floats(0, 1))
    losses = {trial.id: data.draw(st.lists(loss, min_size=EPOCHS, max_size=EPOCHS)) for trial in strategy.trials}
    ends = data.draw(st.lists(st.sampled_from(["well", "well", "well", "early", "killed", "failed"]), max_size=40))
    told_ends = iter(ends)
    search = SimulatedSearch(
        strategy,
        EPOCHS,
        workers=data.draw(st.integers(1, 6), label="workers"),
        curve=lambda trial, epoch: losses[trial.id][epoch - 1],
        choose=lambda running: data.draw(st.integers(0, running - 1)),
        end=lambda trial: next(told_ends, "well"),
        most_trials=data.draw(st.integers(1, 12), label="budget"),
    ).run()
    assert search.states() <= OVER
    assert State.FINISHED in search.states() or search.states() == {State.FAILED}
    assert len(search.views) <= min(search.most_trials, strategy.most_trials)
    for told, step in search.steps:
        _check_promotion(strategy, told, step)


def _check_promotion(strategy, told, step):
    """Who goes on from a rung was among the best third there, or nothing else was going on."""
    view = next((view for view in told.views if view.trial.id == step.trial.id), None)
    if step.move is not Move.GO_ON or view.state is not State.PAUSED:
        return
    rung = view.epochs_done
    assert rung in RUNGS and step.until_epoch in {*RUNGS, None} - {rung}

    def at_rung(other):
        return Metric("loss", False).order(min(filter(math.isfinite, other.curve[:rung]), default=math.nan))

    there = [
        other
        for other in told.views
        if other.state is State.FINISHED or (other.epochs_done >= rung and other.state is not State.FAILED)
    ]
    better = [other for other in there if at_rung(other) < at_rung(view)]
    alone = all(other.state not in (State.RUNNING, State.FINISHED) for other in told.views)
    assert len(better) < len(there) // FACTOR or (alone and not better)


def test_no_number_is_worse_than_any_number(twelve):
    poor = TrialView(twelve.trials[0], State.PAUSED, (math.nan,))
    others = tuple(TrialView(trial, State.PAUSED, (5.0,)) for trial in twelve.trials[1:3])
    assert twelve.next_step(Told((poor, *others))).trial.id == others[0].trial.id


def test_values_that_are_no_numbers_are_equally_bad_and_the_first_of_equals_goes_on(twelve):
    for values in ((math.inf, -math.inf, math.nan), (0.5, 0.5, 0.5)):
        views = tuple(
            TrialView(trial, State.PAUSED, (value,)) for trial, value in zip(twelve.trials, values, strict=False)
        )
        assert twelve.next_step(Told(views)).trial.id == twelve.trials[0].id


def test_trials_that_failed_take_nobodys_place(twelve):
    failed = tuple(TrialView(trial, State.FAILED, (0.0, 0.0)) for trial in twelve.trials[:2])
    waiting = tuple(TrialView(trial, State.PAUSED, (rate(trial),)) for trial in twelve.trials[2:5])
    step = twelve.next_step(Told((*failed, *waiting)))
    assert (step.move, step.trial.id) == (Move.GO_ON, waiting[0].trial.id)


def test_without_room_for_new_trials_those_begun_are_brought_to_their_end(twelve):
    search = SimulatedSearch(twelve, EPOCHS, 2, falling(rate), most_trials=5).run()
    assert len(search.views) == 5 and search.states() == {State.FINISHED, State.STOPPED}


def test_a_trial_that_was_interrupted_goes_on_before_anything_else_and_one_at_a_rung_only_if_it_is_good(twelve):
    between = TrialView(twelve.trials[5], State.PENDING, (0.5, 0.4))
    step = twelve.next_step(Told((between,)))
    assert (step.move, step.trial.id, step.until_epoch) == (Move.GO_ON, between.trial.id, RUNGS[1])
    at_rung = TrialView(twelve.trials[5], State.PENDING, (0.5,))
    assert twelve.next_step(Told((at_rung,))).move is Move.BEGIN
    after_all = TrialView(twelve.trials[5], State.PENDING, (0.5,) * EPOCHS)
    assert twelve.next_step(Told((after_all,))).until_epoch is None


def test_repeats_are_trained_whole_and_only_of_points_whose_first_training_finished(tmp_path):
    strategy = lay_out(tmp_path, RATES[:6], repeats=2)
    search = SimulatedSearch(strategy, EPOCHS, 2, falling(rate)).run()
    assert search.states() == {State.FINISHED, State.STOPPED}
    finished = {view.trial.point for view in search.views if view.state is State.FINISHED and not view.trial.repeat}
    repeats = [view for view in search.views if view.trial.repeat]
    assert {view.trial.point for view in repeats} == finished and len(repeats) == len(finished)
    assert {view.epochs_done for view in repeats} == {EPOCHS}
    begun = [step for _, step in search.steps if step.trial.repeat]
    assert {step.until_epoch for step in begun} == {None}


def test_a_grown_search_trains_only_what_is_new_and_keeps_its_judgement_of_the_rest(twelve, tmp_path):
    before = SimulatedSearch(first(twelve, 6), EPOCHS, 1, falling(rate)).run()
    known = {trial.id for trial in before.begun()}
    grown = SimulatedSearch(twelve, EPOCHS, 1, falling(rate), views=list(before.views)).run()
    assert {step.trial.id for _, step in grown.steps}.isdisjoint(known)
    assert grown.states() <= OVER and len(grown.views) == len(RATES)


def test_without_halving_what_it_left_is_trained_to_the_end(twelve):
    left = SimulatedSearch(twelve, EPOCHS, 1, falling(rate)).run().views
    straight = Straight(twelve.job_file, twelve.points, 1)
    assert SimulatedSearch(straight, EPOCHS, 3, falling(rate), views=left).run().states() == {State.FINISHED}


@pytest.mark.parametrize(
    ("search", "says"),
    [
        ({"parameters": {"train.epochs": [3, 9]}}, "differ in train.epochs"),
        ({"points": [{"name": "long", "parameters": {"train.epochs": 20}}]}, "differ in train.epochs"),
        ({"halving": {"first_epochs": EPOCHS}}, "have no more than 9"),
    ],
)
def test_trials_that_cannot_be_compared_half_way_are_refused(tmp_path, search, says):
    given_search = {"parameters": {"train.learning_rate": RATES[:2]}, "halving": {}, **search}
    job_file = searched_job(tmp_path, given_search.pop("parameters"), train={"epochs": EPOCHS}, **given_search)
    with pytest.raises(UsageError, match=says):
        lay_out_search(job_file, job_file.job.search)
