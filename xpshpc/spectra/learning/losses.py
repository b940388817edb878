"""Losses of single samples, as TensorFlow tensors.

t is the true fraction of an element, y the answer, w how much the element counts: less for what the spectrum cannot
show, 1 where nothing else is said. A mean runs over the elements.
"""

from __future__ import annotations

from typing import Any

from xpshpc.spectra.learning.task import LossName

_TINY = 1e-12
_ABSOLUTE = 8.0
"""Weight of the absolute error beside the entropy: between 4 and 16, whose accuracies differed by less than 0.1 %."""


def composition_loss(name: LossName, truth: Any, answer: Any, weight: Any | None) -> Any:
    """Loss of fractions (n, elements) against the truth, (n,); `weight` (n, elements) is each element's, None for 1.

    rmse: √(mean w(y−t)²). mae: mean w|y−t|, with w = 1 what the accuracy lacks to 1, times 2/elements. weighted_square:
    Σ w t²(t−y)², as in the open SESSA studies of random materials: it sees present elements alone, and leaves it to the
    sum of 1 to keep the others down. cross_entropy: −Σ w t ln y (Good, 10.1111/j.2517-6161.1952.tb00104.x), least where
    y = t, but not zero there. cross_entropy_mae: −Σ w t ln y + 8 Σ w|y−t|: the entropy leads there from any beginning,
    which the absolute error alone does not where most fractions are zero; that one decides at the end, where its slope
    stays.
    """
    import tensorflow as tf

    apart = answer - truth
    if name == "rmse":
        return tf.sqrt(tf.reduce_mean(_counted(tf.square(apart), weight), axis=-1) + _TINY)
    if name == "mae":
        return tf.reduce_mean(_counted(tf.abs(apart), weight), axis=-1)
    if name == "weighted_square":
        return tf.reduce_sum(_counted(tf.square(truth * apart), weight), axis=-1)
    entropy = -tf.reduce_sum(_counted(truth * tf.math.log(answer + _TINY), weight), axis=-1)
    if name == "cross_entropy":
        return entropy
    return entropy + _ABSOLUTE * tf.reduce_sum(_counted(tf.abs(apart), weight), axis=-1)


def thickness_loss(truth: Any, answer: Any, scale_A: float) -> Any:
    """|y−t| of thicknesses in Å, (n,) or (n, 1), in units of `scale_A`; (n,)."""
    import tensorflow as tf

    return tf.abs(tf.reshape(answer, [-1]) - tf.reshape(truth, [-1])) / scale_A


def spread_loss(truth: Any, answer: Any, spread: Any, smallest: float) -> Any:
    """How badly `spread` (n, elements) foretells the errors of the answer, (n,): mean ln(b/b₀) + |y−t|/b.

    It is the negative logarithm of Laplace's density with scale b, the expected absolute error, counted from the
    smallest scale b₀ a network can answer, so that it is never below zero (Kendall and Gal, arXiv:1703.04977, with an
    absolute error for a square). The error is taken as given: no gradient goes through it.
    """
    import tensorflow as tf

    error = tf.stop_gradient(tf.abs(answer - truth))
    return tf.reduce_mean(tf.math.log(spread / smallest) + error / spread, axis=-1)


def _counted(values: Any, weight: Any | None) -> Any:
    return values if weight is None else values * weight
