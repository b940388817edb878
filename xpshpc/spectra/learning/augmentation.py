"""Training spectra changed on the fly, by draws that depend only on their place in the training's order.

Blocks of rows, at fixed places of the global batch, are drawn for and changed as a whole; each rank cuts its rows out
of the blocks that they touch. So any number of ranks sees the same spectra, to the last bit.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.domain import Place
from xpshpc.spectra.learning.task import Augmentation

BLOCK_ROWS = 16
_DRAWS = ("dose", "shift", "gain", "height", "middle", "width")
"""Uniform numbers of each row. All are always drawn, so that a change switched off leaves the others as they were."""

_STEP_WIDTHS = (0.02, 0.5)
"""Narrowest and widest step of the background, as a share of the axis: from an inelastic step to nearly a slope."""


def augment(spectra: NDArray[Any], settings: Augmentation, step_eV: float, place: Place) -> NDArray[Any]:
    """Spectra (n, channels) in counts, changed as the settings say; `step_eV` is the width of a channel.

    Without settings they are returned as they are. Else the answer is float32, never negative, and what is not finite
    stays so. The changes come in the order of an instrument: energy, gain, background, and counting last.
    """
    if settings == Augmentation():
        return spectra
    seeds = np.random.SeedSequence((place.seed, place.epoch, place.step)).generate_state(2, np.uint64).view(np.int64)
    block, skipped = divmod(place.first, BLOCK_ROWS)
    rows = len(spectra)
    missing = -(skipped + rows) % BLOCK_ROWS
    if skipped or missing:
        spectra = np.pad(spectra, ((skipped, missing), (0, 0)))
    changed: NDArray[np.float32] = _compiled(settings, step_eV)(spectra, seeds, np.int64(block)).numpy()
    return changed[skipped : skipped + rows]


@lru_cache(maxsize=8)
def _compiled(settings: Augmentation, step_eV: float) -> Any:
    """The changes as one TensorFlow function of whole blocks of spectra, two seeds and the first block's number."""
    import tensorflow as tf

    def change(spectra: Any, seeds: Any, block: Any) -> Any:
        with tf.device("/cpu:0"):
            rows, channels = spectra.shape

            def draw(generator: Any, seed: Any, columns: int) -> Any:
                blocks = range(rows // BLOCK_ROWS)
                drawn = [generator((BLOCK_ROWS, columns), tf.stack([seed, block + number])) for number in blocks]
                return tf.concat(drawn, axis=0)

            uniform = draw(tf.random.stateless_uniform, seeds[0], len(_DRAWS))
            row = {name: uniform[:, number, tf.newaxis] for number, name in enumerate(_DRAWS)}
            along = tf.linspace(0.0, 1.0, channels)
            counts = _without_negatives(tf.cast(spectra, tf.float32))
            strongest = tf.reduce_max(counts, axis=1, keepdims=True)
            if settings.shift_eV:
                counts = _shift(counts, (2 * row["shift"] - 1) * (settings.shift_eV / step_eV))
            if settings.gain:
                counts *= 1 + settings.gain * (2 * row["gain"] - 1) * (along - 0.5)
            if settings.background:
                narrow, wide = _STEP_WIDTHS
                width = narrow * (wide / narrow) ** row["width"]
                step = tf.sigmoid((row["middle"] - along) / width)
                counts += settings.background * row["height"] * strongest * step
            if settings.dose is not None:
                low, high = settings.dose
                dose = low * (high / low) ** row["dose"]
                counts = _count(counts, dose, draw(tf.random.stateless_normal, seeds[1], channels))
            return counts

    return tf.function(change)


def _shift(counts: Any, by: Any) -> Any:
    """Each spectrum moved up its axis by so many channels, (n, 1), its end values repeated.

    Catmull-Rom interpolation: it keeps straight lines and broadens lines of a few channels by less than linear
    interpolation does. Where it would swing below zero it gives zero.
    """
    import tensorflow as tf

    channels = counts.shape[1]
    whole = tf.floor(-by)
    t = -by - whole
    places = tf.range(-1, channels + 2) + tf.cast(whole, tf.int32)
    near = tf.gather(counts, tf.clip_by_value(places, 0, channels - 1), batch_dims=1)
    weights = (
        t * (t * (2 - t) - 1) / 2,
        (t * t * (3 * t - 5) + 2) / 2,
        t * (t * (4 - 3 * t) + 1) / 2,
        t * t * (t - 1) / 2,
    )
    moved = tf.add_n([weight * near[:, tap : tap + channels] for tap, weight in enumerate(weights)])
    return _without_negatives(moved)


def _count(counts: Any, dose: Any, normal: Any) -> Any:
    """The shot noise of a measurement with `dose` (n, 1) counts in the strongest channel, beside what is there already.

    A number m of expected counts becomes (√(m − ¼) + z/2)², z normal; below ¼ it becomes m·z². It has the mean m and
    the variance m − ⅛ (2m² below ¼) of nearly a Poisson number, is never negative, and costs a third of drawing one.
    """
    import tensorflow as tf

    strongest = tf.reduce_max(counts, axis=1, keepdims=True)
    unit = tf.where(strongest == 0, 1.0, strongest) / dose
    expected = counts / unit
    moved = tf.minimum(expected, 0.25)
    return unit * tf.square(tf.sqrt(expected - moved) + tf.sqrt(moved) * normal)


def _without_negatives(values: Any) -> Any:
    """Zero in the place of negative values; unlike a maximum with zero it surely keeps NaN."""
    import tensorflow as tf

    return tf.where(values < 0, 0.0, values)
