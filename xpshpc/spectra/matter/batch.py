"""Samples side by side: what each is made of, and how it is measured."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xpshpc.plan.seeds import Streams
from xpshpc.spectra.elements import ELEMENTS
from xpshpc.spectra.matter.recipes import Purpose, as_stored, draw_matter
from xpshpc.spectra.settings import Instrument, Samples

__all__ = ["Purpose", "SampleBatch", "draw_batch"]


@dataclass(frozen=True)
class SampleBatch:
    """`n` samples of at most `k` elements under an overlayer of `m` elements.

    `elements` (n, k): places in ELEMENTS; `fractions` (n, k): atomic fractions, 0 where a place is unused; `shifts`
    (n, k) and `overlayer_shifts` (n, m): shifts of an element's lines towards higher binding energy, eV; `overlayer_A`
    (n,): thickness; `peak_counts`, `analyser_fwhm_eV`, `transmission_exponent`, `detector_background`: (n,).
    `index` (n,) chooses the noise.

    Of the material below the overlayer, (n,): `density_g_cm3`, `band_gap_eV`, and `loss`, the place of its loss
    function in LOSS_FUNCTIONS. `charging_shift_eV` (n,) moves all lines to higher binding energy, `background_scale`
    (n,) multiplies the inelastic background.
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

    def __getitem__(self, rows: slice | NDArray[np.intp]) -> SampleBatch:
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
    samples: Samples,
    instrument: Instrument,
    overlayer_elements: int,
    streams: Streams,
    indices: NDArray[np.int64],
    *,
    loss_functions: Literal["material", "universal"] = "material",
) -> SampleBatch:
    """The samples of these indices: each depends on the seed and its own index alone.

    Numbers are rounded to float32 as they are stored, so that a stored sample can be made again exactly.
    """
    matter = draw_matter(samples, streams, indices)
    most = matter.elements.shape[1]
    covered = streams.uniform(indices, Purpose.COMPOSITION, 2)[:, 1]
    shifts = 2.0 * streams.uniform(indices, Purpose.SHIFTS, most + overlayer_elements) - 1.0
    device = streams.uniform(indices, Purpose.INSTRUMENT, 6)
    counts_low, counts_high = np.log(instrument.peak_counts)
    return SampleBatch(
        index=indices,
        elements=matter.elements,
        fractions=matter.fractions,
        density_g_cm3=as_stored(matter.density_g_cm3),
        band_gap_eV=as_stored(matter.band_gap_eV),
        loss=matter.loss if loss_functions == "material" else np.zeros_like(matter.loss),
        charging_shift_eV=as_stored(_between(instrument.charging_shift_eV, device[:, 4])),
        background_scale=as_stored(_between(instrument.background_scale, device[:, 5])),
        shifts=as_stored(samples.chemical_shift_eV * shifts[:, :most]),
        overlayer_A=as_stored(_between(samples.overlayer_A, covered)),
        overlayer_shifts=as_stored(samples.overlayer_shift_eV * shifts[:, most:]),
        peak_counts=as_stored(np.exp(counts_low + (counts_high - counts_low) * device[:, 0])),
        analyser_fwhm_eV=as_stored(_between(instrument.analyser_fwhm_eV, device[:, 1])),
        transmission_exponent=as_stored(_between(instrument.transmission_exponent, device[:, 2])),
        detector_background=as_stored(_between(instrument.detector_background, device[:, 3])),
    )


def _between(bounds: tuple[float, float], uniform: NDArray[np.float64]) -> NDArray[np.float64]:
    return bounds[0] + (bounds[1] - bounds[0]) * uniform
