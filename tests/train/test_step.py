"""One step on one rank: parts, precisions, optimisers and the wire change how it is computed, not what it does."""

import numpy as np
import pytest

from tests.train.stored_run import SMALL_NETWORK
from xpshpc.cluster.communicator import Solo
from xpshpc.config import Train
from xpshpc.spectra.learning.problem import XpsProblem

pytestmark = pytest.mark.networks

CHANNELS, BATCH = 64, 12
PROBLEM = XpsProblem(np.arange(CHANNELS) + 400.0, ("C", "O", "Cu"), 1486.6, 10.0)


@pytest.fixture(autouse=True)
def default_precision():
    import keras

    yield
    keras.config.set_dtype_policy("float32")


def make_stepper(ranks=None, **train):
    import keras

    from xpshpc.train.step import Stepper

    keras.config.set_dtype_policy(train.get("precision", "float32"))
    network = PROBLEM.network("vanilla_cnn", SMALL_NETWORK, (CHANNELS,), seed=1)
    return Stepper(network, PROBLEM, ranks or Solo(), Train(global_batch=BATCH, **train))


def batch(step):
    random = np.random.default_rng(step)
    truth = {
        "composition": random.dirichlet(np.ones(3), BATCH).astype(np.float32),
        "overlayer_thickness": random.uniform(0, 40, BATCH).astype(np.float32),
    }
    return random.random((BATCH, CHANNELS), np.float32), truth


def take_steps(stepper, steps=4):
    return [stepper.step(*batch(step), 1e-2, False) for step in range(steps)]


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_a_batch_in_parts_makes_the_same_step(precision):
    whole, parts = make_stepper(precision=precision), make_stepper(precision=precision, accumulate=3)
    loose = 10 if precision == "mixed_float16" else 1
    for one, other in zip(take_steps(whole), take_steps(parts), strict=True):
        np.testing.assert_allclose(one.losses, other.losses, rtol=1e-4 * loose)
        assert other.norm == pytest.approx(one.norm, rel=1e-4 * loose)
    if precision == "float32":
        for one, other in zip(whole.variables()[0], parts.variables()[0], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_keeps_the_weights_and_the_answers_in_float32(precision):
    import keras

    plain, mixed = make_stepper(), make_stepper(precision=precision)
    for one, other in zip(take_steps(plain), take_steps(mixed), strict=True):
        assert other.finite and not other.skipped
        assert other.loss == pytest.approx(one.loss, rel=1e-2)
    assert {values.dtype.name for values in mixed.variables()[0]} == {"float32"}
    inputs, truth = batch(0)
    answers, losses = mixed.answer(inputs, truth)
    assert losses.dtype == np.float32 and {values.dtype.name for values in answers.values()} == {"float32"}
    np.testing.assert_allclose(answers["composition"].sum(axis=1), 1, atol=1e-6)
    features = keras.Model(mixed.network.input, mixed.network.get_layer("features").output)
    assert features(inputs).dtype == precision.removeprefix("mixed_")


def test_an_overflow_is_left_out_and_halves_the_scale_but_a_bad_loss_is_told():
    from xpshpc.train.loss_scale import FIRST

    stepper = make_stepper(precision="mixed_float16")
    scale = stepper.variables()[1][-2]
    assert scale == FIRST
    inputs, truth = batch(0)
    # The scaled gradient of a kernel is its input's share of it: this leaves float16, and the loss does not.
    before = stepper.variables()[0]
    overflowed = stepper.step(inputs * 3e3, truth, 1e-2, False)
    assert overflowed.skipped and overflowed.finite and not np.isfinite(overflowed.norm)
    after, state = stepper.variables()
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)
    assert state[-2] == FIRST / 2
    assert not stepper.step(inputs, truth, 1e-2, False).skipped
    assert not stepper.step(inputs * np.nan, truth, 1e-2, False).finite


def test_a_loss_scale_falls_at_overflows_and_grows_after_many_sound_steps():
    import tensorflow as tf

    from xpshpc.train.loss_scale import FIRST, GROWS_AFTER, SMALLEST, LossScale

    scale = LossScale()
    for expected in (FIRST / 2, FIRST / 4):
        assert bool(scale.settle(tf.constant(False)))
        assert scale.variables[0].numpy() == expected
    scale.variables[1].assign(GROWS_AFTER - 2)
    for expected in (FIRST / 4, FIRST / 2, FIRST / 2):
        assert not bool(scale.settle(tf.constant(True)))
        assert scale.variables[0].numpy() == expected
    assert scale.variables[0].numpy() == FIRST / 2
    scale.variables[0].assign(SMALLEST)
    assert not bool(scale.settle(tf.constant(False)))
    assert scale.restore([scale.enlarge(tf.constant(0.1))])[0].numpy() == np.float32(0.1)


class TwoAlike:
    """Two ranks that send the same: the sum is twice what one sends; notes the types of what travels."""

    rank, size, local_rank = 0, 2, 0

    def __init__(self):
        self.sent = []

    def reduce_gradients(self, gradients, *, average=False):
        self.sent.append({gradient.dtype.name for gradient in gradients})
        return [gradient * 2 for gradient in gradients]


def test_half_precision_travels_well_scaled_and_an_overflow_again_in_whole():
    import tensorflow as tf

    from xpshpc.train.compression import HalfPrecisionWire

    ranks = TwoAlike()
    wire = HalfPrecisionWire(ranks, tensors=3)
    random = np.random.default_rng(0)
    first = [random.standard_normal(50).astype(np.float32) * size for size in (1e-9, 1.0, 1e7)]

    def send(gradients):
        ranks.sent.clear()
        sums = [total.numpy() for total in wire.reduce([tf.constant(gradient) for gradient in gradients])]
        return sums, [kinds for (kinds,) in ranks.sent]

    sums, kinds = send(first)
    assert kinds == ["float16", "float32"]
    np.testing.assert_array_equal(sums, np.multiply(first, 2))
    sums, kinds = send(first)
    assert kinds == ["float16"]
    for total, gradient in zip(sums, first, strict=True):
        np.testing.assert_allclose(total, 2 * gradient, rtol=2e-3, atol=1e-6 * np.abs(gradient).max())
    sums, kinds = send([gradient * 1e3 for gradient in first])
    assert kinds == ["float16", "float32"]
    np.testing.assert_allclose(sums, np.multiply(first, 2e3), rtol=1e-6)
    scales = wire.variables[0].numpy()
    spoilt = [first[0], np.where(first[1] > 1, np.nan, first[1]), first[2]]
    sums, kinds = send(spoilt)
    assert np.isnan(sums[1]).any() and kinds == ["float16", "float32"]
    np.testing.assert_array_equal(wire.variables[0].numpy(), scales)


def test_scales_are_powers_of_two_that_bring_numbers_to_their_place():
    import tensorflow as tf

    from xpshpc.train.compression import LARGEST_SENT, scale_to

    largest = np.array([1e-9, 0.7, 1.0, 1.9999999, 2.0, 3e8], np.float32)
    scales = scale_to(tf.constant(largest)).numpy()
    assert np.all(np.frexp(scales)[0] == 0.5)
    assert np.all((largest * scales >= 2.0**LARGEST_SENT) & (largest * scales < 2.0 ** (LARGEST_SENT + 1)))
    assert np.all(np.isfinite(scale_to(tf.constant([0.0, 1e-42, 3e38])).numpy()))


def test_on_one_rank_nothing_travels():
    plain, compressed = make_stepper(), make_stepper(compression="fp16")
    take_steps(plain, 1), take_steps(compressed, 1)
    for one, other in zip(plain.variables()[0], compressed.variables()[0], strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "lamb"])
def test_decay_shrinks_kernels_and_leaves_biases_alone(optimizer):
    import keras
    import tensorflow as tf

    from xpshpc.train.optimizer import is_decayed, make_optimizer

    kernel, bias = keras.Variable(np.ones((2, 3))), keras.Variable(np.ones(3))
    train = Train(optimizer=optimizer, weight_decay=0.1)
    rule = make_optimizer(train, [kernel, bias])
    rule.learning_rate.assign(0.5)
    rule.apply([tf.zeros((2, 3)), tf.zeros(3)], [kernel, bias])
    np.testing.assert_allclose(kernel.numpy(), 1 - 0.5 * 0.1, rtol=1e-6)
    np.testing.assert_array_equal(bias.numpy(), 1)
    assert is_decayed((2, 3)) and not is_decayed((3,)) and not is_decayed(())


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "lamb"])
def test_every_optimizer_learns(optimizer):
    stepper = make_stepper(optimizer=optimizer)
    inputs, truth = batch(0)
    losses = [stepper.step(inputs, truth, 1e-2, False).loss for _ in range(60)]
    assert losses[-1] < 0.9 * losses[0]


def test_variables_of_another_network_are_refused():
    stepper = make_stepper()
    network, state = stepper.variables()
    for wrong in (network[:-1], [values[..., :1] for values in network]):
        with pytest.raises(ValueError, match="another network"):
            stepper.assign(wrong, state)
    with pytest.raises(ValueError, match="another network"):
        stepper.assign(network, state[:-1])


def test_a_weight_without_a_loss_stays():
    from xpshpc.train.step import Stepper

    network = PROBLEM.network("vanilla_cnn", SMALL_NETWORK, (CHANNELS,), seed=1)
    stepper = Stepper(network, CompositionOnly(), Solo(), Train(global_batch=BATCH, optimizer="sgd"))
    names = [variable.path for variable in network.variables]
    before = dict(zip(names, stepper.variables()[0], strict=True))
    assert stepper.step(*batch(0), 1e-2, False).finite
    after = dict(zip(names, stepper.variables()[0], strict=True))
    np.testing.assert_array_equal(before["thickness/kernel"], after["thickness/kernel"])
    assert not np.array_equal(before["composition/kernel"], after["composition/kernel"])


class CompositionOnly:
    """A problem that asks for the composition only."""

    def losses(self, truth, answer):
        import tensorflow as tf

        return tf.reduce_sum(tf.math.squared_difference(answer["composition"], truth["composition"]), axis=-1)
