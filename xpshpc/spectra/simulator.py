"""The embedded simulator: expected spectra of many samples at once, by partial intensities along straight lines.

Photoelectrons and Auger electrons of a homogeneous sample and of the film that covers it; all inelastic losses in
closed form. Elastic scattering, satellites and material-dependent loss functions have their places in `_emit` and
`LossSpace`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xpshpc.spectra.batch import SampleBatch
from xpshpc.spectra.elements import ELEMENT_INDEX
from xpshpc.spectra.escape import dipole_factor
from xpshpc.spectra.film import share_channels
from xpshpc.spectra.lines import LineTable, line_table
from xpshpc.spectra.lineshape import SUBCHANNELS, make_profile_bank
from xpshpc.spectra.loss import LossSpace, tougaard_universal, transmitted
from xpshpc.spectra.materials import Material, mix
from xpshpc.spectra.sample import parse_formula
from xpshpc.spectra.settings import Instrument, Samples
from xpshpc.spectra.sources import xray_sources
from xpshpc.spectra.transport import inelastic_mean_free_path

_BLOCK = 32
_MARGIN_EV = 40.0
_SIGMA_PER_FWHM = 1.0 / (2.0 * np.sqrt(2.0 * np.log(2.0)))
_THINNEST_A = 0.2
"""Å; thinner films share their channels as this one does: they differ from it by less than can be seen."""


@dataclass(frozen=True)
class Emission:
    """Lines emitted inside a layer, one entry for each line of each sample, (entries,).

    `intensity` counts the electrons that would leave if none were lost or, for a half-space, those that leave without a
    loss (its later losses go on for ever).
    """

    sample: NDArray[np.intp]
    line: NDArray[np.intp]
    energy_eV: NDArray[np.float64]
    imfp_A: NDArray[np.float64]
    intensity: NDArray[np.float64]


class Simulator:
    """Simulates spectra for one instrument and one kind of overlayer; its tables are made once."""

    def __init__(self, samples: Samples, instrument: Instrument) -> None:
        source = xray_sources()[instrument.source]
        low, high = instrument.window_eV
        channel = instrument.channel_eV
        widest = instrument.analyser_fwhm_eV[1] * _SIGMA_PER_FWHM / channel
        above = int(np.ceil((source.photon_energy_eV - high) / channel + 8.0 * widest)) + 24
        from scipy.fft import next_fast_len

        self.instrument = instrument
        self.kinetic_energy_eV = instrument.energy_axis()
        self.table: LineTable = line_table(instrument.source).within(low - _MARGIN_EV, source.photon_energy_eV)
        self._space = LossSpace(next_fast_len(instrument.channels + above, real=True))
        length = self._space.length
        self._energies = low + channel * (instrument.channels + above - 1 - np.arange(length))
        self.cosine = float(np.cos(np.deg2rad(instrument.emission_angle_deg)))
        self._finest_fwhm = instrument.analyser_fwhm_eV[0]
        gauss = np.sqrt(self.table.gauss_fwhm_eV**2 + source.fwhm_eV**2 + self._finest_fwhm**2)
        self._bank = make_profile_bank(self.table.lorentz_fwhm_eV, gauss, channel)
        self._missing = self._space.missing(tougaard_universal(length, channel))
        self._damping = self._space.damping
        self._seen = slice(above, above + instrument.channels)
        self._response = self.table.cross_section_barn * dipole_factor(
            self.table.asymmetry, instrument.source_angle_deg
        )

        overlayer = parse_formula(samples.overlayer)
        self.overlayer_elements = np.array([ELEMENT_INDEX[symbol] for symbol in overlayer], dtype=np.intp)
        self.overlayer_fractions = np.array(list(overlayer.values()))
        self.overlayer: Material = mix(
            self.overlayer_elements[None, :],
            self.overlayer_fractions[None, :],
            density=samples.overlayer_density_g_cm3,
        )
        reachable = np.maximum(self._energies, low - _MARGIN_EV)
        self._inverse_path: NDArray[np.float64] = 1.0 / (
            inelastic_mean_free_path(self.overlayer, reachable) * self.cosine
        )
        self._references = np.linspace(self._inverse_path.min(), self._inverse_path.max(), 3)

    def expected_counts(self, batch: SampleBatch) -> NDArray[np.float64]:
        """Expected counts without noise, (n, channels), kinetic energy rising; the dose sets the strongest channel."""
        spectra = np.empty((len(batch), self.instrument.channels))
        for start in range(0, len(batch), _BLOCK):
            rows = slice(start, start + _BLOCK)
            spectra[rows] = self._expected(batch[rows])
        return spectra

    def _expected(self, batch: SampleBatch) -> NDArray[np.float64]:
        falling = self._space.invert(self._scattered(batch))[:, self._seen]
        falling /= self._damping[self._seen]
        energy = np.log(self.kinetic_energy_eV / self.kinetic_energy_eV[-1])
        transmission: NDArray[np.float64] = np.exp(-batch.transmission_exponent[:, None] * energy)
        spectra = np.maximum(falling[:, ::-1], 0.0) * transmission
        strongest = spectra.max(axis=1, keepdims=True)
        dark = batch.detector_background[:, None]
        spectra *= (1.0 - dark) / np.where(strongest > 0.0, strongest, 1.0)
        spectra += dark
        spectra *= batch.peak_counts[:, None]
        return spectra

    def _scattered(self, batch: SampleBatch) -> NDArray[np.complex128]:
        """Transforms of the spectra that leave the surface, losses of all orders and resolution included.

        The paths through the overlayer depend on the energy, a product in Fourier space cannot. So each channel is
        shared between three reference paths such that what leaves without a loss, with one loss, and in all is exact;
        only the shape of the later losses is interpolated, under 40 Å of C5O to 2 % of the background or better.
        """
        count = len(batch)
        below = self._deposit(self.emit_below(batch), count)
        inside = self._deposit(self.emit_overlayer(batch), count)
        below *= self._damping
        inside *= self._damping
        thickness = batch.overlayer_A[:, None]
        share_below, share_inside = share_channels(
            np.maximum(thickness, _THINNEST_A), self._inverse_path, self._references
        )
        total = np.zeros((count, len(self._missing)), dtype=np.complex128)
        film = np.zeros_like(total)
        for reference, inverse_path in enumerate(self._references):
            path = thickness * inverse_path
            through = transmitted(self._missing, path)
            total += self._space.transform(below * share_below[:, reference]) * through
            np.maximum(path, _THINNEST_A * inverse_path, out=path)
            film_through = through if (thickness >= _THINNEST_A).all() else transmitted(self._missing, path)
            film += self._space.transform(inside * share_inside[:, reference]) * (1.0 - film_through) / path
        total += film
        total /= self._missing
        extra = np.sqrt(np.maximum(batch.analyser_fwhm_eV**2 - self._finest_fwhm**2, 0.0))
        if extra.any():
            total *= self._space.gaussians(extra * _SIGMA_PER_FWHM / self.instrument.channel_eV)
        return total

    def emit_below(self, batch: SampleBatch) -> Emission:
        """The lines of the samples below the overlayer, counted without a loss and before the overlayer."""
        material = mix(batch.elements, batch.fractions, density=batch.density_g_cm3)
        emission = self._emit(batch.elements, batch.fractions, batch.shifts, material)
        emission.intensity[:] *= emission.imfp_A * self.cosine
        return emission

    def emit_overlayer(self, batch: SampleBatch) -> Emission:
        """The lines of the overlayer, all electrons that leave it with whatever loss."""
        count = len(batch)
        elements = np.broadcast_to(self.overlayer_elements, (count, len(self.overlayer_elements)))
        fractions = np.broadcast_to(self.overlayer_fractions, elements.shape)
        material = mix(elements, fractions, density=float(self.overlayer.density[0]))
        emission = self._emit(elements, fractions, batch.overlayer_shifts, material)
        emission.intensity[:] *= batch.overlayer_A[emission.sample]
        return emission

    def _emit(
        self,
        elements: NDArray[np.intp],
        fractions: NDArray[np.float64],
        shifts: NDArray[np.float64],
        material: Material,
    ) -> Emission:
        """Every line of every element of every sample: electrons for each Å of depth."""
        places = elements.shape[1]
        lines = np.where(fractions > 0.0, np.diff(self.table.first)[elements], 0).ravel()
        place = np.repeat(np.arange(lines.size), lines)
        order = np.arange(place.size) - np.repeat(np.cumsum(lines) - lines, lines)
        line = self.table.first[elements.ravel()[place]] + order
        sample = place // places
        energy = self.table.kinetic_energy_eV[line] - shifts.ravel()[place]
        its = material[sample]
        atoms = (material.atoms_per_A3[:, None] * fractions).ravel()
        path = inelastic_mean_free_path(its, energy)
        return Emission(sample, line, energy, path, atoms[place] * self._response[line])

    def _deposit(self, emission: Emission, count: int) -> NDArray[np.float64]:
        """Draws the lines' profiles on the grid of energy losses, (count, length)."""
        length = self._space.length
        position = (self._energies[0] - emission.energy_eV) / self.instrument.channel_eV
        channel = np.floor(position + 0.5).astype(np.intp)
        inside = ((position - channel + 0.5) * SUBCHANNELS).astype(np.intp)
        row = self._bank.row[emission.line] + np.minimum(inside, SUBCHANNELS - 1)
        window = self._bank.window[emission.line]
        spectra = np.zeros((count, length))
        for width, profiles in self._bank.profiles.items():
            chosen = np.flatnonzero((window == width) & (channel > -width) & (channel < length + width))
            if not chosen.size:
                continue
            stride = length + 3 * width
            first = emission.sample[chosen] * stride + channel[chosen] - width // 2 + 3 * width // 2
            target = first[:, None] + np.arange(width)
            weight = emission.intensity[chosen, None] * profiles[row[chosen]]
            drawn = np.bincount(target.ravel(), weight.ravel(), minlength=count * stride)
            spectra += drawn.reshape(count, stride)[:, 3 * width // 2 : 3 * width // 2 + length]
        return spectra
