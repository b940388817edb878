"""Gradients in half precision while they travel between ranks: half the bytes, at three digits. Imports TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from xpshpc.cluster.communicator import GradientCommunicator

LARGEST_SENT = 10
"""The power of two to which the largest sum of a tensor is brought: 32 times below float16's end, for what grows from
step to step and what cancels in the sum, and 2²⁴ above the smallest number that keeps all digits."""

_EXPONENT_BITS, _BIAS = 23, 127
_STRONGEST_SCALE = 40


class HalfPrecisionWire:
    """Sums gradients over ranks in float16, each tensor brought to float16's range by a power of two of its own.

    The powers follow from the last step's sums, which are the same on every rank: they cost no message. A step that
    overflows all the same, as the first one does, of which nothing is known, travels again in float32: no step is
    lost, and what is not finite arrives as it is.
    """

    def __init__(self, ranks: GradientCommunicator, tensors: int) -> None:
        self._ranks = ranks
        # Infinite: the first step overflows for certain, and travels in float32.
        first = np.full(tensors, np.inf, np.float32)
        self._scales = keras.Variable(first, dtype="float32", trainable=False, name="wire_scales")

    @property
    def variables(self) -> list[Any]:
        return [self._scales]

    def reduce(self, gradients: Sequence[Any]) -> list[Any]:
        """The sums over ranks, in float32 and the same on every rank; inside a `tf.function`."""
        if self._ranks.size == 1:
            return list(gradients)
        scales = tf.unstack(self._scales.value, num=len(gradients))
        sent = [tf.cast(gradient * scale, tf.float16) for gradient, scale in zip(gradients, scales, strict=True)]
        arrived = [tf.cast(total, tf.float32) for total in self._ranks.reduce_gradients(sent)]
        fits = _all_finite(arrived)
        sums: list[Any] = tf.cond(
            fits,
            lambda: [total / scale for total, scale in zip(arrived, scales, strict=True)],
            lambda: self._ranks.reduce_gradients(gradients),
        )
        largest = tf.stack([tf.reduce_max(tf.abs(total)) for total in sums])
        self._scales.assign(tf.where(_all_finite(sums), scale_to(largest), self._scales.value))
        return list(sums)


def scale_to(largest: Any) -> Any:
    """For each number the power of two that brings it to between 2^`LARGEST_SENT` and twice that, as far as allowed.

    It is made of the number's own exponent bits: a logarithm could differ in its last bit from host to host, and ranks
    with different scales would not hold the same sums.
    """
    exponent = tf.bitwise.right_shift(tf.bitcast(largest, tf.int32), _EXPONENT_BITS)
    wanted = 2 * _BIAS + LARGEST_SENT - exponent
    allowed = tf.clip_by_value(wanted, _BIAS - _STRONGEST_SCALE, _BIAS + _STRONGEST_SCALE)
    return tf.bitcast(tf.bitwise.left_shift(allowed, _EXPONENT_BITS), tf.float32)


def _all_finite(tensors: Sequence[Any]) -> Any:
    return tf.reduce_all(tf.stack([tf.reduce_all(tf.math.is_finite(tensor)) for tensor in tensors]))
