"""What the network is asked and how its answers are judged."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from xpshpc.errors import UsageError
from xpshpc.spectra.learning.problem import XpsProblem
from xpshpc.spectra.learning.task import XpsTask
from xpshpc.spectra.learning.treatment import stretch

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


@settings(deadline=None)
@given(arrays(np.uint16, st.tuples(st.integers(1, 4), st.integers(1, 9))))
def test_a_normalised_spectrum_reaches_from_0_to_1_and_keeps_its_order(counts):
    stretched = stretch(counts)
    assert stretched.dtype == np.float32 and stretched.shape == counts.shape
    for before, after in zip(counts.astype(int), stretched, strict=True):
        if before.min() == before.max():
            assert (after == 0).all()
        else:
            assert after.min() == 0 and after.max() == 1
            assert (np.diff(after[np.argsort(before, kind="stable")]) >= 0).all()


def test_normalising_knows_no_dose_no_offset_and_leaves_its_input():
    counts = np.random.default_rng(0).integers(0, 1000, (3, 50)).astype(np.float32)
    kept = counts.copy()
    np.testing.assert_allclose(stretch(counts * 7 + 300), stretch(counts), atol=1e-6)
    np.testing.assert_array_equal(counts, kept)


def test_what_is_not_finite_stays_so():
    counts = np.ones((2, 5), np.float32)
    counts[0, 2], counts[1, 2] = np.nan, np.inf
    assert np.isnan(stretch(counts)).any(axis=1).all()


def test_the_loss_is_the_stated_formula(problem):
    truth, answer = some_answers(50)
    losses = problem.losses(truth, answer).numpy()
    rmse = np.sqrt(np.mean((answer["composition"] - truth["composition"]) ** 2, axis=1))
    apart = np.abs(answer["overlayer_thickness"] - truth["overlayer_thickness"])
    np.testing.assert_allclose(losses, rmse + 0.05 * apart / 10.0, rtol=1e-5)


def test_a_loss_belongs_to_its_sample_alone(problem):
    truth, answer = some_answers(20)
    together = problem.losses(truth, answer).numpy()
    for sample in (0, 19):
        alone = problem.losses(
            {name: rows[sample : sample + 1] for name, rows in truth.items()},
            {name: rows[sample : sample + 1] for name, rows in answer.items()},
        ).numpy()
        np.testing.assert_allclose(alone, together[sample : sample + 1], rtol=1e-6)


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
    assert summary["elements"]["O"] == pytest.approx(
        {
            "present": 1,
            "mae": 0.625,
            "mae_present": 0.25,
            "rmse": np.sqrt((1 + 0.0625) / 2),
            "bias": 0.375,
            "precision": 0.5,
            "recall": 1.0,
        }
    )
    assert summary["elements"]["Cu"]["recall"] is None and summary["elements"]["Cu"]["present"] == 0
    assert summary["elements"]["Si"]["precision"] == 0.0


def test_a_perfect_answer_scores_perfectly(problem):
    truth, _ = some_answers(100)
    summary = problem.summarise(problem.score(truth, truth), {})
    assert (summary["accuracy"], summary["rmse"], summary["thickness_mae_A"]) == (1.0, 0.0, 0.0)
    for element in summary["elements"].values():
        assert element["precision"] == element["recall"] == 1.0


@settings(deadline=None, max_examples=30)
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


def test_the_network_keeps_its_promises(problem):
    network = problem.network("vanilla_cnn", {"features": 24}, (CHANNELS,), seed=3)
    spectra = np.random.default_rng(0).random((7, CHANNELS), np.float32)
    answer = {name: values.numpy() for name, values in network(spectra).items()}
    assert answer["composition"].shape == (7, len(ELEMENTS)) and answer["overlayer_thickness"].shape == (7,)
    np.testing.assert_allclose(answer["composition"].sum(axis=1), 1, rtol=1e-5)
    assert (answer["composition"] >= 0).all() and (answer["overlayer_thickness"] >= 0).all()
    assert network.get_layer("features").output.shape == (None, 24)
    assert set(answer) == set(problem.targets(some_answers(1)[0]))


def test_a_network_is_decided_by_its_seed(problem):
    def weights(seed):
        return [v.numpy() for v in problem.network("vanilla_cnn", {}, (CHANNELS,), seed).variables]

    for one, same, other in zip(weights(1), weights(1), weights(2), strict=True):
        np.testing.assert_array_equal(one, same)
        assert one.ndim == 1 or not np.array_equal(one, other)


def test_a_saved_network_answers_as_before(problem, tmp_path):
    import keras

    network = problem.network("vanilla_cnn", {}, (CHANNELS,), seed=3)
    network.save(tmp_path / "model.keras")
    spectra = np.random.default_rng(0).random((5, CHANNELS), np.float32)
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    for name, values in network(spectra).items():
        np.testing.assert_array_equal(loaded(spectra)[name].numpy(), values.numpy())


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("vanila_cnn", {}, "unknown network 'vanila_cnn' .did you mean 'vanilla_cnn'"),
        ("vanilla_cnn", {"feature": 3}, "feature: unknown parameter .did you mean 'features'"),
        ("vanilla_cnn", {"filters_1": 0, "kernel_2": "wide"}, "filters_1: .*; kernel_2: "),
        ("vanilla_cnn", {"kernel_1": 200}, "kernel_1 .200. is wider than the 96 channels"),
    ],
)
def test_a_network_that_cannot_be_is_refused(problem, name, parameters, words):
    with pytest.raises(UsageError, match=words) as caught:
        problem.check_network(name, parameters)
    assert caught.value.where.startswith("train.")
