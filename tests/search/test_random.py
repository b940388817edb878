"""Random points are decided by the job: the k-th is the same in every call, and none comes twice."""

from __future__ import annotations

from itertools import islice

import numpy as np

from tests.search.searched_job import searched_job
from tests.search.simulated import SimulatedSearch
from xpshpc.config import Span
from xpshpc.plan.identity import hash_json
from xpshpc.search.layout import lay_out_search
from xpshpc.search.random_draws import draw_points
from xpshpc.search.space import Axis, Space

RATE = Axis("rate", Span(low=1e-4, high=1e-1, log=True))
SMALL = Space((Axis("a", (1, 2, 3)), Axis("b", Span(low=1, high=40, integer=True, log=True))))
LARGE = Space((Axis("a", Span(low=1, high=10**6, integer=True, log=True)),))
WIDE = {"train.learning_rate": {"low": 1e-4, "high": 1e-1, "log": True}, "train.global_batch": [16, 48]}


def trials_of(folder, draws, parameters=WIDE, **job):
    job_file = searched_job(folder, parameters, strategy="random", draws=draws, **job)
    return lay_out_search(job_file, job_file.job.search).trials


def test_the_kth_point_depends_on_the_seed_and_k_alone():
    for space in (Space((RATE,)), SMALL, LARGE):
        long = list(islice(draw_points(space, 7), 40))
        assert list(islice(draw_points(space, 7), 15)) == long[:15]
        assert list(islice(draw_points(space, 8), 15)) != long[:15]


def test_no_point_comes_twice_and_a_counted_space_is_exhausted():
    everything = list(draw_points(SMALL, 3))
    assert len(everything) == SMALL.size == len({hash_json(point) for point in everything})
    assert all(SMALL.holds(point) for point in everything)
    many = list(islice(draw_points(LARGE, 3), 3000))
    assert len({hash_json(point) for point in many}) == 3000 and all(LARGE.holds(point) for point in many)


def test_the_first_of_a_counted_space_are_drawn_as_its_spans_ask():
    firsts = [next(draw_points(SMALL, seed))["b"] for seed in range(600)]
    expected = np.log(6.5 / 0.5) / np.log(40.5 / 0.5)
    assert abs(np.mean([first <= 6 for first in firsts]) - expected) < 0.08


def test_more_draws_add_new_points_only_and_another_training_seed_gives_others(tmp_path):
    few = [trial.id for trial in trials_of(tmp_path, 4)]
    assert [trial.id for trial in trials_of(tmp_path, 7)][:4] == few
    others = trials_of(tmp_path, 4, train={"seed": 99})
    assert not {trial.point for trial in others} & {trial.point for trial in trials_of(tmp_path, 4)}


def test_a_random_search_trains_each_draw_once_and_no_more_than_there_are(tmp_path):
    job_file = searched_job(tmp_path, {"train.global_batch": [16, 48]}, strategy="random", draws=9, repeats=2)
    strategy = lay_out_search(job_file, job_file.job.search)
    search = SimulatedSearch(strategy, 2, workers=3, curve=lambda trial, epoch: 1.0).run()
    assert [(trial.id, trial.repeat) for trial in search.begun()] == [
        (trial.id, trial.repeat) for trial in strategy.trials
    ]
    assert len(strategy.trials) == 4 and {trial.source for trial in strategy.trials} == {"random"}
