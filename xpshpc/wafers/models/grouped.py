"""Layers that look at a few rows of a batch at a time, whoever holds the other rows. Imports Keras.

What Keras takes from a whole batch would be a rank's own part of it here, and networks would depend on how many ranks
train them. These layers take it from groups of neighbouring rows: where every rank holds whole groups, each group is
the same for any number of ranks.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


class GroupedBatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]  # Keras has no types
    """Batch normalisation over groups of `group` rows (ghost batch norm, Hoffer et al. 2017, arXiv:1705.08741).

    When it answers it is Keras' own layer: it uses the moving mean and variance, here of the groups' means and
    variances. They are linear in those of the groups, so that averaging them over ranks gives what one rank would hold.
    A discriminator `always` looks at groups: real images and fakes differ so much that what is in between fits neither.
    """

    def __init__(self, group: int, *, always: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.group = group
        self.always = always

    def call(self, inputs: Any, training: bool = False, mask: Any = None) -> Any:
        if not training and not self.always:
            return super().call(inputs, training=False)
        shape = tf.shape(inputs)
        grouped = tf.reshape(inputs, tf.concat([[-1, self.group], shape[1:]], 0))
        mean, variance = tf.nn.moments(grouped, list(range(1, len(inputs.shape))), keepdims=True)
        normal = (grouped - mean) * tf.math.rsqrt(variance + self.epsilon) * self.gamma + self.beta
        moving_ones = () if self.always else ((self.moving_mean, mean), (self.moving_variance, variance))
        for moving, found in moving_ones:
            per_channel = tf.reduce_mean(tf.reshape(found, (-1, inputs.shape[-1])), axis=0)
            moving.assign(self.momentum * moving + (1 - self.momentum) * per_channel)
        return tf.reshape(normal, shape)


class GroupSpread(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """One more channel: how far the rows (n, h, w, c) of a group are from one another, averaged over all else.

    A discriminator that sees it notices fakes that are all alike (Karras et al. 2018, arXiv:1710.10196).
    """

    def __init__(self, group: int, **options: Any) -> None:
        super().__init__(trainable=False, **options)
        self.group = group

    def call(self, inputs: Any) -> Any:
        shape = tf.shape(inputs)
        grouped = tf.reshape(inputs, tf.concat([[-1, self.group], shape[1:]], 0))
        # The root of a variance of nothing has no gradient.
        deviation = tf.sqrt(tf.math.reduce_variance(grouped, axis=1) + 1e-8)
        spread = tf.repeat(tf.reduce_mean(deviation, axis=[1, 2, 3]), self.group)
        channel = tf.broadcast_to(spread[:, None, None, None], tf.concat([shape[:3], [1]], 0))
        return tf.concat([inputs, channel], axis=-1)
