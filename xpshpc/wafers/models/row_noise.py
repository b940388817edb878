"""Noise and dropout whose draws belong to a row, not to its place in one rank's part of a batch. Imports Keras.

Each row brings a number of its own, a whole one that single precision holds; what is drawn for the row is a hash of
that number and of the place within the row. The same rows see the same noise on any number of ranks.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

_GOLDEN = np.uint64(0x9E3779B1)


class RowNoise(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Images (n, h, w, 1) with normal noise of each row's own strength (n,) while training, by draws (n,).

    Noise on what is real and on what is not keeps both apart by less than a discriminator can be sure of (Sønderby et
    al. 2017, arXiv:1610.04490).
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(trainable=False, **options)

    def call(self, images: Any, draws: Any, strengths: Any, training: bool = False) -> Any:
        if not training:
            return images
        pixels = images.shape[1] * images.shape[2]
        radius, angle = _uniform(draws, 0, pixels), _uniform(draws, pixels, pixels)
        normal = tf.sqrt(-2.0 * tf.math.log(radius)) * tf.cos(2.0 * math.pi * angle)
        return images + strengths[:, None, None, None] * tf.reshape(normal, tf.shape(images))


class RowDropout(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Units (n, d) dropped with a probability while training, and the others scaled up, by draws (n,)."""

    def __init__(self, rate: float, **options: Any) -> None:
        super().__init__(trainable=False, **options)
        self.rate = rate

    def call(self, units: Any, draws: Any, training: bool = False) -> Any:
        if not training:
            return units
        # Far from the places that the noise of an image takes.
        kept = _uniform(draws, 2**24, units.shape[1]) >= self.rate
        return tf.where(kept, units / (1.0 - self.rate), tf.zeros_like(units))


def _uniform(draws: Any, first: int, number: int) -> Any:
    """Numbers inside (0, 1), (n, number), for the places from `first` on in each row."""
    places = (np.arange(first, first + number, dtype=np.uint64) * _GOLDEN).astype(np.uint32)
    words = _mixed(_mixed(tf.cast(draws, tf.uint32))[:, None] + tf.constant(places))
    return (tf.cast(tf.bitwise.right_shift(words, tf.constant(9, tf.uint32)), tf.float32) + 0.5) * 2.0**-23


def _mixed(words: Any) -> Any:
    """Each word's bits spread over all 32 of it, one to one: the finaliser of MurmurHash3 (Appleby, public domain)."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        words = tf.bitwise.bitwise_xor(words, tf.bitwise.right_shift(words, tf.constant(shift, tf.uint32)))
        words *= tf.constant(factor, tf.uint32)
    return tf.bitwise.bitwise_xor(words, tf.bitwise.right_shift(words, tf.constant(16, tf.uint32)))
