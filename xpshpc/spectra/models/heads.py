"""What every network ends in: fractions that sum to 1, how far they may be wrong, and a thickness not below zero."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from xpshpc.config import Section
from xpshpc.spectra.learning.names import COMPOSITION, SPREAD, THICKNESS

SMALLEST_SPREAD = 1e-4
"""Atomic fraction, 0.01 at.%: the least error that a network may expect of itself."""

_FIRST_SPREAD = -4.0
_SPREAD_UNITS = 128
_FIRST_AMOUNT = -2.0
_LEAST_AMOUNT = 1e-7


class Answers(Section):
    """What all networks' parameters have in common: how they answer."""

    composition: Literal["softmax", "amounts"] = Field(
        "softmax",
        description="softmax: exponentials of the last layer over their sum; amounts: an amount of each element, not "
        "below zero, over the sum of all amounts, as fractions follow from peak areas",
    )


def answer_heads(features: Any, answers: Answers, elements: int, thickness_scale_A: float, seed: int) -> dict[str, Any]:
    """All answers, each from the features tensor (n, d) by itself: see the three heads."""
    composition = composition_head(features, answers, elements, seed)
    _, thickness = thickness_head(features, thickness_scale_A, seed)
    return {COMPOSITION: composition, THICKNESS: thickness, SPREAD: spread_head(features, composition, seed)}


def composition_head(features: Any, answers: Answers, elements: int, seed: int) -> Any:
    """Atomic fractions (n, elements) that sum to 1.

    Areas of peaks are proportional to amounts, and fractions are amounts over their sum: with `amounts` the last layer
    has only the amounts to learn, where a softmax has to be handed their logarithms.
    """
    import keras

    amounts = answers.composition == "amounts"
    last = keras.layers.Dense(
        elements,
        activation="softplus" if amounts else "softmax",
        kernel_initializer=initialiser("glorot_uniform", seed, 101),
        bias_initializer=keras.initializers.Constant(_FIRST_AMOUNT if amounts else 0.0),
        dtype="float32",
        name="amounts" if amounts else COMPOSITION,
    )(features)
    if not amounts:
        return last
    last = last + _LEAST_AMOUNT
    shares = last / keras.ops.sum(last, axis=-1, keepdims=True)
    return keras.layers.Identity(dtype="float32", name=COMPOSITION)(shares)


def thickness_head(features: Any, thickness_scale_A: float, seed: int) -> tuple[Any, Any]:
    """The overlayer's thickness in units of its scale, (n, 1), and in Å, (n,).

    It is a softplus times the scale: the weights before it stay of the order of one, whatever the unit.
    """
    import keras

    relative = keras.layers.Dense(
        1,
        activation="softplus",
        kernel_initializer=initialiser("glorot_uniform", seed, 102),
        dtype="float32",
        name="thickness",
    )(features)
    thickness = keras.layers.Rescaling(thickness_scale_A, dtype="float32", name="thickness_A")(relative)
    return relative, keras.layers.Reshape((), dtype="float32", name=THICKNESS)(thickness)


def spread_head(features: Any, composition: Any, seed: int) -> Any:
    """The expected absolute error of each fraction, (n, elements), from features (n, d) and the fractions themselves.

    No gradient leaves this head: what the network answers is learned as if it were not there, but for its share
    in the norm that a gradient clip looks at.
    """
    import keras

    elements = composition.shape[1]
    known = keras.layers.Concatenate(dtype="float32", name="spread_input")(
        [keras.ops.stop_gradient(features), keras.ops.stop_gradient(composition)]
    )
    hidden = keras.layers.Dense(
        _SPREAD_UNITS,
        activation="relu",
        kernel_initializer=initialiser("he_normal", seed, 103),
        dtype="float32",
        name="spread_hidden",
    )(known)
    spread = keras.layers.Dense(
        elements,
        activation="softplus",
        kernel_initializer=initialiser("glorot_uniform", seed, 104),
        bias_initializer=keras.initializers.Constant(_FIRST_SPREAD),
        dtype="float32",
        name="spread",
    )(hidden)
    return keras.layers.Rescaling(1.0, offset=SMALLEST_SPREAD, dtype="float32", name=SPREAD)(spread)


def initialiser(name: str, seed: int, layer: int) -> Any:
    """A Keras initialiser with a stream of its own for each layer of a seed."""
    import keras

    kinds = {"he_normal": keras.initializers.HeNormal, "glorot_uniform": keras.initializers.GlorotUniform}
    return kinds[name](seed=(seed * 1009 + layer) % 2**31)
