"""Samples side by side: what each is made of, and how it is measured."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.plan.seeds import Streams
from xpshpc.spectra.elements import ELEMENT_INDEX, ELEMENTS
from xpshpc.spectra.materials import mix
from xpshpc.spectra.settings import Instrument, Samples


class Purpose(IntEnum):
    """What a random stream of a sample is for."""

    COMPOSITION = 1
    SHIFTS = 2
    INSTRUMENT = 3
    NOISE = 4


@dataclass(frozen=True)
class SampleBatch:
    """`n` samples of at most `k` elements under an overlayer of `m` elements.

    `elements` (n, k): places in ELEMENTS; `fractions` (n, k): atomic fractions, 0 where a place is unused; `shifts`
    (n, k) and `overlayer_shifts` (n, m): shifts of an element's lines towards higher binding energy, eV; `overlayer_A`
    (n,): thickness; `peak_counts`, `analyser_fwhm_eV`, `transmission_exponent`, `detector_background`: (n,).
    `index` (n,) chooses the noise.

    Of the material below the overlayer, (n,): `density_g_cm3`, `band_gap_eV`, and `loss`, the place of its loss
    function in LOSS_FUNCTIONS. `charging_shift_eV` (n,) moves all lines to higher binding energy, `background_scale` (n,)
    multiplies the inelastic background.
    """

    index: NDArray[np.int64]
    elements: NDArray[np.intp]
    fractions: NDArray[np.float64]
    shifts: NDArray[np.float64]
    overlayer_A: NDArray[np.float64]
    overlayer_shifts: NDArray[np.float64]
    peak_counts: NDArray[np.float64]
    analyser_fwhm_eV: NDArray[np.float64]
    transmission_exponent: NDArray[np.float64]
    detector_background: NDArray[np.float64]
    density_g_cm3: NDArray[np.float64]
    band_gap_eV: NDArray[np.float64]
    loss: NDArray[np.intp]
    charging_shift_eV: NDArray[np.float64]
    background_scale: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, rows: slice) -> SampleBatch:
        chosen: dict[str, Any] = {field.name: getattr(self, field.name)[rows] for field in fields(self)}
        return SampleBatch(**chosen)

    def composition(self) -> NDArray[np.float32]:
        """Atomic fractions over ELEMENTS, (n, 80)."""
        composition = np.zeros((len(self), len(ELEMENTS)), dtype=np.float32)
        rows = np.arange(len(self))
        for place in range(self.elements.shape[1]):
            np.add.at(composition, (rows, self.elements[:, place]), self.fractions[:, place].astype(np.float32))
        return composition


def draw_batch(
    samples: Samples, instrument: Instrument, overlayer_elements: int, streams: Streams, indices: NDArray[np.int64]
) -> SampleBatch:
    """The samples of these indices: each depends on the seed and its own index alone.

    Numbers are rounded to float32 as they are stored, so that a stored sample can be made again exactly.
    """
    most = samples.elements_per_sample[1]
    uniform = streams.uniform(indices, Purpose.COMPOSITION, 2 * most + 2)
    low, high = samples.elements_per_sample
    count = low + np.floor(uniform[:, 0] * (high - low + 1)).astype(np.intp)
    pool = np.array([ELEMENT_INDEX[symbol] for symbol in samples.elements], dtype=np.intp)
    elements = pool[_choose_distinct(uniform[:, 2 : 2 + most], len(pool))]
    ratios = 1.0 + np.floor(uniform[:, 2 + most :] * samples.largest_ratio)
    ratios[np.arange(most)[None, :] >= count[:, None]] = 0.0
    fractions = (ratios / ratios.sum(axis=1, keepdims=True)).astype(np.float32)
    shifts = 2.0 * streams.uniform(indices, Purpose.SHIFTS, most + overlayer_elements) - 1.0
    device = streams.uniform(indices, Purpose.INSTRUMENT, 6)
    counts_low, counts_high = np.log(instrument.peak_counts)
    exact = fractions.astype(np.float64)
    return SampleBatch(
        index=indices,
        elements=elements,
        fractions=exact,
        density_g_cm3=_stored(mix(elements, exact).density),
        band_gap_eV=np.zeros(len(indices)),
        loss=np.zeros(len(indices), dtype=np.intp),
        charging_shift_eV=_stored(_between(instrument.charging_shift_eV, device[:, 4])),
        background_scale=_stored(_between(instrument.background_scale, device[:, 5])),
        shifts=_stored(samples.chemical_shift_eV * shifts[:, :most]),
        overlayer_A=_stored(_between(samples.overlayer_A, uniform[:, 1])),
        overlayer_shifts=_stored(samples.overlayer_shift_eV * shifts[:, most:]),
        peak_counts=_stored(np.exp(counts_low + (counts_high - counts_low) * device[:, 0])),
        analyser_fwhm_eV=_stored(_between(instrument.analyser_fwhm_eV, device[:, 1])),
        transmission_exponent=_stored(_between(instrument.transmission_exponent, device[:, 2])),
        detector_background=_stored(_between(instrument.detector_background, device[:, 3])),
    )


def _between(bounds: tuple[float, float], uniform: NDArray[np.float64]) -> NDArray[np.float64]:
    return bounds[0] + (bounds[1] - bounds[0]) * uniform


def _stored(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values.astype(np.float32).astype(np.float64)


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
