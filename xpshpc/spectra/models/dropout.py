"""Dropout whose masks belong to a sample and a step, not to a place in one rank's part of a batch. Imports Keras.

Keras' own Dropout draws one mask for the whole batch that it is given, so that two ranks with half a batch each would
drop other units than one rank with all of it. Here the mask of a row is a hash of the row's own spectrum, the step, the
layer and the seed: the same global batches give the same weights on any number of ranks, in any number of parts.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

STEP_VARIABLE = "training_step"
"""Name of the variable from which masks follow. Whoever trains writes the step's number into it before each step."""

_GOLDEN = np.uint64(0x9E3779B1)


class RowDraws(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """A random number (n,), uint32, for each row (n, …) of a network's input: a hash of the row, the step and a seed.

    What is summed are whole numbers, so that no order of summing changes a bit of it.
    """

    def __init__(self, seed: int, **options: Any) -> None:
        # Half precision would not tell one row from another.
        super().__init__(dtype="float32", trainable=False, **options)
        self.seed = seed

    def build(self, input_shape: Any) -> None:
        self.step = self.add_weight(
            shape=(), dtype="int64", initializer="zeros", trainable=False, autocast=False, name=STEP_VARIABLE
        )

    def call(self, rows: Any) -> Any:
        width = rows.shape[1] if len(rows.shape) == 2 else rows.shape[1] * rows.shape[2]
        bits = tf.bitcast(tf.reshape(rows, (-1, width)), tf.uint32)
        row = tf.reduce_sum(_mixed(bits + _words(0, width)), axis=1)
        step = tf.cast(tf.convert_to_tensor(self.step), tf.uint32)
        return _mixed(row + _mixed(step + _mixed(tf.constant(self.seed % 2**32, tf.uint32))))


class RowDropout(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Units (n, d) dropped with a probability while training, and the others scaled up, by draws (n,) of `RowDraws`."""

    def __init__(self, rate: float, stream: int, **options: Any) -> None:
        super().__init__(trainable=False, **options)
        self.rate = rate
        self.stream = stream

    def call(self, units: Any, draws: Any, training: bool = False) -> Any:
        if not training:
            return units
        drawn = _mixed(draws[:, None] + _mixed(_words(self.stream * 2**16, units.shape[1])))
        kept = drawn >= tf.constant(int(self.rate * 2**32), tf.uint32)
        return tf.where(kept, units / (1.0 - self.rate), tf.zeros_like(units))


class DroppingNetwork(keras.Model):  # type: ignore[misc]  # Keras has no types
    """A network that is trained with dropout; what it saves is the network that answers, of Keras' own layers alone."""

    answering: keras.Model

    def save(self, *arguments: Any, **options: Any) -> None:
        """Writes the answering network, which needs no class of this package to be read."""
        self.answering.save(*arguments, **options)


class Dropout:
    """The dropout of one network, at one rate; a rate of 0 leaves everything as if it were not there."""

    def __init__(self, rate: float, spectrum: Any, seed: int) -> None:
        self._rate = rate
        self._spectrum = spectrum
        self._streams = 0
        self._draws = RowDraws(seed, name="row_draws")(spectrum) if rate else None

    def __call__(self, units: Any) -> Any:
        """Units (n, d) with dropout; every call has masks of its own."""
        if self._draws is None:
            return units
        self._streams += 1
        name = f"dropout_{self._streams}"
        return RowDropout(self._rate, self._streams, name=name)(units, self._draws)

    def network(self, answers: dict[str, Any], name: str) -> keras.Model:
        """The network from the spectrum to its answers."""
        network = keras.Model(self._spectrum, answers, name=name)
        if self._draws is None:
            return network
        dropping = DroppingNetwork(self._spectrum, answers, name=name)
        dropping.answering = keras.models.clone_model(
            network, clone_function=lambda layer: layer, call_function=_without_dropout
        )
        return dropping


def _without_dropout(layer: Any, *arguments: Any, **options: Any) -> Any:
    return arguments[0] if isinstance(layer, RowDropout) else layer(*arguments, **options)


def _words(first: int, number: int) -> Any:
    """A word for each of `number` places from `first` on, far apart from one another."""
    return tf.constant((np.arange(first, first + number, dtype=np.uint64) * _GOLDEN).astype(np.uint32))


def _mixed(words: Any) -> Any:
    """Each word's bits spread over all 32 of it, one to one: the finaliser of MurmurHash3 (Appleby, public domain)."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        words = tf.bitwise.bitwise_xor(words, tf.bitwise.right_shift(words, tf.constant(shift, tf.uint32)))
        words *= tf.constant(factor, tf.uint32)
    return tf.bitwise.bitwise_xor(words, tf.bitwise.right_shift(words, tf.constant(16, tf.uint32)))
