"""What every network ends in: fractions that sum to 1, and a thickness that is not negative."""

from __future__ import annotations

from typing import Any


def answer_heads(features: Any, elements: int, thickness_scale_A: float, seed: int) -> dict[str, Any]:
    """The outputs `composition` (n, elements) and `overlayer_thickness` (n,) in Å, from a features tensor (n, d).

    The thickness is a softplus times its scale: the weights before it stay of the order of one, whatever the unit.
    """
    import keras

    composition = keras.layers.Dense(
        elements,
        activation="softmax",
        kernel_initializer=initialiser("glorot_uniform", seed, 101),
        name="composition",
    )(features)
    thickness = keras.layers.Dense(
        1, activation="softplus", kernel_initializer=initialiser("glorot_uniform", seed, 102), name="thickness"
    )(features)
    thickness = keras.layers.Rescaling(thickness_scale_A, name="thickness_A")(thickness)
    thickness = keras.layers.Reshape((), name="overlayer_thickness")(thickness)
    return {"composition": composition, "overlayer_thickness": thickness}


def initialiser(name: str, seed: int, layer: int) -> Any:
    """A Keras initialiser with a stream of its own for each layer of a seed."""
    import keras

    kinds = {"he_normal": keras.initializers.HeNormal, "glorot_uniform": keras.initializers.GlorotUniform}
    return kinds[name](seed=(seed * 1009 + layer) % 2**31)
