"""The embedded simulator: expected spectra of many samples at once, each a homogeneous material under one film.

Lines go two ways. What leaves without a loss is drawn on the channels, and blurred as the analyser does. What loses
energy is smooth, and made on a coarser grid (`Background`). Their sum passes the analyser's transmission and is scaled
to the dose. Samples are worked on in blocks that fit the processor's cache; no sample's numbers depend on its
neighbours in a block.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from xpshpc.spectra.analyser import SIGMA_PER_FWHM, Analyser
from xpshpc.spectra.background import Background, LossGrid, coarseness
from xpshpc.spectra.batch import SampleBatch
from xpshpc.spectra.elements import ELEMENT_INDEX, ELEMENTS
from xpshpc.spectra.emission import Emission, Solids, emit
from xpshpc.spectra.escape import cone_cosines, dipole_factor
from xpshpc.spectra.escape_curves import Escape
from xpshpc.spectra.film import Film
from xpshpc.spectra.lines import LineKind, LineTable, line_table, oxidised
from xpshpc.spectra.loss_functions import LOSS_FUNCTIONS, natural_loss
from xpshpc.spectra.materials import Material, metallic, mix
from xpshpc.spectra.profile_bank import ProfileBank, shape_lines
from xpshpc.spectra.sample import parse_formula
from xpshpc.spectra.settings import Instrument, Physics, Samples
from xpshpc.spectra.sources import xray_sources

_MAGIC = 1e-3
"""Less asymmetry than this is seen alike through any film."""

_BLOCK = 128
_MARGIN_EV = 40.0


@dataclass(frozen=True)
class Expectation:
    """Expected spectra without noise, and what the samples' lines bring to them.

    `counts` (n, channels), kinetic energy rising; `lines`: of the material below the overlayer, their intensities as
    they leave the surface; `line_counts` (entries,): counts under each line, its X-ray satellites left out.
    """

    counts: NDArray[np.float32]
    lines: Emission
    line_counts: NDArray[np.float64]


class Simulator:
    """Simulates spectra for one instrument and one kind of overlayer; its tables are made once."""

    def __init__(self, samples: Samples, instrument: Instrument, physics: Physics) -> None:
        source = xray_sources()[instrument.source]
        low = instrument.window_eV[0]
        self.instrument, self.physics = instrument, physics
        self.kinetic_energy_eV = instrument.energy_axis()
        self.cosine = _effective_cosine(instrument)
        highest_satellite = max((shift for shift, _ in source.satellites), default=0.0)
        lowest = low + instrument.work_function_eV - _MARGIN_EV - highest_satellite
        self.table: LineTable = line_table(instrument.source).within(lowest, source.photon_energy_eV)
        self._escape = Escape(physics, self.cosine, lowest, source.photon_energy_eV)
        self._pure = samples.recipe == "pure_sums"
        self._pure_solids = self._surround(np.arange(len(ELEMENTS))[:, None], np.ones((len(ELEMENTS), 1)))

        overlayer = parse_formula(samples.overlayer)
        self.overlayer_elements = np.array([ELEMENT_INDEX[symbol] for symbol in overlayer], dtype=np.intp)
        self.overlayer_fractions = np.array(list(overlayer.values()))
        elements, fractions = self.overlayer_elements[None, :], self.overlayer_fractions[None, :]
        self.overlayer: Material = mix(elements, fractions, density=samples.overlayer_density_g_cm3)
        self._film_solids = self._surround(elements, fractions, self.overlayer)
        self.film = Film(
            self._film_solids.curves,
            self.cosine,
            physics.surface_excitations,
            low + instrument.work_function_eV,
            source.photon_energy_eV,
            samples.overlayer_A[1],
            float(self.overlayer.atoms_per_A3[0]),
        )
        self._sees_asymmetry = abs(dipole_factor(np.ones(1), instrument.source_angle_deg)[0] - 1.0) > _MAGIC
        self._make_grids(source.photon_energy_eV, natural_loss(overlayer))

    def _make_grids(self, photon_energy_eV: float, film_loss: str) -> None:
        """The grids of channels and of losses, and the lines' profiles on them."""
        instrument, table = self.instrument, self.table
        channel = instrument.channel_eV
        axis = self.kinetic_energy_eV
        own_losses = self.physics.loss_functions == "material" and not self._pure
        losses = LOSS_FUNCTIONS if own_losses else LOSS_FUNCTIONS[:1]
        self._film_loss = film_loss if self.physics.loss_functions == "material" else LOSS_FUNCTIONS[0]
        self._ratios = np.array(
            [min(coarseness(loss, channel), coarseness(self._film_loss, channel)) for loss in losses]
        )
        widest = int(self._ratios.max())
        finest_fwhm = instrument.analyser_fwhm_eV[0]
        self._analyser = Analyser(instrument, float(np.hypot(table.source.fwhm_eV, finest_fwhm)))
        above = (photon_energy_eV - instrument.work_function_eV - axis[-1]) / channel
        self._above = widest * int(np.ceil((max(above, 0.0) + self._analyser.edge + 24) / widest))
        self._top = float(axis[-1] + channel * self._above)
        photoelectrons = table.kind != LineKind.AUGER
        source_fwhm = np.where(photoelectrons, table.source.fwhm_eV, 0.0)
        gauss = np.sqrt(table.gauss_fwhm_eV**2 + source_fwhm**2 + finest_fwhm**2)
        self._shapes = shape_lines(
            np.tile(table.lorentz_fwhm_eV, 2),
            np.tile(gauss, 2),
            np.concatenate([np.zeros(len(table)), table.singularity]),
            np.tile(table.band_eV, 2),
            np.tile(photoelectrons, 2),
            table.source,
        )
        self._first = self._above - self._analyser.edge
        self._bank = ProfileBank(
            self._shapes, top_eV=self._top, cell_eV=channel, cells=self._first + self._analyser.points
        )
        self._backgrounds: dict[int, Background] = {}

    def _background(self, ratio: int) -> Background:
        """The backgrounds on cells of `ratio` channels, made when the first sample needs them."""
        if ratio not in self._backgrounds:
            instrument = self.instrument
            lines = self._emit_film(np.zeros((1, len(self.overlayer_elements))))
            self._backgrounds[ratio] = Background(
                LossGrid(self._top, instrument.channel_eV, ratio, self._above // ratio, instrument.channels),
                self._shapes,
                self.film,
                self._film_loss,
                replace(lines, energy_eV=lines.energy_eV - instrument.work_function_eV),
                widest_sigma_eV=instrument.analyser_fwhm_eV[1] * SIGMA_PER_FWHM,
            )
        return self._backgrounds[ratio]

    def expected_counts(self, batch: SampleBatch) -> NDArray[np.float32]:
        """Expected counts without noise, (n, channels), kinetic energy rising; the dose sets the strongest channel."""
        return self.expected(batch).counts

    def expected(self, batch: SampleBatch) -> Expectation:
        """Expected counts without noise and the lines behind them; samples with one kind of background side by side."""
        counts = np.empty((len(batch), self.instrument.channels), dtype=np.float32)
        loss = batch.loss if len(self._ratios) > 1 else np.zeros_like(batch.loss)
        ratio = self._ratios[loss]
        parts = []
        for kind in np.unique(ratio).tolist():
            background = self._background(kind)
            rows = np.flatnonzero(ratio == kind)
            for start in range(0, len(rows), _BLOCK):
                chosen = rows[start : start + _BLOCK]
                counts[chosen], lines, line_counts = self._expect(batch[chosen], loss[chosen], background)
                parts.append((replace(lines, sample=chosen[lines.sample]), line_counts))
        return Expectation(counts, _joined([lines for lines, _ in parts]), np.concatenate([part for _, part in parts]))

    def _expect(
        self, batch: SampleBatch, loss: NDArray[np.intp], background: Background
    ) -> tuple[NDArray[np.float32], Emission, NDArray[np.float64]]:
        """Expected counts (n, channels), the lines of the material below the film, and the counts under each."""
        charging = batch.charging_shift_eV[:, None]
        film_shifts = batch.overlayer_shifts + charging
        below = self._emit_below(batch, batch.shifts + charging)
        per_A, at_surface = self.film.paths_per_A(below.energy_eV), self.film.surface_paths(below.energy_eV)
        below = self._weaken(below, batch.overlayer_A, per_A)
        crossed = below.intensity * np.exp(-batch.overlayer_A[below.sample] * per_A - at_surface)
        film = self._emit_film(film_shifts)
        own = self._through_own_film(film, batch.overlayer_A)

        extra = self._analyser.missing_sigma_eV(batch)
        spectra = self._without_loss(below, crossed, film, own, extra)
        below_axis = replace(below, energy_eV=below.energy_eV - self.instrument.work_function_eV)
        shares = self.film.shares(batch.overlayer_A, below.sample, per_A, at_surface)
        lost = background.spread(below_axis, shares, loss, batch.overlayer_A, film_shifts, extra)
        if (batch.background_scale != 1.0).any():
            lost *= batch.background_scale[:, None].astype(np.float32)
        spectra += lost

        counts, gain = self._analyser.detect(spectra[:, ::-1], batch)
        leaving = replace(below, intensity=crossed)
        return counts, leaving, crossed * gain[below.sample] * self._analyser.transmission_at(below_axis, batch)

    def _without_loss(
        self,
        below: Emission,
        crossed: NDArray[np.float64],
        film: Emission,
        own: NDArray[np.float64],
        sigma_eV: NDArray[np.float64],
    ) -> NDArray[np.float32]:
        """Electrons that leave without a loss, (n, channels), energy falling, blurred by the analyser."""
        spectra = self._bank.draw(
            np.concatenate([below.sample, film.sample]),
            np.concatenate([below.shape, film.shape]),
            np.concatenate([below.energy_eV, film.energy_eV]) - self.instrument.work_function_eV,
            (np.concatenate([crossed, own]),),
            len(sigma_eV),
        )[0][:, self._first :]
        blurred = sigma_eV > 0.0
        if blurred.all():
            spectra = self._analyser.blur(spectra, sigma_eV)
        elif blurred.any():
            spectra[blurred] = self._analyser.blur(spectra[blurred], sigma_eV[blurred])
        return spectra[:, self._analyser.edge : self._analyser.edge + self.instrument.channels]

    def _weaken(self, lines: Emission, thickness_A: NDArray[np.float64], per_A: NDArray[np.float64]) -> Emission:
        """Lines from below with what the film leaves of their asymmetry, before it weakens them as a whole."""
        if not self._sees_asymmetry:
            return lines
        faster = self.film.directed_paths_per_A(lines.energy_eV) - per_A
        forgotten = -np.expm1(-thickness_A[lines.sample] * faster)
        return replace(lines, intensity=lines.intensity - lines.directed * forgotten)

    def _through_own_film(self, lines: Emission, thickness_A: NDArray[np.float64]) -> NDArray[np.float64]:
        """What leaves without a loss of the films' own lines, whose intensities are those of half-spaces."""
        thickness = thickness_A[lines.sample]
        beyond = np.exp(-thickness * self.film.paths_per_A(lines.energy_eV))
        inside = lines.intensity * (1.0 - beyond)
        if self._sees_asymmetry:
            inside += lines.directed * (beyond - np.exp(-thickness * self.film.directed_paths_per_A(lines.energy_eV)))
        return inside * np.exp(-self.film.surface_paths(lines.energy_eV))

    def _emit_below(self, batch: SampleBatch, shifts_eV: NDArray[np.float64]) -> Emission:
        """The lines of the samples as they reach the film."""
        if self._pure:
            pure = self._pure_solids
            solids = Solids(
                pure.curves, batch.elements, pure.metallic[batch.elements, 0], pure.oxidised[batch.elements, 0]
            )
        else:
            material = mix(batch.elements, batch.fractions, density=batch.density_g_cm3, band_gap=batch.band_gap_eV)
            solids = self._surround(batch.elements, batch.fractions, material)
        return self._emit(batch.elements, batch.fractions, shifts_eV, solids)

    def _emit_film(self, shifts_eV: NDArray[np.float64]) -> Emission:
        """The lines of half-spaces of the film's material, for shifts (n, m)."""
        one = self._film_solids
        elements = np.broadcast_to(self.overlayer_elements, shifts_eV.shape)
        fractions = np.broadcast_to(self.overlayer_fractions, shifts_eV.shape)
        solids = Solids(
            one.curves,
            np.zeros(shifts_eV.shape, dtype=np.intp),
            np.broadcast_to(one.metallic, shifts_eV.shape),
            np.broadcast_to(one.oxidised, shifts_eV.shape),
        )
        return self._emit(elements, fractions, shifts_eV, solids)

    def _emit(
        self,
        elements: NDArray[np.intp],
        fractions: NDArray[np.float64],
        shifts_eV: NDArray[np.float64],
        solids: Solids,
    ) -> Emission:
        return emit(
            self.table,
            elements,
            fractions,
            shifts_eV,
            solids,
            cosine=self.cosine,
            source_angle_deg=self.instrument.source_angle_deg,
        )

    def _surround(
        self, elements: NDArray[np.intp], fractions: NDArray[np.float64], material: Material | None = None
    ) -> Solids:
        """The solids that the atoms of each material form, (n, k)."""
        material = material or mix(elements, fractions)
        metal = metallic(elements, fractions, material.band_gap) & self.physics.metal_asymmetry
        oxide = oxidised(elements, fractions) & self.physics.shake_up
        return Solids(
            self._escape.curves(elements, fractions, material),
            np.broadcast_to(np.arange(len(elements))[:, None], elements.shape),
            np.broadcast_to(metal[:, None], elements.shape),
            np.broadcast_to(oxide[:, None], elements.shape),
        )


def _effective_cosine(instrument: Instrument) -> float:
    """The mean cosine of the directions that the analyser's cone takes in, which stands for them all."""
    cosines, weights = cone_cosines(instrument.emission_angle_deg, instrument.acceptance_half_angle_deg)
    return float(cosines @ weights)


def _joined(parts: list[Emission]) -> Emission:
    return Emission(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Emission)))
