"""What every network promises, whatever it is made of."""

import zipfile

import numpy as np
import pytest

from tests.spectra.models.spectra_in_a_few_channels import CHANNELS, ELEMENTS, SMALL, simulated, small_problem
from xpshpc.errors import UsageError
from xpshpc.spectra.learning.losses import spread_loss
from xpshpc.spectra.models import NETWORKS, build_network, check_network
from xpshpc.spectra.models.heads import SMALLEST_SPREAD

pytestmark = pytest.mark.networks

PEAKS, STEPS = 16, 300


def small_network(name, seed=3, input_shape=(CHANNELS,), **parameters):
    return small_problem().network(name, {**SMALL[name], **parameters}, input_shape, seed)


def numbers(answer):
    return {name: np.asarray(values) for name, values in answer.items()}


@pytest.mark.parametrize("composition", ["softmax", "amounts"])
@pytest.mark.parametrize("name", NETWORKS)
def test_answers_are_what_they_are_called(name, composition):
    network = small_network(name, composition=composition)
    answer = numbers(network(np.random.default_rng(0).random((7, CHANNELS), np.float32)))
    assert set(answer) == {"composition", "composition_spread", "overlayer_thickness"}
    assert answer["composition"].shape == answer["composition_spread"].shape == (7, len(ELEMENTS))
    assert answer["overlayer_thickness"].shape == (7,)
    np.testing.assert_allclose(answer["composition"].sum(axis=1), 1, rtol=1e-5)
    assert (answer["composition"] >= 0).all() and (answer["overlayer_thickness"] >= 0).all()
    assert (answer["composition_spread"] >= SMALLEST_SPREAD).all()
    assert len(network.get_layer("features").output.shape) == 2


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_decided_by_its_seed(name):
    def kernels(seed):
        return {v.path: v.numpy() for v in small_network(name, seed).trainable_variables if "kernel" in v.path}

    one, same, other = kernels(1), kernels(1), kernels(2)
    assert one.keys() == other.keys() and len(one) > 4
    for path in one:
        np.testing.assert_array_equal(one[path], same[path])
        assert not np.array_equal(one[path], other[path])
    shapes = {}
    for path, kernel in one.items():
        for known in shapes.setdefault(kernel.shape, []):
            assert not np.array_equal(kernel, known), path
        shapes[kernel.shape].append(kernel)


@pytest.mark.parametrize(("dropout", "composition"), [(0.0, "softmax"), (0.4, "amounts")])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_saved_network_answers_as_before_to_whoever_has_keras(name, dropout, composition, tmp_path):
    import keras

    network = small_network(name, dropout=dropout, composition=composition)
    spectra = np.random.default_rng(0).random((5, CHANNELS), np.float32)
    path = tmp_path / "model.keras"
    network.save(path)
    with zipfile.ZipFile(path) as archive:
        assert b"xpshpc" not in archive.read("config.json")
    loaded = keras.saving.load_model(path, compile=False, safe_mode=True)
    assert loaded.input_shape == (None, CHANNELS) and isinstance(loaded.output, dict)
    for answer, values in network(spectra).items():
        np.testing.assert_array_equal(loaded(spectra)[answer], values)
    features = keras.Model(loaded.input, loaded.get_layer("features").output)
    np.testing.assert_array_equal(
        features(spectra), keras.Model(network.input, network.get_layer("features").output)(spectra)
    )


@pytest.mark.parametrize(
    ("name", "composition"), [*((name, "softmax") for name in NETWORKS), ("vanilla_cnn", "amounts")]
)
def test_a_network_learns_a_handful_of_spectra_by_heart(name, composition):
    import keras
    import tensorflow as tf

    problem, rows = small_problem(thickness_weight=0.1, spread_weight=0.01), simulated(12)
    spectra, truth = tf.constant(problem.features(rows)), problem.targets(rows)
    network = small_network(name, composition=composition)
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-2, STEPS))

    @tf.function
    def learn():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(problem.losses(truth, network(spectra, training=True)))
        optimizer.apply(tape.gradient(loss, network.trainable_variables), network.trainable_variables)

    before = problem.metrics(truth, numbers(network(spectra)))
    for _ in range(STEPS):
        learn()
    after, answer = problem.metrics(truth, numbers(network(spectra))), numbers(network(spectra))
    assert before["accuracy"].mean() < 0.8 and after["accuracy"].mean() > 0.95
    assert after["thickness_mae_A"].mean() < 0.5 * before["thickness_mae_A"].mean()
    told, real = answer["composition_spread"].mean(), np.abs(answer["composition"] - truth["composition"]).mean()
    assert 0.25 < told / real < 4


@pytest.mark.parametrize("name", NETWORKS)
def test_learning_how_wrong_one_is_changes_nothing_of_what_one_says(name):
    import tensorflow as tf

    rows = simulated(8)
    problem = small_problem()
    network = small_network(name)
    with tf.GradientTape() as tape:
        answer = network(problem.features(rows), training=True)
        loss = tf.reduce_sum(
            spread_loss(
                rows["composition"].astype(np.float32),
                answer["composition"],
                answer["composition_spread"],
                SMALLEST_SPREAD,
            )
        )
    gradients = tape.gradient(loss, network.trainable_variables)
    moved = {
        variable.path.split("/")[0]
        for variable, gradient in zip(network.trainable_variables, gradients, strict=True)
        if gradient is not None and np.any(gradient.numpy())
    }
    assert moved == {"spread", "spread_hidden"}


@pytest.mark.parametrize("name", ["dnn", "multikernel"])
def test_a_network_that_begins_dense_takes_peaks(name):
    network = small_network(name, input_shape=(PEAKS, 2))
    answer = numbers(network(np.random.default_rng(0).random((3, PEAKS, 2), np.float32)))
    np.testing.assert_allclose(answer["composition"].sum(axis=1), 1, rtol=1e-5)


def weighted_layers_to(tensor):
    """Most convolutions and dense layers on any path from the input to a tensor."""
    known = {}

    def count(tensor):
        if id(tensor) not in known:
            layer = tensor._keras_history.operation
            inputs = [] if type(layer).__name__ == "InputLayer" else layer.input
            inputs = inputs if isinstance(inputs, list) else [inputs]
            own = type(layer).__name__ in ("Conv1D", "Dense")
            known[id(tensor)] = own + max((count(one) for one in inputs), default=0)
        return known[id(tensor)]

    return count(tensor)


def published(name):
    return build_network(name, {}, input_shape=(2048,), elements=len(ELEMENTS), thickness_scale_A=10.0, seed=0)


def test_inception_has_eighteen_hidden_layers():
    assert weighted_layers_to(published("inception").get_layer("features").output) == 18


def test_resnet27_has_twenty_seven_layers():
    network = published("resnet27")
    assert weighted_layers_to(network.output["composition"]) == 27
    convolutions = [layer for layer in network.layers if type(layer).__name__ == "Conv1D"]
    assert len([layer for layer in convolutions if "shortcut" not in layer.name]) == 25


def test_multikernel_has_the_published_sizes():
    network = published("multikernel")
    kernels = [network.get_layer(f"convolution_{number}").kernel_size[0] for number in range(1, 6)]
    assert kernels == [7, 11, 21, 41, 81]
    units = {name: network.get_layer(name).units for name in ("dense", "thickness_hidden", "composition_hidden")}
    assert units == {"dense": 2048, "thickness_hidden": 100, "composition_hidden": 2048}
    assert network.get_layer("features").output.shape == (None, 2048)
    assert [layer.rate for layer in network.layers if "dropout" in layer.name] == [0.5, 0.5]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_sizes_that_come_by_themselves_fit_a_survey(name):
    check_network(name, {}, (2048,))


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("vanila_cnn", {}, "unknown network 'vanila_cnn' .did you mean 'vanilla_cnn'"),
        ("vanilla_cnn", {"feature": 3}, "feature: unknown key .did you mean 'features'"),
        ("vanilla_cnn", {"filters_1": 0, "kernel_2": "wide"}, "filters_1: .*; kernel_2: "),
        ("vanilla_cnn", {"kernel_1": 200}, "kernel_1 .200. is wider than the 96 channels"),
        ("dnn", {"widths": []}, "widths: "),
        ("dnn", {"widths": [64, 0]}, "widths.1: "),
        ("dnn", {"dropout": 1.0}, "dropout: "),
        ("dnn", {"composition": "areas"}, "composition: "),
        ("inception", {"stages": [[12]]}, "stages.0.0: .*multiple of 8"),
        ("inception", {}, "only 6 channels are left at stage 2, which needs 11"),
        ("resnet27", {"entry_stride": 16, "widths": [8] * 4}, "only 2 channels are left at stage 3"),
        ("resnet27", {"entry_kernel": 97}, "entry_kernel .97. is wider than the 96 channels"),
        ("multikernel", {"dense": 64}, "a kernel .81. is wider than the 64 channels"),
        ("multikernel", {"dense": 90, "pool": 64, "kernels": [3]}, None),
        ("multikernel", {"dense": 32, "pool": 64, "kernels": [3]}, "only 0 channels are left at the features"),
    ],
)
def test_a_network_that_cannot_be_is_refused(name, parameters, words):
    if words is None:
        check_network(name, parameters, (CHANNELS,))
        return
    with pytest.raises(UsageError, match=words) as caught:
        check_network(name, parameters, (CHANNELS,))
    assert caught.value.where.startswith("train.")


@pytest.mark.parametrize("name", ["vanilla_cnn", "inception", "resnet27"])
def test_nothing_slides_over_a_list_of_peaks(name):
    with pytest.raises(UsageError, match=f"{name} slides over the channels") as caught:
        check_network(name, SMALL[name], (PEAKS, 2))
    assert caught.value.where == "train.network"
