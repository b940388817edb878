"""The embedded simulator: expected spectra of many samples at once, each a homogeneous material under one film.

What leaves without a loss is drawn on the channels. What loses energy follows from it on a coarser grid, for it is
smooth (`Background`). Their sum is blurred as the analyser does, passes its transmission and is scaled to the dose.
Spectra are worked on in blocks that fit the processor's cache; no sample's numbers depend on its neighbours in a block.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from xpshpc.spectra.detection.analyser import Analyser
from xpshpc.spectra.elements import ELEMENT_INDEX, ELEMENTS
from xpshpc.spectra.lines.line_table import LineKind, LineTable, line_table, oxidised
from xpshpc.spectra.lines.sources import xray_sources
from xpshpc.spectra.matter.batch import SampleBatch
from xpshpc.spectra.matter.materials import Material, metallic, mix
from xpshpc.spectra.matter.sample import parse_formula
from xpshpc.spectra.settings import Instrument, Physics, Samples
from xpshpc.spectra.simulation.background import Background, LossGrid, coarseness
from xpshpc.spectra.simulation.emission import Emission, Solids, emit
from xpshpc.spectra.simulation.film import Film
from xpshpc.spectra.simulation.profile_bank import ProfileBank, shape_lines
from xpshpc.spectra.transport.escape import cone_cosines, dipole_factor
from xpshpc.spectra.transport.escape_curves import Escape
from xpshpc.spectra.transport.loss_functions import LOSS_FUNCTIONS, natural_loss

_MAGIC = 1e-3
"""Less asymmetry than this is seen alike through any film."""

_BLOCK = 128
_SPARE_CHANNELS = 24
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
        self._losses = LOSS_FUNCTIONS if own_losses else LOSS_FUNCTIONS[:1]
        self._film_loss = film_loss if self.physics.loss_functions == "material" else LOSS_FUNCTIONS[0]
        self._ratios = [min(coarseness(loss, channel), coarseness(self._film_loss, channel)) for loss in self._losses]
        widest = max(self._ratios)
        finest_fwhm = instrument.analyser_fwhm_eV[0]
        self._analyser = Analyser(instrument, float(np.hypot(table.source.fwhm_eV, finest_fwhm)))
        above = (photon_energy_eV - instrument.work_function_eV - axis[-1]) / channel
        self._first = int(np.ceil(max(above, 0.0))) + max(_SPARE_CHANNELS, widest)
        drawn = self._first + self._analyser.points
        self._top = float(axis[-1] + channel * (self._first + self._analyser.edge)) + instrument.work_function_eV
        photoelectrons = table.kind != LineKind.AUGER
        source_fwhm = np.where(photoelectrons, table.source.fwhm_eV, 0.0)
        gauss = np.sqrt(table.gauss_fwhm_eV**2 + source_fwhm**2 + finest_fwhm**2)
        shapes = shape_lines(
            np.tile(table.lorentz_fwhm_eV, 2),
            np.tile(gauss, 2),
            np.concatenate([np.zeros(len(table)), table.singularity]),
            np.tile(table.band_eV, 2),
            np.tile(photoelectrons, 2),
            table.source,
        )
        self._bank = ProfileBank(shapes, top_eV=self._top, cell_eV=channel, cells=widest * -(-drawn // widest))
        self._backgrounds: dict[int, Background] = {}

    def _background(self, loss: int) -> Background:
        """The backgrounds by one of the loss functions, made when the first sample needs them."""
        if loss not in self._backgrounds:
            own = self._emit_film(np.zeros((1, len(self.overlayer_elements))))
            lines = len(own.line)
            self._backgrounds[loss] = Background(
                LossGrid(
                    self._top, self.instrument.channel_eV, self._ratios[loss], self._first + self._analyser.points
                ),
                self._losses[loss],
                self.film,
                self._film_loss,
                own,
                self._bank.draw(np.arange(lines), own.shape, own.energy_eV, own.intensity, lines),
            )
        return self._backgrounds[loss]

    def expected_counts(self, batch: SampleBatch) -> NDArray[np.float32]:
        """Expected counts without noise, (n, channels), kinetic energy rising; the dose sets the strongest channel."""
        return self.expected(batch).counts

    def expected(self, batch: SampleBatch) -> Expectation:
        """Expected counts without noise and the lines behind them.

        Samples with one loss function are worked on side by side; in the order of their films, for neighbours then
        read the same lines of tables.
        """
        counts = np.empty((len(batch), self.instrument.channels), dtype=np.float32)
        gain = np.empty(len(batch))
        loss = batch.loss if len(self._losses) > 1 else np.zeros_like(batch.loss)
        order = np.lexsort((batch.overlayer_A, loss))
        ordered, kinds = batch[order], loss[order]
        lines = self.emit(ordered)
        for kind in np.unique(kinds).tolist():
            background = self._background(kind)
            first, last = np.searchsorted(kinds, (kind, kind + 1)).tolist()
            for start in range(first, last, _BLOCK):
                rows = slice(start, min(start + _BLOCK, last))
                spectra = self._spectra(ordered[rows], tuple(part.of(rows) for part in lines), background)
                detected, gain[rows] = self._analyser.detect(spectra, ordered[rows])
                counts[order[rows]] = detected[:, ::-1]
        below = lines[0]
        line_counts = below.intensity * gain[below.sample] * self._analyser.transmission_at(below, ordered)
        return Expectation(counts, replace(below, sample=order[below.sample]), line_counts)

    def emit(self, batch: SampleBatch) -> tuple[Emission, Emission]:
        """Lines as they leave the surface, in the samples' order: of the material below the film, and of the film."""
        charging = batch.charging_shift_eV[:, None]
        below = self._emit_below(batch, batch.shifts + charging)
        per_A = self.film.paths_per_A(below.energy_eV)
        below = self._weaken(below, batch.overlayer_A, per_A)
        paths = batch.overlayer_A[below.sample] * per_A + self.film.surface_paths(below.energy_eV)
        film = self._emit_film(batch.overlayer_shifts + charging)
        return (
            replace(below, intensity=below.intensity * np.exp(-paths)),
            replace(film, intensity=self._through_own_film(film, batch.overlayer_A)),
        )

    def _spectra(self, batch: SampleBatch, lines: tuple[Emission, ...], background: Background) -> NDArray[np.float32]:
        """Electrons in each channel (n, channels), energy falling, with the analyser's resolution.

        `lines`: of the material below the film, and of the film, as they leave the surface.
        """
        below, film = lines
        count, analyser = len(batch), self._analyser
        drawn = self._bank.draw(
            np.concatenate([below.sample, film.sample + count]),
            np.concatenate([below.shape, film.shape]),
            np.concatenate([below.energy_eV, film.energy_eV]),
            np.concatenate([below.intensity, film.intensity]),
            2 * count,
        )
        crossed = drawn[:count]
        shifts = batch.overlayer_shifts + batch.charging_shift_eV[:, None]
        spectra = background.spread(crossed, batch.overlayer_A, shifts, first=self._first, channels=analyser.points)
        if (batch.background_scale != 1.0).any():
            spectra *= batch.background_scale[:, None].astype(np.float32)
        seen = slice(self._first, self._first + analyser.points)
        spectra += crossed[:, seen]
        spectra += drawn[count:, seen]
        sigma = analyser.missing_sigma_eV(batch)
        blurred = sigma > 0.0
        if blurred.all():
            spectra = analyser.blur(spectra, sigma)
        elif blurred.any():
            spectra[blurred] = analyser.blur(spectra[blurred], sigma[blurred])
        return spectra[:, analyser.edge : analyser.edge + self.instrument.channels]

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
