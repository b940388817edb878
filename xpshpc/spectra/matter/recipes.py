"""What random samples are made of: elements in random ratios, or real compounds, by the sample's index alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache

import numpy as np
from numpy.typing import NDArray

from xpshpc.plan.seeds import Streams
from xpshpc.spectra.elements import ELEMENT_INDEX, ELEMENTS
from xpshpc.spectra.matter.compounds import choose_compounds, compound_compositions, compounds
from xpshpc.spectra.matter.materials import atomic_data, mix
from xpshpc.spectra.settings import Samples
from xpshpc.spectra.transport.loss_functions import LOSS_FUNCTIONS, natural_loss

_WITH_OWN_LOSS = ("Al", "C", "Ge", "Si")
"""A material with none of these elements has the universal loss function."""


class Purpose(IntEnum):
    """What a random stream of a sample is for."""

    COMPOSITION = 1
    SHIFTS = 2
    INSTRUMENT = 3
    NOISE = 4


@dataclass(frozen=True)
class Parts:
    """What is mixed into samples: `chosen` (n, m) places in the pool, `shares` (n, m) of the atoms, 0: not used."""

    chosen: NDArray[np.intp]
    shares: NDArray[np.float64]


@dataclass(frozen=True)
class Matter:
    """Samples' material: `elements` and atomic `fractions` (n, k), `density_g_cm3`, `band_gap_eV`, `loss` (n,).

    `loss` is a place in LOSS_FUNCTIONS. No element stands in two used places of a sample.
    """

    elements: NDArray[np.intp]
    fractions: NDArray[np.float64]
    density_g_cm3: NDArray[np.float64]
    band_gap_eV: NDArray[np.float64]
    loss: NDArray[np.intp]


@dataclass(frozen=True)
class CompoundPool:
    """Compounds to draw from: `place` in the list of all, mean atomic `mass` (g/mol), density, gap, loss, each (c,)."""

    place: NDArray[np.intp]
    mass: NDArray[np.float64]
    density_g_cm3: NDArray[np.float64]
    band_gap_eV: NDArray[np.float64]
    loss: NDArray[np.intp]


@cache
def compound_pool(words: tuple[str, ...], elements: tuple[str, ...]) -> CompoundPool:
    """The compounds that these names or kinds choose among those made of these elements."""
    place = choose_compounds(words, elements)
    chosen = [compounds()[row] for row in place]
    return CompoundPool(
        place,
        compound_compositions()[place] @ atomic_data().mass,
        np.array([compound.density_g_cm3 for compound in chosen]),
        np.array([compound.band_gap_eV for compound in chosen]),
        np.array([LOSS_FUNCTIONS.index(natural_loss(compound.fractions)) for compound in chosen], dtype=np.intp),
    )


def draw_matter(samples: Samples, streams: Streams, indices: NDArray[np.int64]) -> Matter:
    """The materials of the samples of these indices."""
    if samples.recipe == "compounds":
        return _mix_compounds(samples, streams, indices)
    pool = np.array([ELEMENT_INDEX[symbol] for symbol in samples.elements], dtype=np.intp)
    parts = _draw_parts(samples.elements_per_sample, len(pool), samples.largest_ratio, streams, indices)
    elements, fractions = pool[parts.chosen], as_stored(parts.shares)
    density = mix(elements, fractions).density
    return Matter(elements, fractions, density, np.zeros(len(indices)), natural_losses(elements, fractions))


def draw_compounds(samples: Samples, streams: Streams, indices: NDArray[np.int64]) -> NDArray[np.intp]:
    """Places in the list of compounds of what the samples are mixed of, (n, most compounds); -1: none."""
    pool, parts = _draw_compound_parts(samples, streams, indices)
    return np.where(parts.shares > 0.0, pool.place[parts.chosen], -1)


def natural_losses(elements: NDArray[np.intp], fractions: NDArray[np.float64]) -> NDArray[np.intp]:
    """The loss functions that suit compositions (n, k), as places in LOSS_FUNCTIONS, (n,)."""
    own = np.isin(elements, [ELEMENT_INDEX[symbol] for symbol in _WITH_OWN_LOSS]) & (fractions > 0.0)
    losses = np.zeros(len(elements), dtype=np.intp)
    for row in np.flatnonzero(own.any(axis=1)):
        shares = {ELEMENTS[place]: share for place, share in zip(elements[row], fractions[row], strict=True) if share}
        losses[row] = LOSS_FUNCTIONS.index(natural_loss(shares))
    return losses


def as_stored(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values rounded to float32, as they are stored, so that a stored sample can be made again exactly."""
    return values.astype(np.float32).astype(np.float64)


def _mix_compounds(samples: Samples, streams: Streams, indices: NDArray[np.int64]) -> Matter:
    """Compounds side by side: volumes add up, the gap is the atoms' mean, the commonest compound sets the losses."""
    pool, parts = _draw_compound_parts(samples, streams, indices)
    whole = (parts.shares[:, :, None] * compound_compositions()[pool.place[parts.chosen]]).sum(axis=1)
    elements = np.argsort(whole == 0.0, axis=1, kind="stable")[:, : samples.places]
    mass = parts.shares * pool.mass[parts.chosen]
    commonest = parts.chosen[np.arange(len(indices)), parts.shares.argmax(axis=1)]
    return Matter(
        elements,
        as_stored(np.take_along_axis(whole, elements, axis=1)),
        mass.sum(axis=1) / (mass / pool.density_g_cm3[parts.chosen]).sum(axis=1),
        (parts.shares * pool.band_gap_eV[parts.chosen]).sum(axis=1),
        pool.loss[commonest],
    )


def _draw_compound_parts(samples: Samples, streams: Streams, indices: NDArray[np.int64]) -> tuple[CompoundPool, Parts]:
    pool = compound_pool(samples.compounds, samples.elements)
    numbers = samples.compounds_per_sample
    return pool, _draw_parts(numbers, len(pool.place), samples.largest_ratio, streams, indices)


def _draw_parts(
    numbers: Sequence[int], pool: int, largest_ratio: int, streams: Streams, indices: NDArray[np.int64]
) -> Parts:
    """Between `numbers` distinct members of a pool in whole-number ratios, all equally likely."""
    low, most = numbers
    uniform = streams.uniform(indices, Purpose.COMPOSITION, 2 * most + 2)
    count = low + np.floor(uniform[:, 0] * (most - low + 1)).astype(np.intp)
    ratios = 1.0 + np.floor(uniform[:, 2 + most :] * largest_ratio)
    ratios[np.arange(most)[None, :] >= count[:, None]] = 0.0
    chosen = _choose_distinct(uniform[:, 2 : 2 + most], pool)
    return Parts(chosen, ratios / ratios.sum(axis=1, keepdims=True))


def _choose_distinct(uniform: NDArray[np.float64], size: int) -> NDArray[np.intp]:
    """Distinct numbers below `size`, one for each column, equally likely; each row by its own uniform numbers."""
    rows, columns = uniform.shape
    chosen = np.empty((rows, columns), dtype=np.intp)
    for column in range(columns):
        pick = np.floor(uniform[:, column] * (size - column)).astype(np.intp)
        for earlier in np.sort(chosen[:, :column], axis=1).T:
            pick += pick >= earlier
        chosen[:, column] = pick
    return chosen
