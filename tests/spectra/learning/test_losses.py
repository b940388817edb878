"""Losses are their formulas, each sample's its own, with gradients that are finite where an answer is perfect."""

import numpy as np
import pytest

from xpshpc.spectra.learning.losses import composition_loss, spread_loss, thickness_loss

pytestmark = pytest.mark.networks

LOSSES = ("rmse", "mae", "weighted_square", "cross_entropy", "cross_entropy_mae")
FORMULAS = {
    "rmse": lambda t, y, w: np.sqrt((w * (y - t) ** 2).mean(axis=1)),
    "mae": lambda t, y, w: (w * np.abs(y - t)).mean(axis=1),
    "weighted_square": lambda t, y, w: (w * t**2 * (t - y) ** 2).sum(axis=1),
    "cross_entropy": lambda t, y, w: -(w * t * np.log(y)).sum(axis=1),
    "cross_entropy_mae": lambda t, y, w: (8 * w * np.abs(y - t) - w * t * np.log(y)).sum(axis=1),
}


def fractions(samples, elements=6, seed=0):
    random = np.random.default_rng(seed)
    truth = random.dirichlet(np.full(elements, 0.3), samples).astype(np.float32)
    truth[truth < 0.02] = 0
    truth /= truth.sum(axis=1, keepdims=True)
    answer = random.dirichlet(np.full(elements, 2.0), samples).astype(np.float32)
    return truth, answer, random.uniform(0, 1, truth.shape).astype(np.float32)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_its_formula(name):
    truth, answer, weight = fractions(50)
    told = composition_loss(name, truth, answer, None).numpy()
    np.testing.assert_allclose(told, FORMULAS[name](truth, answer, 1), rtol=1e-4, atol=1e-7)
    told = composition_loss(name, truth, answer, weight).numpy()
    np.testing.assert_allclose(told, FORMULAS[name](truth, answer, weight), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", LOSSES)
def test_no_answer_is_better_than_the_truth(name):
    truth, answer, _ = fractions(50)
    perfect = composition_loss(name, truth, truth, None).numpy()
    for share in (0.001, 0.1, 1):
        worse = composition_loss(name, truth, (1 - share) * truth + share * answer, None).numpy()
        assert (worse > perfect).all()


@pytest.mark.parametrize("name", LOSSES)
def test_what_does_not_count_is_not_seen(name):
    truth, answer, weight = fractions(20)
    weight[:, 2] = 0
    other = answer.copy()
    other[:, 2] = 0.9
    np.testing.assert_array_equal(
        composition_loss(name, truth, answer, weight), composition_loss(name, truth, other, weight)
    )


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_finite_even_at_the_corners(name):
    import tensorflow as tf

    truth = np.eye(4, dtype=np.float32)
    for answer in (truth, truth[::-1].copy()):
        variable = tf.Variable(answer)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(composition_loss(name, truth, variable, None))
        assert np.isfinite(loss.numpy()) and np.isfinite(tape.gradient(loss, variable).numpy()).all()


@pytest.mark.parametrize("name", LOSSES)
def test_what_is_no_number_is_seen(name):
    truth, answer, _ = fractions(3)
    answer[1, 0] = np.nan
    truth[1, 0] = 0.5
    assert np.isnan(composition_loss(name, truth, answer, None).numpy()).tolist() == [False, True, False]


def test_thickness_counts_in_units_of_its_scale():
    told = thickness_loss(np.array([[10.0], [20.0]]), np.array([12.0, 15.0]), 10.0).numpy()
    np.testing.assert_allclose(told, [0.2, 0.5])


def test_the_spread_is_least_wrong_where_it_is_the_mean_absolute_error():
    error = np.random.default_rng(0).laplace(0, 0.03, (1, 20_000)).astype(np.float32)
    truth, expected = np.full_like(error, 0.3), float(np.abs(error).mean())
    tried = expected * np.geomspace(0.5, 2, 41)
    losses = [float(spread_loss(truth, truth + error, np.full_like(error, b), 1e-4).numpy()[0]) for b in tried]
    assert tried[int(np.argmin(losses))] == pytest.approx(expected, rel=0.02)
    assert min(losses) == pytest.approx(np.log(expected / 1e-4) + 1, rel=1e-3)


def test_the_spreads_loss_is_never_below_zero_and_moves_the_spread_alone():
    import tensorflow as tf

    truth, answer, _ = fractions(10)
    assert (spread_loss(truth, truth, np.full_like(truth, 1e-4), 1e-4).numpy() == 0).all()
    answer, spread = tf.Variable(answer), tf.Variable(np.full_like(truth, 0.01))
    with tf.GradientTape() as tape:
        loss = spread_loss(truth, answer, spread, 1e-4)
    through_answer, through_spread = tape.gradient(loss, [answer, spread])
    assert (loss.numpy() > 0).all() and through_answer is None and np.any(through_spread.numpy())
