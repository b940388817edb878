"""What the network is asked and how its answers are judged."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xpshpc.errors import UsageError
from xpshpc.spectra.learning.losses import composition_loss
from xpshpc.spectra.learning.problem import XpsProblem
from xpshpc.spectra.learning.task import LossName, XpsTask, read_task
from xpshpc.spectra.models.heads import SMALLEST_SPREAD

ELEMENTS = ("C", "O", "Si", "Cu")
CHANNELS = 96


@pytest.fixture(scope="module")
def problem():
    return XpsProblem(np.linspace(400, 1486, CHANNELS), ELEMENTS, 1486.6, 10.0, XpsTask(thickness_weight=0.05))


def some_answers(samples, seed=0):
    random = np.random.default_rng(seed)
    truth = {
        "composition": random.dirichlet(np.full(len(ELEMENTS), 0.3), samples).astype(np.float32),
        "overlayer_thickness": random.uniform(0, 40, samples).astype(np.float32),
    }
    truth["composition"][truth["composition"] < 0.02] = 0
    answer = {
        "composition": random.dirichlet(np.full(len(ELEMENTS), 0.3), samples).astype(np.float32),
        "overlayer_thickness": random.uniform(0, 40, samples).astype(np.float32),
    }
    return truth, answer


@pytest.mark.networks
def test_the_loss_is_the_stated_formula(problem):
    truth, answer = some_answers(50)
    losses = problem.losses(truth, answer).numpy()
    rmse = np.sqrt(np.mean((answer["composition"] - truth["composition"]) ** 2, axis=1))
    apart = np.abs(answer["overlayer_thickness"] - truth["overlayer_thickness"])
    np.testing.assert_allclose(losses, rmse + 0.05 * apart / 10.0, rtol=1e-5)


@pytest.mark.networks
def test_a_loss_belongs_to_its_sample_alone(problem):
    truth, answer = some_answers(20)
    together = problem.losses(truth, answer).numpy()
    for sample in (0, 19):
        alone = problem.losses(
            {name: rows[sample : sample + 1] for name, rows in truth.items()},
            {name: rows[sample : sample + 1] for name, rows in answer.items()},
        ).numpy()
        np.testing.assert_allclose(alone, together[sample : sample + 1], rtol=1e-6)


@pytest.mark.networks
def test_a_perfect_answer_has_a_gradient_that_is_finite(problem):
    import tensorflow as tf

    truth, _ = some_answers(5)
    answer = {name: tf.Variable(rows) for name, rows in truth.items()}
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(problem.losses(truth, answer))
    for gradient in tape.gradient(loss, list(answer.values())):
        assert np.isfinite(gradient.numpy()).all()


def test_metrics_of_known_answers(problem):
    truth = {"composition": np.array([[1, 0, 0, 0], [0.5, 0.5, 0, 0]]), "overlayer_thickness": np.array([10.0, 20.0])}
    answer = {
        "composition": np.array([[0, 1, 0, 0], [0.5, 0.25, 0.25, 0]]),
        "overlayer_thickness": np.array([12.0, 15]),
    }
    metrics = problem.metrics(truth, answer)
    np.testing.assert_allclose(metrics["accuracy"], [0.0, 0.75])
    np.testing.assert_allclose(metrics["rmse"], [np.sqrt(2 / 4), np.sqrt(2 * 0.0625 / 4)])
    np.testing.assert_allclose(metrics["thickness_mae_A"], [2.0, 5.0])
    summary = problem.summarise(problem.score(truth, answer), {})
    assert summary["accuracy"] == pytest.approx(0.375)
    assert summary["thickness_bias_A"] == pytest.approx(-1.5)
    expected = {
        "present": 1,
        "mae": 0.625,
        "mae_present": 0.25,
        "rmse": np.sqrt((1 + 0.0625) / 2),
        "bias": 0.375,
        "precision": 0.5,
        "recall": 1.0,
    }
    assert {name: summary["elements"]["O"][name] for name in expected} == pytest.approx(expected)
    assert summary["elements"]["Cu"]["recall"] is None and summary["elements"]["Cu"]["present"] == 0
    assert summary["elements"]["Si"]["precision"] == 0.0


def test_a_perfect_answer_scores_perfectly(problem):
    truth, _ = some_answers(100)
    summary = problem.summarise(problem.score(truth, truth), {})
    assert (summary["accuracy"], summary["rmse"], summary["thickness_mae_A"]) == (1.0, 0.0, 0.0)
    for element in summary["elements"].values():
        assert element["precision"] == element["recall"] == 1.0


@settings(max_examples=30)
@given(st.integers(0, 40), st.integers(0, 99))
def test_scores_of_parts_add_up_to_those_of_the_whole(cut, seed):
    problem = XpsProblem(np.linspace(400, 1486, CHANNELS), ELEMENTS, 1486.6, 10.0)
    truth, answer = some_answers(40, seed)
    whole = problem.score(truth, answer)
    parts = [
        problem.score({n: r[part] for n, r in truth.items()}, {n: r[part] for n, r in answer.items()})
        for part in (slice(0, cut), slice(cut, None))
    ]
    assert all(values.dtype == np.float64 for values in whole.values())
    for name in whole:
        np.testing.assert_allclose(parts[0][name] + parts[1][name], whole[name], rtol=1e-12, atol=1e-12)


@pytest.mark.networks
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", LossName.__args__)
def test_the_loss_is_the_sum_that_the_task_weighs(loss, weighted):
    task = XpsTask(loss=loss, thickness_weight=0.3, spread_weight=0.01)
    problem = XpsProblem(np.linspace(400, 1486, CHANNELS), ELEMENTS, 1486.6, 10.0, task, weighted=weighted)
    truth, answer = some_answers(20)
    truth["weight"] = np.random.default_rng(1).random(truth["composition"].shape, np.float32)
    answer["composition_spread"] = np.random.default_rng(2).uniform(1e-3, 0.1, truth["composition"].shape)
    answer["composition_spread"] = answer["composition_spread"].astype(np.float32)
    apart = np.abs(answer["overlayer_thickness"] - truth["overlayer_thickness"]) / 10.0
    error, spread = np.abs(answer["composition"] - truth["composition"]), answer["composition_spread"]
    foretold = (np.log(spread / SMALLEST_SPREAD) + error / spread).mean(axis=1)
    weight = truth["weight"] if weighted else None
    composition = composition_loss(loss, truth["composition"], answer["composition"], weight).numpy()
    expected = composition + 0.3 * apart + 0.01 * foretold
    np.testing.assert_allclose(problem.losses(truth, answer).numpy(), expected, rtol=1e-5)
    del answer["composition_spread"]
    np.testing.assert_allclose(problem.losses(truth, answer).numpy(), composition + 0.3 * apart, rtol=1e-5)


@pytest.mark.networks
@pytest.mark.parametrize("told", [{}, {"input": "area"}, {"input": "smoothed"}, {"input": "peaks", "peaks": 9}])
def test_a_network_is_built_for_what_the_task_hands_it(told):
    problem = XpsProblem(np.linspace(400, 1486, CHANNELS), ELEMENTS, 1486.6, 10.0, XpsTask.model_validate(told))
    problem.check_network("dnn", {"widths": [8]})
    inputs = problem.features({"spectrum": np.random.default_rng(0).integers(0, 999, (3, CHANNELS))})
    network = problem.network("dnn", {"widths": [8]}, inputs.shape[1:], seed=3)
    answer = {name: values.numpy() for name, values in network(inputs).items()}
    assert set(answer) > set(problem.targets(some_answers(1)[0]))
    np.testing.assert_allclose(answer["composition"].sum(axis=1), 1, rtol=1e-5)
    assert read_task(problem.model_card()["task"]) == problem.task


def test_a_network_for_spectra_is_not_checked_against_peaks():
    problem = XpsProblem(np.linspace(400, 1486, CHANNELS), ELEMENTS, 1486.6, 10.0, XpsTask(input="peaks", peaks=9))
    with pytest.raises(UsageError, match="vanilla_cnn slides over the channels"):
        problem.check_network("vanilla_cnn", {})
