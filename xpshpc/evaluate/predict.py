"""A trained network's answers and features, in batches of one fixed shape."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError

FEATURE_LAYER = "features"


class Prediction(NamedTuple):
    """Answers by output name, each (n, …), and the feature layer's values, (n, d)."""

    answer: dict[str, NDArray[np.float32]]
    features: NDArray[np.float32]


class Predictor:
    """A saved Keras network that answers `batch` samples at a time.

    Short batches are filled up and cut again: every sample is computed by the same kernels on the same shape. Raises
    UsageError for a file that Keras cannot load or a network without a layer named `features`.
    """

    def __init__(self, model: Path, batch: int) -> None:
        import keras
        import tensorflow as tf

        try:
            network = keras.saving.load_model(model, compile=False, safe_mode=True)
        except (ValueError, TypeError, OSError) as error:
            raise UsageError(f"cannot load the model: {error}", where=str(model), try_="xpshpc train RUN") from error
        if FEATURE_LAYER not in {layer.name for layer in network.layers}:
            raise UsageError(f"the network has no layer named `{FEATURE_LAYER}`", where=str(model))
        layer = network.get_layer(FEATURE_LAYER)
        self.feature_width = int(np.prod(layer.output.shape[1:]))
        both = keras.Model(network.input, [network.output, layer.output])
        self._batch = batch
        self._answer = tf.function(lambda rows: both(rows, training=False), reduce_retracing=True)

    def predict(self, inputs: NDArray[np.float32]) -> Prediction:
        """The answers to at most `batch` samples, in their order."""
        n = len(inputs)
        if n > self._batch:
            raise ValueError(f"{n} samples in a batch of {self._batch}")
        filling = np.zeros((self._batch - n, *inputs.shape[1:]), np.float32)
        answer, features = self._answer(np.concatenate([inputs, filling]))
        by_name = {name: _numpy(values)[:n] for name, values in answer.items()}
        return Prediction(by_name, _numpy(features)[:n].reshape(n, self.feature_width))


def use_one_thread() -> None:
    """Lets TensorFlow compute with one thread. To be called before its first operation.

    How a sum is split over threads decides its last bit: with one thread a rank, answers do not depend on how many
    ranks share a host's cores.
    """
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def _numpy(tensor: Any) -> NDArray[np.float32]:
    return np.asarray(tensor, dtype=np.float32)
