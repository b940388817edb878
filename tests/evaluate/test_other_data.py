"""A network is scored on all samples of another run, the same for any number of ranks, and beside its own scores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.train.stored_run import small_job, store_run
from xpshpc.config import JobFile, set_dotted, validate_job
from xpshpc.errors import UsageError
from xpshpc.evaluate.evaluate import evaluate, metrics_path, predictions_path
from xpshpc.evaluate.other_data import check_other_data, plan_other_work
from xpshpc.events import Event
from xpshpc.run_directory import RunDirectory
from xpshpc.store.read import Store

QUARANTINED = 5


def other_job(folder: Path, name: str, **changes: Any) -> JobFile:
    """A job of fewer samples and another seed, with more changes by dotted key (`__` for the dot)."""
    tables = small_job(folder, samples=96).resolved() | {"name": name, "seed": 6}
    for key, value in changes.items():
        set_dotted(tables, key.replace("__", "."), value)
    return validate_job(tables, where="test", folder=folder)


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunDirectory, JobFile]:
    """A run whose samples are stored."""
    folder = tmp_path_factory.mktemp("runs")
    job_file = small_job(folder, samples=320)
    return store_run(folder, job_file), job_file


@pytest.fixture(scope="module")
def other(learned: tuple[RunDirectory, JobFile]) -> tuple[RunDirectory, JobFile]:
    """A run of three shards, some samples of the first one in quarantine."""
    folder = learned[0].path.parent
    job_file = other_job(folder, "other")
    return store_run(folder, job_file, quarantined={0: QUARANTINED}), job_file


def test_all_samples_of_the_other_run_are_asked_about_and_compared_with_training_ones(
    learned: tuple[RunDirectory, JobFile], other: tuple[RunDirectory, JobFile]
) -> None:
    work = plan_other_work(learned[1], Store(other[0]))
    assert sum(map(len, work.held_out)) == 96 and {block.shard for block in work.held_out} == {0, 1, 2}
    assert work.training_shards and work.training_shards <= set(range(10))
    assert max(map(len, work.frechet_held_out)) <= 96


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"spectra__instrument__channels": 64}, "its spectrum are 64, the network learned 128"),
        ({"spectra__instrument__window_eV": [300.0, 1400.0]}, "its kinetic_energy_eV is 300, 308"),
    ],
)
def test_samples_that_the_network_cannot_read_are_refused_by_name(
    changes: dict[str, Any], told: str, learned: tuple[RunDirectory, JobFile], tmp_path: Path
) -> None:
    foreign = other_job(tmp_path, "foreign", **changes)
    run = store_run(tmp_path, foreign)
    with pytest.raises(UsageError) as error:
        check_other_data(*learned, Store(run), foreign)
    assert told in str(error.value) and str(run.path) in str(error.value)


def test_its_own_samples_and_half_a_data_set_are_refused(learned: tuple[RunDirectory, JobFile], tmp_path: Path) -> None:
    run, job_file = learned
    with pytest.raises(UsageError, match="the data set that the network learned from") as error:
        check_other_data(run, job_file, Store(run), job_file)
    assert f"xpshpc evaluate {run.path}" in str(error.value.try_)
    half = other_job(tmp_path, "half")
    stored = store_run(tmp_path, half, leave_out=frozenset({1}))
    with pytest.raises(UsageError, match="only 2 of its 3 shards are stored yet") as error:
        check_other_data(run, job_file, Store(stored), half)
    assert "xpshpc generate" in str(error.value.try_)


def test_other_conditions_of_the_same_axis_and_elements_may_be_asked_about(
    learned: tuple[RunDirectory, JobFile], tmp_path: Path
) -> None:
    thicker = other_job(tmp_path, "thicker", spectra__samples__overlayer_A=[0.0, 90.0])
    check_other_data(*learned, Store(store_run(tmp_path, thicker)), thicker)


@pytest.mark.ranks
def test_any_number_of_ranks_scores_it_once_and_beside_the_runs_own_scores(
    learned: tuple[RunDirectory, JobFile], other: tuple[RunDirectory, JobFile]
) -> None:
    import keras

    run, job_file = learned
    problem, train = job_file.problem(), job_file.job.train
    run.train.mkdir()
    problem.network(train.network, train.parameters, (128,), seed=1).save(run.model)
    events: list[Event] = []
    alone = evaluate(run, job_file, ranks=1, other=other[0], on_event=events.append)
    assert events and not alone.reused and alone.data == str(other[0].path)
    assert metrics_path(run, other[0]) == run.evaluate / "on-other" / "metrics.json"
    assert not metrics_path(run).exists()

    store = Store(other[0])
    shards = [store.read_shard(number, problem.reads) for number in store.committed]
    rows = {name: np.concatenate([shard[name] for shard in shards]) for name in problem.reads}
    network = keras.saving.load_model(run.model, compile=False)
    truth = problem.targets(rows)
    answer = {name: np.asarray(values) for name, values in network(problem.features(rows)).items()}
    expected = problem.summarise(problem.score(truth, answer), {})
    assert alone.metrics["samples"] == 96 - QUARANTINED
    assert alone.metrics["accuracy"] == pytest.approx(expected["accuracy"], rel=1e-5)
    assert alone.metrics["frechet"]["n_b"] == 96 - QUARANTINED
    with np.load(predictions_path(run, other[0]), allow_pickle=False) as archive:
        np.testing.assert_array_equal(archive["truth.composition"], truth["composition"])

    events.clear()
    again = evaluate(run, job_file, ranks=2, other=other[0], on_event=events.append)
    assert again.reused and not events and again.metrics == alone.metrics

    metrics_path(run, other[0]).unlink()
    together = evaluate(run, job_file, ranks=2, other=other[0])
    assert together.ranks == 2 and not together.reused
    for name in ("accuracy", "rmse", "thickness_mae_A"):
        assert together.metrics[name] == pytest.approx(alone.metrics[name], rel=1e-12)
    assert json.dumps(together.as_json()).count(":") == json.dumps(alone.as_json()).count(":")
