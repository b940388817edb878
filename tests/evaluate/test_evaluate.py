"""Evaluation scores each held-out sample once, the same for any number of ranks, and not twice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.train.stored_run import small_job, store_run
from xpshpc.config import JobFile
from xpshpc.errors import UsageError
from xpshpc.evaluate.evaluate import Evaluation, evaluate, metrics_path, predictions_path, read_evaluation
from xpshpc.evaluate.frechet import frechet_distance
from xpshpc.events import Event, StageFinished, StageProgressed, StageStarted
from xpshpc.plan.shards import split_shards
from xpshpc.run_directory import RunDirectory, open_run
from xpshpc.store.read import Store

pytestmark = pytest.mark.ranks

QUARANTINED = {0: 3, 11: 5, 12: 32}
"""First samples left out by shard: of a training shard, of a held-out one, and the whole of the last one."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunDirectory, JobFile]:
    """A run with 13 shards of 32 samples, four of them held out, and a network as it is before training."""
    folder = tmp_path_factory.mktemp("runs")
    job_file = small_job(folder, samples=400)
    job = job_file.job.model_copy(
        update={
            "split": job_file.job.split.model_copy(update={"held_out": 0.3}),
            "evaluate": job_file.job.evaluate.model_copy(update={"batch": 10, "frechet_samples": 70}),
        }
    )
    job_file = replace(job_file, job=job)
    run = store_run(folder, job_file, quarantined=QUARANTINED)
    problem = job_file.problem()
    network = problem.network(job.train.network, job.train.parameters, (128,), seed=1)
    run.train.mkdir()
    network.save(run.model)
    return open_run(run.path)


def values_of(told: Any) -> list[float]:
    if isinstance(told, dict):
        return [value for name in sorted(told) for value in values_of(told[name])]
    if isinstance(told, list):
        return [value for part in told for value in values_of(part)]
    return [float(told)] if isinstance(told, int | float) else []


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """To 1e-12 of each value; of a Fréchet distance, to 1e-12 of the traces of which it is the difference."""
    scale = expected["frechet"]["trace_a"] + expected["frechet"]["trace_b"]
    np.testing.assert_allclose(
        values_of(found["frechet"]), values_of(expected["frechet"]), rtol=1e-12, atol=1e-12 * scale
    )
    others = ({name: told for name, told in metrics.items() if name != "frechet"} for metrics in (found, expected))
    first, second = map(values_of, others)
    np.testing.assert_allclose(first, second, rtol=1e-12, atol=1e-15)


@pytest.fixture(scope="module")
def one_rank(trained: tuple[RunDirectory, JobFile]) -> tuple[Evaluation, dict[str, np.ndarray], list[Event]]:
    return evaluate_anew(*trained, ranks=1, launcher="gloo")


def evaluate_anew(
    run: RunDirectory, job_file: JobFile, *, ranks: int, launcher: Any
) -> tuple[Evaluation, dict[str, np.ndarray], list[Event]]:
    metrics_path(run).unlink(missing_ok=True)
    events: list[Event] = []
    evaluation = evaluate(run, job_file, ranks=ranks, launcher=launcher, on_event=events.append)
    with np.load(predictions_path(run), allow_pickle=False) as archive:
        return evaluation, {name: archive[name] for name in archive.files}, events


def test_the_metrics_are_those_of_the_network_on_all_held_out_samples(
    trained: tuple[RunDirectory, JobFile], one_rank: tuple[Evaluation, dict[str, np.ndarray], list[Event]]
) -> None:
    import keras

    run, job_file = trained
    evaluation, predictions, _ = one_rank
    problem, store = job_file.problem(), Store(run)
    split = split_shards(len(store.plan), job_file.job.split)
    shards = [store.read_shard(number, problem.reads) for number in split.held_out]
    rows = {name: np.concatenate([shard[name] for shard in shards]) for name in problem.reads}
    network = keras.saving.load_model(run.model, compile=False)
    truth = problem.targets(rows)
    answer = {name: np.asarray(values) for name, values in network(problem.features(rows)).items()}
    expected = problem.summarise(problem.score(truth, answer), {})
    assert evaluation.metrics["samples"] == len(rows["spectrum"]) == sum(len(shard["spectrum"]) for shard in shards)
    for name in ("accuracy", "rmse", "r2", "thickness_mae_A", "thickness_rmse_A", "thickness_r2"):
        assert evaluation.metrics[name] == pytest.approx(expected[name], rel=1e-5)
    for element in ("C", "O", "Cu"):
        assert evaluation.metrics["elements"][element]["mae"] == pytest.approx(
            expected["elements"][element]["mae"], rel=1e-4
        )
    counts = [place["count"] for place in evaluation.metrics["error_by_fraction"]]
    assert sum(counts) == truth["composition"].size and counts[0] == (truth["composition"] == 0).sum()
    assert 0 < sum(pair["share"] for pair in evaluation.metrics["confused"]) <= 1
    np.testing.assert_array_equal(predictions["truth.composition"], truth["composition"])
    np.testing.assert_allclose(predictions["answer.composition"], answer["composition"], atol=1e-6)
    extractor = keras.Model(network.input, network.get_layer("features").output)
    held_out = np.asarray(extractor(problem.features(rows)))[: evaluation.metrics["frechet"]["n_b"]]
    training = np.concatenate(
        [extractor(problem.features(store.read_shard(number, problem.reads))) for number in split.training]
    )
    frechet = evaluation.metrics["frechet"]
    assert 60 <= frechet["n_a"] <= 70
    assert frechet["layer"] == "features"
    # The samples chosen from training are some of all: near to them, as near as their number allows.
    assert frechet["value"] == pytest.approx(frechet_distance(training, held_out).value, rel=1.0)
    assert frechet["split_half_baseline"] > 0


@pytest.mark.parametrize(("ranks", "launcher"), [(2, "gloo"), (3, "mpirun")])
def test_any_number_of_ranks_finds_the_same(
    ranks: int,
    launcher: str,
    trained: tuple[RunDirectory, JobFile],
    one_rank: tuple[Evaluation, dict[str, np.ndarray], list[Event]],
) -> None:
    alone, alone_predictions, _ = one_rank
    together, predictions, events = evaluate_anew(*trained, ranks=ranks, launcher=launcher)
    assert together.ranks == ranks
    assert json.dumps(together.metrics).count(":") == json.dumps(alone.metrics).count(":")
    named = [[(pair["missed"], pair["named"]) for pair in one.metrics["confused"]] for one in (together, alone)]
    assert named[0] == named[1]
    assert_same(together.metrics, alone.metrics)
    assert predictions.keys() == alone_predictions.keys()
    for name, values in predictions.items():
        np.testing.assert_array_equal(values, alone_predictions[name])
    assert isinstance(events[0], StageStarted) and isinstance(events[-1], StageFinished)
    done = [event.done for event in events if isinstance(event, StageProgressed)]
    assert done == sorted(done) and done[-1] <= events[0].total


def test_an_answered_question_is_not_asked_again(
    trained: tuple[RunDirectory, JobFile], one_rank: tuple[Evaluation, dict[str, np.ndarray], list[Event]]
) -> None:
    run, job_file = trained
    events: list[Event] = []
    before = metrics_path(run).stat().st_mtime_ns
    again = evaluate(run, job_file, ranks=3, on_event=events.append)
    assert again.reused and not events
    assert metrics_path(run).stat().st_mtime_ns == before
    assert again.as_json()["accuracy"] == one_rank[0].metrics["accuracy"]


def test_a_torn_answer_is_asked_again(trained: tuple[RunDirectory, JobFile]) -> None:
    run, job_file = trained
    whole = metrics_path(run).read_bytes()
    before = read_evaluation(run)
    metrics_path(run).write_bytes(whole[: len(whole) // 2])
    evaluation = evaluate(run, job_file, ranks=1, launcher="mpirun")
    assert not evaluation.reused
    assert_same(evaluation.metrics, before.metrics)


def test_what_is_missing_is_said_before_any_rank_starts(tmp_path: Path) -> None:
    job_file = small_job(tmp_path, samples=320)
    run = store_run(tmp_path, job_file, leave_out=frozenset({9}))
    with pytest.raises(UsageError, match="no trained model") as told:
        evaluate(run, job_file, ranks=2)
    assert "xpshpc train" in told.value.try_
    run.train.mkdir()
    run.model.write_bytes(b"")
    with pytest.raises(UsageError, match=r"not stored yet: 9") as told:
        evaluate(run, job_file, ranks=2)
    assert "xpshpc generate" in told.value.try_
    assert not run.evaluate.exists() and not run.logs.exists()


def test_a_file_that_is_no_model_is_refused_by_name(tmp_path: Path) -> None:
    job_file = small_job(tmp_path, samples=320)
    run = store_run(tmp_path, job_file)
    run.train.mkdir()
    run.model.write_bytes(b"no model")
    with pytest.raises(UsageError, match="cannot load the model") as told:
        evaluate(run, job_file, ranks=1)
    assert "model.keras" in told.value.where
    assert not metrics_path(run).exists()
