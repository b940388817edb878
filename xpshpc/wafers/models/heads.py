"""What networks have in common: first weights by seed, and the probability of each class in which classifiers end."""

from __future__ import annotations

from typing import Any, Literal

CLASS = "class"
"""Name of the answer, and of the truth it is compared with."""


def class_head(features: Any, classes: int, seed: int) -> dict[str, Any]:
    """Probabilities (n, classes) from features (n, d), by the answer's name."""
    import keras

    probabilities = keras.layers.Dense(
        classes,
        activation="softmax",
        kernel_initializer=initialiser("glorot_uniform", seed, 101),
        dtype="float32",
        name=CLASS,
    )(features)
    return {CLASS: probabilities}


def initialiser(name: Literal["he_normal", "glorot_uniform"], seed: int, layer: int) -> Any:
    """A Keras initialiser with a stream of its own for each layer of a seed."""
    import keras

    kinds = {"he_normal": keras.initializers.HeNormal, "glorot_uniform": keras.initializers.GlorotUniform}
    return kinds[name](seed=(seed * 1009 + layer) % 2**31)
