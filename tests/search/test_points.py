"""Points that are spelt out come first, under their names, whatever comes after them."""

from __future__ import annotations

import pytest

from tests.search.searched_job import searched_job
from tests.search.simulated import SimulatedSearch
from tests.train.stored_run import small_job
from xpshpc.config import validate_job
from xpshpc.errors import UsageError
from xpshpc.search.layout import lay_out_search

POINTS = [
    {"name": "slow", "parameters": {"train.learning_rate": 1e-4, "train.global_batch": 16}},
    {"name": "fast", "parameters": {"train.learning_rate": 3e-3}},
]
WAYS = [
    {},
    {"strategy": "random", "draws": 3},
    {"strategy": "tpe", "draws": 3},
    {"halving": {"first_epochs": 1}},
]


def lay_out(folder, parameters, **search):
    job_file = searched_job(folder, parameters, **{"points": POINTS, **search})
    return lay_out_search(job_file, job_file.job.search)


@pytest.mark.parametrize("way", WAYS)
def test_points_come_first_in_order_and_keep_their_names(tmp_path, way):
    strategy = lay_out(tmp_path, {"train.learning_rate": [1e-3, 2e-3, 4e-3]}, **way)
    search = SimulatedSearch(strategy, 2, workers=2, curve=lambda trial, epoch: 1.0).run()
    assert [trial.name for trial in search.begun()] == ["slow", "fast", "", "", ""]
    assert [trial.source for trial in search.begun()] == ["point"] * 2 + [way.get("strategy", "grid")] * 3
    assert len({trial.id for trial in search.begun()}) == 5 == strategy.most_trials
    assert all(strategy.belongs(trial) for trial in search.begun())


def test_points_alone_are_a_search_and_are_repeated_under_their_names(tmp_path):
    tables = {**small_job(tmp_path).resolved(), "search": {"points": POINTS, "repeats": 2}}
    job_file = validate_job(tables, where="test", folder=tmp_path)
    strategy = lay_out_search(job_file, job_file.job.search)
    assert [(trial.name, trial.repeat) for trial in strategy.trials] == [
        ("slow", 0), ("fast", 0), ("slow", 1), ("fast", 1),
    ]  # fmt: skip


def test_a_grid_that_meets_a_point_leaves_it_its_name_and_trains_it_once(tmp_path):
    strategy = lay_out(tmp_path, {"train.learning_rate": [1e-3, 3e-3]})
    assert [trial.name for trial in strategy.trials] == ["slow", "fast", ""]
    assert strategy.trials[-1].parameters == {"train.learning_rate": 1e-3}


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"train.learning_rate": 3e-3}, "same training: fast and new"),
        ({"train.learning_rate": -1.0}, "point new.*greater than 0"),
        ({"train.learnin_rate": 1e-3}, "points, new: .*did you mean 'learning_rate'"),
        ({"generate.samples": 5}, "points, new: .*it decides the data"),
    ],
)
def test_a_point_that_cannot_be_is_refused_by_its_name(tmp_path, parameters, says):
    points = [*POINTS, {"name": "new", "parameters": parameters}]
    with pytest.raises(UsageError, match=f"(?s){says}"):
        lay_out(tmp_path, {"train.epochs": [1]}, points=points)
