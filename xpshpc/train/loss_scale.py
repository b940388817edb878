"""Loss scaling: float16 gradients that neither vanish nor overflow (Micikevicius et al. 2018, arXiv:1710.03740)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

FIRST, SMALLEST, LARGEST = 2.0**15, 1.0, 2.0**40
GROWS_AFTER = 2000
"""Sound steps after which the scale is doubled."""


class LossScale:
    """A factor on the loss, halved when gradients overflow and doubled after many sound steps.

    It follows the reduced gradients, which are the same on every rank: so is the scale, and so are the steps that it
    leaves out. All factors are powers of two, and change no digit of a gradient.
    """

    def __init__(self) -> None:
        self._scale = keras.Variable(np.float32(FIRST), dtype="float32", trainable=False, name="loss_scale")
        self._sound_steps = keras.Variable(np.int32(0), dtype="int32", trainable=False, name="sound_steps")

    @property
    def variables(self) -> list[Any]:
        return [self._scale, self._sound_steps]

    def enlarge(self, loss: Any) -> Any:
        """The loss to differentiate."""
        return loss * self._scale.value

    def restore(self, gradients: Sequence[Any]) -> list[Any]:
        """The gradients of the loss itself."""
        return [gradient / self._scale.value for gradient in gradients]

    def settle(self, finite: Any) -> Any:
        """Takes in whether the reduced gradients were finite; whether they were not because of the scale, a tensor.

        At the smallest scale there is nothing left to halve: then the gradient itself is at fault.
        """
        scale, sound = self._scale.value, self._sound_steps.value
        overflowed = tf.logical_not(finite) & (scale > SMALLEST)
        sound_steps = tf.where(finite, sound + 1, 0)
        grows = sound_steps >= GROWS_AFTER
        changed = tf.where(finite, tf.where(grows, scale * 2, scale), scale / 2)
        self._scale.assign(tf.clip_by_value(changed, SMALLEST, LARGEST))
        self._sound_steps.assign(tf.where(grows, 0, sound_steps))
        return overflowed
