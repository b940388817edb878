"""Networks for wafer maps: what they answer, that a seed decides them, and that plain Keras reads what is saved."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xpshpc.errors import UsageError
from xpshpc.wafers.learning.problem import make_problem
from xpshpc.wafers.models import NETWORKS, check_network
from xpshpc.wafers.settings import WaferSettings

pytestmark = pytest.mark.networks

SIZE = 17
SMALL: dict[str, dict[str, Any]] = {
    "wafer_cnn": {"entry": 4, "widths": [6, 8], "blocks": 2, "features": 10},
    "efficientnet_lite0": {"image_size": 32, "features": 10},
}

ANSWER_ELSEWHERE = """
import sys
import keras, numpy as np
network = keras.saving.load_model(sys.argv[1], compile=False, safe_mode=True)
assert not any(name.startswith("xpshpc") for name in sys.modules)
np.save(sys.argv[3], network(np.load(sys.argv[2]))["class"])
"""


def build(name: str, seed: int = 4, **more: Any) -> Any:
    problem = make_problem(WaferSettings(size=SIZE), {})
    return problem.network(name, SMALL[name] | more, (SIZE, SIZE, 2), seed)


def wafers(n: int) -> np.ndarray:
    maps = np.random.default_rng(2).integers(0, 3, (n, SIZE, SIZE), dtype=np.uint8)
    problem = make_problem(WaferSettings(size=SIZE), {})
    return problem.features({"map": maps, "label": np.zeros(n, np.uint8)})


@pytest.mark.parametrize("name", NETWORKS["classify"])
def test_a_network_answers_shares_that_a_seed_decides_and_whoever_has_keras_reads_it(name: str, tmp_path: Path) -> None:
    network, maps = build(name), wafers(5)
    answer = np.asarray(network(maps)["class"])
    assert answer.shape == (5, 9)
    np.testing.assert_allclose(answer.sum(axis=1), 1, rtol=1e-5)
    assert network.get_layer("features").output.shape == (None, 10)
    np.testing.assert_array_equal(np.asarray(build(name)(maps)["class"]), answer)
    assert not np.array_equal(np.asarray(build(name, seed=5)(maps)["class"]), answer)
    network.save(tmp_path / "model.keras")
    np.save(tmp_path / "maps.npy", maps)
    files = [str(tmp_path / file) for file in ("model.keras", "maps.npy", "answer.npy")]
    subprocess.run([sys.executable, "-c", ANSWER_ELSEWHERE, *files], check=True, cwd=tmp_path)
    np.testing.assert_allclose(np.load(files[2]), answer, rtol=1e-5)


def test_the_head_learns_alone_unless_all_of_a_trained_network_is_to() -> None:
    head, whole = (build("efficientnet_lite0", trained=trained) for trained in ("head", "all"))
    assert [v.path.split("/")[0] for v in head.trainable_variables] == ["features", "features", "class", "class"]
    assert len(whole.trainable_variables) == len(whole.variables) == len(head.variables) > 90


def test_an_answer_does_not_depend_on_the_samples_beside_it() -> None:
    network, maps = build("wafer_cnn"), wafers(6)
    together = np.asarray(network(maps, training=True)["class"])
    alone = np.concatenate([network(maps[row : row + 1], training=True)["class"] for row in range(6)])
    np.testing.assert_allclose(together, alone, rtol=1e-5)


def test_the_loss_is_the_cross_entropy_smoothed_and_weighed() -> None:
    labels = np.eye(9, dtype=np.float32)[[0, 3]]
    answer = np.random.default_rng(1).dirichlet(np.ones(9), 2).astype(np.float32)
    told = {"label_smoothing": 0.1, "class_weights": {"Center": 3.0}}
    losses = make_problem(WaferSettings(size=SIZE), told).losses({"class": labels}, {"class": answer})
    wanted = 0.9 * labels + 0.1 / 9
    expected = -(wanted * np.log(answer)).sum(axis=1) * [3, 1]
    np.testing.assert_allclose(np.asarray(losses), expected, rtol=1e-4)


def test_a_small_network_learns_to_tell_full_wafers_from_empty_ones() -> None:
    import keras
    import tensorflow as tf

    problem = make_problem(
        WaferSettings.model_validate({"size": SIZE, "patterns": {"classes": ["None", "Random"]}}), {}
    )
    generator = np.random.default_rng(0)
    labels = generator.integers(2, size=128)
    fails = generator.random((128, SIZE, SIZE)) < np.where(labels, 0.4, 0.1)[:, None, None]
    rows = {"map": (1 + fails).astype(np.uint8), "label": labels.astype(np.uint8)}
    network = problem.network("wafer_cnn", SMALL["wafer_cnn"], (SIZE, SIZE, 2), 1)
    optimizer = keras.optimizers.Adam(1e-2)
    inputs, truth = tf.constant(problem.features(rows)), problem.targets(rows)

    @tf.function
    def step() -> Any:
        with tf.GradientTape() as tape:
            losses = problem.losses(truth, network(inputs, training=True))
        weights = [variable.value for variable in network.trainable_variables]
        optimizer.apply(tape.gradient(losses, weights), network.trainable_variables)
        return tf.reduce_mean(losses)

    optimizer.build(network.trainable_variables)
    first = float(step())
    for _ in range(30):
        step()
    answer = {name: np.asarray(values) for name, values in network(inputs).items()}
    assert float(step()) < 0.2 * first
    assert problem.metrics(truth, answer)["accuracy"].mean() > 0.95


def test_maps_too_small_for_the_stages_are_refused() -> None:
    with pytest.raises(UsageError, match="4 stages leave nothing of a map of 16 dies"):
        check_network("classify", "wafer_cnn", {"widths": [8, 8, 8, 8]}, 16)
    check_network("classify", "wafer_cnn", {"widths": [8, 8, 8]}, 16)
