"""Losses of single samples, as TensorFlow tensors."""

from __future__ import annotations

from typing import Any

from xpshpc.spectra.learning.task import LossName

_TINY = 1e-12


def composition_loss(name: LossName, truth: Any, answer: Any, weight: Any | None) -> Any:
    """Loss of fractions (n, elements) against the truth, (n,); `weight` (n, elements) is each element's, None for 1.

    rmse: the root of the mean square over the elements.
    """
    import tensorflow as tf

    squares = tf.math.squared_difference(answer, truth)
    if weight is not None:
        squares *= weight
    return tf.sqrt(tf.reduce_mean(squares, axis=-1) + _TINY)
