"""The exact simulator: the spectrum of any stack of layers, line by line, every line at its own energy in every layer.

The losses of all orders are taken in Fourier space (see loss.py): a path x = d/(L μ) through a layer multiplies a line
by e^{−x(1−ŵ)} with the layer's own loss function w, emission along that path by L μ (1 − e^{−x(1−ŵ)})/(1−ŵ). What a
line loses is so found again at lower energies. What the dipole asymmetry adds (see stack_emission.py) is lost to
elastic deflections as well: there d/(λ μ)·(1−ŵ) + d/(λ_tr μ) takes the place of x(1−ŵ), and λ μ/(1−ŵ + λ/λ_tr) that of
L μ/(1−ŵ), so that the asymmetry of electrons fades with each loss. A surface excitation counts as one more loss of the
uppermost layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.spectra.elements import ELEMENTS
from xpshpc.spectra.lines.line_list import LineIntensity
from xpshpc.spectra.lines.line_table import LineKind, LineTable, line_table
from xpshpc.spectra.lines.lineshape import line_profile
from xpshpc.spectra.lines.sources import XraySource
from xpshpc.spectra.matter.layers import Layer, Stack
from xpshpc.spectra.settings import Instrument, Physics
from xpshpc.spectra.simulation.stack_emission import Directions, StackEmission, emit
from xpshpc.spectra.transport.escape import cone_cosines
from xpshpc.spectra.transport.loss import LossSpace, transmitted
from xpshpc.spectra.transport.loss_functions import loss_function, natural_loss

__all__ = ["StackEmission", "StackSimulator"]

_BLOCK = 32
_MARGIN_EV = 40.0
_ABOVE_EV = 40.0
"""Room above the highest line, for its Lorentzian wing."""

_NARROWEST_EV = 0.05
_CHANNELS_PER_FWHM = 4.0
"""A Gaussian sampled this often has the right area to 1e-12."""

_CHANNELS_PER_FWHM_OF_SPLINE = 12.0
_UNEVEN = 1e-3
_SPARE_CHANNELS = 8


@dataclass(frozen=True)
class _Grid:
    """The channels that losses are taken on: `channel_eV` wide, from `top_eV` downwards."""

    top_eV: float
    channel_eV: float
    space: LossSpace

    @property
    def energy_eV(self) -> NDArray[np.float64]:
        return self.top_eV - self.channel_eV * np.arange(self.space.length, dtype=np.float64)


class StackSimulator:
    """Simulates stacks of layers for one instrument.

    Energies refer to the Fermi level: the instrument's work function and charging shift move the axis, not the lines.
    Its transmission and its detector are left to who counts the electrons.
    """

    def __init__(self, instrument: Instrument, physics: Physics) -> None:
        table = line_table(instrument.source)
        self.source: XraySource = table.source
        self._satellites = ((0.0, 1.0), *self.source.satellites)
        reach = _MARGIN_EV + max(shift for shift, _ in self._satellites)
        self.physics = physics
        self.table: LineTable = table.within(instrument.window_eV[0] - reach, self.source.photon_energy_eV)
        cosine, weight = cone_cosines(instrument.emission_angle_deg, instrument.acceptance_half_angle_deg)
        self._directions = Directions(cosine, weight, instrument.source_angle_deg)

    def emit(self, stack: Stack) -> StackEmission:
        """The lines of a stack from just below the instrument's window up to the photon energy.

        Raises UsageError for a stack that `check_stack` refuses.
        """
        return emit(stack, self.table, self.physics, self._directions)

    def list_lines(self, stack: Stack, emission: StackEmission) -> list[LineIntensity]:
        """The lines that send any electrons, the strongest first."""
        photon = self.source.photon_energy_eV
        listed = []
        for entry in np.argsort(-emission.intensity, kind="stable"):
            layer = stack.layers[emission.layer[entry]]
            line, energy = emission.line[entry], float(emission.energy_eV[entry])
            listed.append(
                LineIntensity(
                    element=ELEMENTS[self.table.element[line]],
                    orbital=self.table.orbital[line],
                    state=layer.states[emission.state[entry]].tag,
                    layer=int(emission.layer[entry]) + 1,
                    material=layer.formula,
                    kinetic_energy_eV=energy,
                    binding_energy_eV=photon - energy,
                    cross_section_barn=float(emission.cross_section_barn[entry]),
                    asymmetry=float(emission.asymmetry[entry]),
                    effective_asymmetry=float(emission.effective_asymmetry[entry]),
                    imfp_A=float(emission.imfp_A[entry]),
                    transport_mfp_A=float(emission.transport_mfp_A[entry]),
                    attenuation_length_A=float(emission.attenuation_length_A[entry]),
                    albedo=float(emission.albedo[entry]),
                    escape_factor=float(emission.escape_factor[entry]),
                    intensity=float(emission.intensity[entry]),
                )
            )
        return [line for line in listed if line.intensity > 0.0]

    def draw(
        self,
        stack: Stack,
        emission: StackEmission,
        axis_eV: NDArray[np.float64],
        *,
        analyser_fwhm_eV: float,
        losses: Literal["all", "none"] = "all",
    ) -> NDArray[np.float64]:
        """Expected electrons per eV at kinetic energies that rise in even steps, both (points,).

        The area of a line above its background is its intensity, satellites apart. Raises UsageError for uneven steps.
        """
        step = _even_step(axis_eV)
        gauss = self._gauss_fwhm(emission, analyser_fwhm_eV)
        if losses == "none":
            return self._draw_lines(emission, gauss, axis_eV)
        if not len(emission):
            return np.zeros(len(axis_eV))
        grid = self._grid(emission, axis_eV, step, float(gauss.min()))
        total = np.zeros(grid.space.length // 2 + 1, dtype=np.complex128)
        for entries, factor in self._depths(stack, emission, grid):
            lines = self._profiles(emission[entries], gauss[entries], grid.energy_eV)
            total += (grid.space.transform(lines * grid.space.damping) * factor).sum(axis=0)
        falling = grid.space.invert(total) / grid.space.damping
        return _at(axis_eV, step, grid, falling)

    def _gauss_fwhm(self, emission: StackEmission, analyser_fwhm_eV: float) -> NDArray[np.float64]:
        """What is Gaussian in each line: its own, the analyser's and, but for Auger lines, the X-rays' width."""
        auger = self.table.kind[emission.line] == LineKind.AUGER
        source = np.where(auger, 0.0, self.source.fwhm_eV)
        fwhm: NDArray[np.float64] = np.sqrt(emission.gauss_fwhm_eV**2 + source**2 + analyser_fwhm_eV**2)
        return np.maximum(fwhm, _NARROWEST_EV)

    def _draw_lines(
        self,
        emission: StackEmission,
        gauss: NDArray[np.float64],
        axis_eV: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        spectrum = np.zeros(len(axis_eV))
        for start in range(0, len(emission), _BLOCK):
            block = slice(start, start + _BLOCK)
            spectrum += emission.intensity[block] @ self._profiles(emission[block], gauss[block], axis_eV)
        return spectrum

    def _profiles(
        self, emission: StackEmission, gauss: NDArray[np.float64], energy_eV: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Density per eV of each line of area 1 and of its satellites, (entries, energies)."""
        shifts, heights = np.array(self._satellites).T
        profiles = np.empty((len(emission), len(energy_eV)))
        auger = self.table.kind[emission.line] == LineKind.AUGER
        for entry in range(len(emission)):
            copies = slice(0, 1) if auger[entry] else slice(None)
            offsets = energy_eV - emission.energy_eV[entry] - shifts[copies, None]
            shape = line_profile(
                offsets,
                float(emission.lorentz_fwhm_eV[entry]),
                float(gauss[entry]),
                float(emission.singularity[entry]),
                float(emission.band_eV[entry]),
            )
            profiles[entry] = heights[copies] @ shape
        return profiles

    def _grid(
        self, emission: StackEmission, axis_eV: NDArray[np.float64], step_eV: float, narrowest_eV: float
    ) -> _Grid:
        """Channels fine enough for the narrowest line; each point of the axis is one of them, or many lie between."""
        from scipy.fft import next_fast_len

        channel = step_eV / max(1, ceil(_CHANNELS_PER_FWHM * step_eV / narrowest_eV))
        if narrowest_eV > _CHANNELS_PER_FWHM_OF_SPLINE * channel:
            channel = narrowest_eV / _CHANNELS_PER_FWHM_OF_SPLINE
        highest = float(emission.energy_eV.max()) + max(shift for shift, _ in self._satellites)
        above = ceil((max(highest - float(axis_eV[-1]), 0.0) + _ABOVE_EV) / channel)
        below = ceil(float(axis_eV[-1] - axis_eV[0]) / channel)
        length = int(next_fast_len(above + below + _SPARE_CHANNELS, real=True))
        return _Grid(float(axis_eV[-1]) + above * channel, channel, LossSpace(length))

    def _depths(
        self, stack: Stack, emission: StackEmission, grid: _Grid
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.complex128]]]:
        """Blocks of entries, and the factor (entries, frequencies) that takes each from one atom to the surface."""
        names = [self._loss_name(layer) for layer in stack.layers]
        kinds = sorted(set(names))
        missing = np.stack(
            [grid.space.missing(loss_function(name, grid.space.length, grid.channel_eV)) for name in kinds]
        )
        kind = np.array([kinds.index(name) for name in names], dtype=np.intp)
        solid = [place for place, layer in enumerate(stack.layers) if layer.thickness_A > 0.0]
        uppermost = missing[kind[solid[0] if solid else 0]]
        of_kind = (kind[:, None] == np.arange(len(kinds))).astype(np.float64)
        for layer in range(len(stack.layers)):
            entries = np.flatnonzero((emission.layer == layer) & (emission.own(emission.paths) > 0.0))
            for start in range(0, len(entries), _BLOCK):
                block = entries[start : start + _BLOCK]
                lines = emission[block]
                own = missing[kind[layer]]
                ends = stack.layers[layer].thickness_A < np.inf
                factor = self._leaving(
                    lines.source * lines.attenuation_length_A[:, None],
                    lines.own(lines.paths)[:, None] * own if ends else None,
                    lines.above(lines.paths) @ of_kind @ missing,
                    lines.surface_paths,
                    uppermost,
                )
                factor /= own
                if lines.directed.any():
                    forgotten = lines.above(lines.elastic_paths).sum(axis=1)[:, None]
                    turned = lines.own(lines.elastic_paths)[:, None]
                    directed = self._leaving(
                        lines.directed * lines.imfp_A[:, None],
                        lines.own(lines.inelastic_paths)[:, None] * own + turned if ends else None,
                        lines.above(lines.inelastic_paths) @ of_kind @ missing + forgotten,
                        lines.surface_paths,
                        uppermost,
                    )
                    ratio = lines.albedo / (1.0 - lines.albedo)
                    factor += directed / (own + ratio[:, None])
                yield block, factor

    def _leaving(
        self,
        amplitude: NDArray[np.float64],
        own: NDArray[np.complex128] | None,
        above: NDArray[np.complex128],
        surface: NDArray[np.float64],
        uppermost: NDArray[np.complex128],
    ) -> NDArray[np.complex128]:
        """Σ amplitude · μ (1 − e^{−own/μ}) e^{−above/μ − surface·uppermost} over directions, (entries, frequencies).

        `amplitude` and `surface` are (entries, directions), `above` (entries, frequencies) and `own` as well, or None
        where no end of the layer is seen.
        """
        one = np.ones(1)
        total = np.zeros(above.shape, dtype=np.complex128)
        for direction, cosine in enumerate(self._directions.cosine):
            sent = np.broadcast_to((amplitude[:, direction, None] * cosine).astype(np.complex128), above.shape)
            if own is not None:
                sent = sent * (1.0 - transmitted(own, one / cosine))
            crossed = above / cosine + surface[:, direction, None] * uppermost
            total += sent * transmitted(crossed, one) if crossed.any() else sent
        return total

    def _loss_name(self, layer: Layer) -> str:
        if self.physics.loss_functions == "universal":
            return "universal"
        return layer.loss or natural_loss(layer.fractions())


def _even_step(axis_eV: NDArray[np.float64]) -> float:
    steps = np.diff(axis_eV)
    if not len(steps) or steps.min() <= 0.0 or np.ptp(steps) > _UNEVEN * steps.mean():
        raise UsageError("energies of a spectrum must rise in even steps")
    return float(axis_eV[-1] - axis_eV[0]) / len(steps)


def _at(axis_eV: NDArray[np.float64], step_eV: float, grid: _Grid, falling: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values at the points of the axis of what is known on the grid."""
    stride = step_eV / grid.channel_eV
    if stride >= 1.0 - _UNEVEN:
        first = round((grid.top_eV - float(axis_eV[-1])) / grid.channel_eV)
        return falling[first + round(stride) * np.arange(len(axis_eV))][::-1]
    from scipy.interpolate import CubicSpline

    spectrum: NDArray[np.float64] = CubicSpline(grid.energy_eV[::-1], falling[::-1])(axis_eV)
    return spectrum
