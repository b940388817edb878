"""A trial is what decides its network: the same settings are the same trial, and nothing else may be searched over."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.search.searched_job import searched_job
from tests.search.simulated import SimulatedSearch
from tests.train.stored_run import SMALL_NETWORK, small_job, store_run
from xpshpc.config import read_job, validate_job
from xpshpc.errors import UsageError
from xpshpc.plan.identity import data_hash
from xpshpc.run_directory import RunDirectory, open_run, save_job
from xpshpc.search.layout import lay_out_search
from xpshpc.search.result import read_search
from xpshpc.search.state import State
from xpshpc.search.strategy import Move, Told, TrialView
from xpshpc.search.trial import prepare_folder
from xpshpc.store.read import Store
from xpshpc.train.result import settings_hash

RATES = {"train.learning_rate": [1e-3, 3e-3]}
ROOT = Path(__file__).parents[2]


def trials_of(job_file):
    return lay_out_search(job_file, job_file.job.search).trials


def ids(job_file):
    return [trial.id for trial in trials_of(job_file)]


def test_a_grid_is_every_combination_once(tmp_path):
    grid = {"train.learning_rate": [1e-3, 3e-3], "train.parameters.features": [8, 16], "train.global_batch": [16, 48]}
    trials = trials_of(searched_job(tmp_path, grid))
    points = {tuple(trial.parameters.values()) for trial in trials}
    assert len(trials) == len(points) == 8
    for trial in trials:
        job = trial.job_file.job
        assert tuple(trial.parameters.values()) == (
            job.train.learning_rate,
            job.train.parameters["features"],
            job.train.global_batch,
        )
        assert job.search is None


def test_a_trial_is_known_by_its_settings_whatever_the_grid_around_it(tmp_path):
    base = ids(searched_job(tmp_path, RATES))
    grown = ids(searched_job(tmp_path, {"train.learning_rate": [3e-3, 1e-2, 1e-3]}))
    assert set(base) < set(grown) and len(grown) == 3
    other_epochs = ids(searched_job(tmp_path, RATES, train={"epochs": 4}))
    other_data = ids(searched_job(tmp_path, RATES, train={"parameters": {**SMALL_NETWORK, "features": 17}}))
    assert not set(base) & (set(other_epochs) | set(other_data))
    written_otherwise = searched_job(tmp_path, {"train": {"learning_rate": [1e-3, 3e-3]}})
    assert ids(written_otherwise) == base


def test_the_first_training_of_a_point_is_the_one_that_train_gives(tmp_path):
    trial = trials_of(searched_job(tmp_path, {"train.learning_rate": [7e-3]}, repeats=3))[0]
    assert trial.settings == settings_hash(small_job(tmp_path, learning_rate=7e-3))


def test_repeats_differ_in_the_training_seed_and_nothing_else(tmp_path):
    trials = trials_of(searched_job(tmp_path, RATES, repeats=3))
    assert [trial.repeat for trial in trials] == [0, 0, 1, 1, 2, 2]
    seeds = {trial.job_file.job.training_seed for trial in trials}
    assert len(seeds) == 3 and len({trial.id for trial in trials}) == 6
    assert {data_hash(trial.job_file) for trial in trials} == {data_hash(small_job(tmp_path))}
    assert ids(searched_job(tmp_path, RATES, repeats=2)) == [trial.id for trial in trials[:4]]


def test_jobs_that_say_nothing_of_a_search_or_a_training_seed_are_what_they_were(tmp_path):
    tables = small_job(tmp_path).resolved()
    assert "search" not in tables and "seed" not in tables["train"]
    own_seed = validate_job({**tables, "train": {**tables["train"], "seed": 8}}, where="test", folder=tmp_path)
    assert data_hash(own_seed) == data_hash(small_job(tmp_path))
    assert settings_hash(own_seed) != settings_hash(small_job(tmp_path))
    assert own_seed.job.training_seed == 8 and small_job(tmp_path).job.training_seed == 5


def test_every_point_is_begun_once_before_any_is_begun_again_and_nothing_twice(tmp_path):
    job_file = searched_job(tmp_path, RATES, repeats=2)
    strategy = lay_out_search(job_file, job_file.job.search)
    search = SimulatedSearch(strategy, 2, workers=3, curve=lambda trial, epoch: 1.0).run()
    assert [trial.id for trial in search.begun()] == [trial.id for trial in strategy.trials]
    assert search.states() == {State.FINISHED}
    assert len(strategy.trials) == strategy.most_trials == 4


def test_a_search_that_was_interrupted_goes_on_with_what_was_begun(tmp_path):
    job_file = searched_job(tmp_path, RATES)
    strategy = lay_out_search(job_file, job_file.job.search)
    begun = strategy.trials[1]
    step = strategy.next_step(Told((TrialView(begun, State.PENDING),)))
    assert (step.move, step.trial.id, step.until_epoch) == (Move.GO_ON, begun.id, None)
    failed = TrialView(begun, State.FAILED)
    step = strategy.next_step(Told((failed,)))
    assert (step.move, step.trial.id) == (Move.BEGIN, strategy.trials[0].id)
    assert strategy.next_step(Told((failed,), may_begin=False)) is None


def test_values_that_are_taken_in_company_only_are_no_fault(tmp_path):
    steps = searched_job(tmp_path, {"train.schedule": ["steps"], "train.decay_epochs": [[1.0], [1.0, 1.5]]})
    assert len(trials_of(steps)) == 2


def test_a_search_reads_back_from_its_run_the_same(tmp_path):
    job_file = searched_job(tmp_path, RATES, repeats=2, budget={"until": "07:00", "trials": 3})
    run = RunDirectory(tmp_path / "run")
    save_job(run, job_file)
    _, again = open_run(run.path)
    assert again.job.search == job_file.job.search and ids(again) == ids(job_file)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"seed": [1, 2]}, "it decides the data"),
        ({"generate.samples": [100, 200]}, "it decides the data"),
        ({"spectra.instrument.channels": [64, 128]}, "it decides the data"),
        ({"split.held_out": [0.1, 0.2]}, "judged by different samples"),
        ({"evaluate.batch": [1, 2]}, "does not change the training"),
        ({"train.seed": [1, 2]}, "a seed is no setting"),
        ({"train.ranks": [1, 2]}, "two points are the same training"),
        ({"train.learning_rate": [1e-3, 0.001]}, "two points are the same training"),
        ({"train.learnin_rate": [1e-3]}, "did you mean 'learning_rate'"),
        ({"train.learning_rate": [1e-3, -1.0]}, "train.learning_rate = -1.0 cannot be taken: .*greater than 0"),
        ({"train.optimizer": ["adam", "sdg"]}, "train.optimizer = 'sdg' cannot be taken"),
        ({"train.network": ["vanila_cnn"], "train.global_batch": [16]}, "train.network = 'vanila_cnn' .*vanilla_cnn"),
        ({"train.parameters.filters": [4]}, "filters"),
        ({"train.epochs": list(range(1, 102)), "train.global_batch": list(range(1, 101))}, "more than 10000 trials"),
    ],
)
def test_what_cannot_be_searched_over_is_refused_with_the_reason(tmp_path, parameters, says):
    job_file = searched_job(tmp_path, parameters)
    with pytest.raises(UsageError, match=says):
        read_search(RunDirectory(tmp_path / "run"), job_file)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("search", "says"),
    [
        ({"parameters": {}}, "parameters or points must be given"),
        ({"parameters": {"train.epochs": []}}, "search.parameters"),
        ({"parameters": RATES, "repeats": 0}, "search.repeats"),
        ({"parameters": RATES, "budget": {"until": "25:00"}}, "search.budget.until"),
        ({"parameters": RATES, "metrik": "loss"}, "did you mean 'metric'"),
    ],
)
def test_faults_of_the_section_are_named(tmp_path, search, says):
    tables = {**small_job(tmp_path).resolved(), "search": search}
    with pytest.raises(UsageError, match=says):
        validate_job(tables, where="test", folder=tmp_path)


def test_a_trial_reads_the_data_of_its_run_wherever_that_is_moved(tmp_path):
    job_file = searched_job(tmp_path, RATES)
    run = store_run(tmp_path, job_file)
    trial = trials_of(job_file)[0]
    prepare_folder(trial, run)
    prepare_folder(trial, run)
    moved = RunDirectory(tmp_path / "elsewhere" / "moved")
    moved.path.parent.mkdir()
    shutil.move(run.path, moved.path)
    assert Store(trial.run(moved)).committed == Store(moved).committed != []


def test_a_folder_where_the_link_should_be_is_left_alone(tmp_path):
    job_file = searched_job(tmp_path, RATES)
    run = store_run(tmp_path, job_file)
    trial = trials_of(job_file)[0]
    (trial.run(run).path / "data.zarr").mkdir(parents=True)
    with pytest.raises(UsageError, match="something else has the link's name"):
        prepare_folder(trial, run)


def test_the_search_that_comes_with_the_program_can_be_taken():
    job_file = read_job(ROOT / "jobs" / "overnight-grid.toml")
    assert len(read_search(RunDirectory(Path("none")), job_file).trials) == 72
