"""Dropout is the sample's own affair: who shares a batch with it, and on how many ranks, is not."""

import numpy as np
import pytest

from tests.spectra.models.spectra_in_a_few_channels import CHANNELS, SMALL, simulated, small_problem
from xpshpc.cluster.communicator import Solo
from xpshpc.config import Train

pytestmark = pytest.mark.networks

UNITS, SPECTRA = 400, 12


def masking_network(rate, seed=1):
    """A network that answers which of `UNITS` ones it kept, twice over."""
    import keras

    from xpshpc.spectra.models.dropout import Dropout

    spectrum = keras.Input((CHANNELS,))
    drop = Dropout(rate, spectrum, seed)
    ones = keras.layers.Dense(UNITS, kernel_initializer="zeros", bias_initializer="ones")(spectrum)
    return drop.network({"first": drop(ones), "second": drop(ones)}, "masks")


def set_step(network, step):
    from xpshpc.spectra.models.dropout import STEP_VARIABLE

    (variable,) = [variable for variable in network.non_trainable_variables if variable.name == STEP_VARIABLE]
    variable.assign(step)


def masks(network, spectra, step=0, name="first"):
    set_step(network, step)
    return network(spectra, training=True)[name].numpy()


@pytest.fixture(scope="module")
def spectra():
    return np.random.default_rng(0).random((SPECTRA, CHANNELS), np.float32)


def test_a_samples_mask_does_not_know_the_rest_of_the_batch(spectra):
    network = masking_network(0.5)
    whole = masks(network, spectra)
    for parts in (2, 3, SPECTRA):
        split = [masks(network, part) for part in np.split(spectra, parts)]
        np.testing.assert_array_equal(np.concatenate(split), whole)
    order = np.random.default_rng(1).permutation(SPECTRA)
    np.testing.assert_array_equal(masks(network, spectra[order]), whole[order])


def test_masks_differ_between_samples_steps_layers_and_seeds_and_come_again(spectra):
    network = masking_network(0.5)
    closest = np.stack([spectra[0], np.nextafter(spectra[0], np.where(np.arange(CHANNELS) == 50, 2, spectra[0]))])
    drawn = [
        masks(network, spectra),
        masks(network, spectra, step=1),
        masks(network, spectra, name="second"),
        masks(masking_network(0.5, seed=2), spectra),
        masks(network, closest.astype(np.float32)),
    ]
    rows = np.concatenate([*drawn[:4], drawn[4][1:]])
    alike = (rows[:, None] == rows[None]).mean(axis=2)[~np.eye(len(rows), dtype=bool)]
    assert abs(alike.mean() - 0.5) < 0.01 and alike.min() > 0.35 and alike.max() < 0.65
    np.testing.assert_array_equal(masks(network, spectra), drawn[0])
    np.testing.assert_array_equal(masks(masking_network(0.5), spectra), drawn[0])


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_so_many_units_are_dropped_and_the_others_make_up_for_them(rate):
    spectra = np.random.default_rng(0).random((250, CHANNELS), np.float32)
    kept = masks(masking_network(rate), spectra)
    values = np.unique(kept)
    np.testing.assert_allclose(values, [0, 1 / (1 - rate)], rtol=1e-6)
    deviation = np.sqrt(rate * (1 - rate) / kept.size)
    assert abs((kept == 0).mean() - rate) < 5 * deviation
    by_unit, by_row = (kept == 0).mean(axis=0), (kept == 0).mean(axis=1)
    assert by_unit.std() == pytest.approx(np.sqrt(rate * (1 - rate) / len(spectra)), rel=0.15)
    assert by_row.std() == pytest.approx(np.sqrt(rate * (1 - rate) / UNITS), rel=0.2)


def test_an_answer_drops_nothing(spectra):
    np.testing.assert_array_equal(masking_network(0.5)(spectra)["first"], np.ones((SPECTRA, UNITS)))


@pytest.mark.parametrize("name", ["dnn", "multikernel"])
def test_gradients_of_parts_add_up_to_those_of_the_batch(name):
    """What ranks do, and accumulation: the network with dropout learns the same from a batch in any number of parts."""
    import tensorflow as tf

    problem, rows = small_problem(), simulated(12)
    spectra, truth = problem.features(rows), problem.targets(rows)
    network = problem.network(name, {**SMALL[name], "dropout": 0.5}, (CHANNELS,), 1)

    def gradients(step, parts):
        set_step(network, step)
        sums = None
        for part in np.split(np.arange(len(spectra)), parts):
            with tf.GradientTape() as tape:
                answer = network(spectra[part], training=True)
                loss = tf.reduce_sum(problem.losses({key: rows[part] for key, rows in truth.items()}, answer))
            found = [gradient.numpy() for gradient in tape.gradient(loss, network.trainable_variables)]
            sums = found if sums is None else [one + other for one, other in zip(sums, found, strict=True)]
        return sums

    whole, other_step = gradients(4, 1), gradients(5, 1)
    for parts in (2, 3):
        for one, other in zip(gradients(4, parts), whole, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4 * np.abs(other).max())
    assert any(not np.allclose(one, other, rtol=0.05) for one, other in zip(whole, other_step, strict=True))


def test_training_draws_new_masks_at_every_step():
    from xpshpc.train.step import Stepper

    problem, rows = small_problem(), simulated(12)
    network = problem.network("dnn", {**SMALL["dnn"], "dropout": 0.5}, (CHANNELS,), 1)
    stepper = Stepper(network, problem, Solo(), Train(global_batch=12))
    spectra, truth = problem.features(rows), problem.targets(rows)
    losses = [stepper.step(spectra, truth, 0.0, False).loss for _ in range(3)]
    assert len(set(losses)) == 3
