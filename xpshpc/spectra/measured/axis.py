"""From any measured energy axis to a network's: counts are a density over energy, and their area is kept."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.spectra.measured.spectrum import MeasuredSpectrum

LARGEST_EXTENSION = 0.05
"""Share of the network's window that may lie outside the measured one."""


def bring_to_axis(
    spectrum: MeasuredSpectrum,
    axis_kinetic_eV: NDArray[np.float64],
    *,
    divide_by_transmission: bool = True,
    largest_extension: float = LARGEST_EXTENSION,
) -> NDArray[np.float64]:
    """The spectrum's intensity at the channels of a uniform ascending axis, shape (channels,), unit as measured.

    A measured point stands for its share of the axis, half-way to its neighbours, so intensity is a step function of
    energy. A channel gets the mean of it over its own width, or over the measured step where that is wider: then area
    is conserved for steps finer than the channels, equal axes change nothing, and coarser steps are interpolated
    linearly. The result is linear in the intensity and never negative. Beyond the measured window the last value goes
    on. Raises UsageError if more than the share `largest_extension` of the axis was not measured.
    """
    _check_coverage(spectrum, axis_kinetic_eV, largest_extension)
    intensity = spectrum.intensity
    if divide_by_transmission and varies(spectrum.transmission):
        assert spectrum.transmission is not None
        intensity = intensity * (spectrum.transmission.mean() / spectrum.transmission)
    edges = cell_edges(spectrum.kinetic_energy_eV)
    area = np.concatenate([[0.0], np.cumsum(intensity * np.diff(edges))])
    centres = np.clip(axis_kinetic_eV, spectrum.kinetic_energy_eV[0], spectrum.kinetic_energy_eV[-1])
    width = np.maximum(channel_width(axis_kinetic_eV), _local_step(spectrum.kinetic_energy_eV, centres))
    upper = _integral(axis_kinetic_eV + width / 2, edges, area, intensity)
    lower = _integral(axis_kinetic_eV - width / 2, edges, area, intensity)
    mean: NDArray[np.float64] = np.maximum((upper - lower) / width, 0.0)
    return mean


def describe_extension(spectrum: MeasuredSpectrum, axis_kinetic_eV: NDArray[np.float64]) -> str | None:
    """A remark on the part of the axis that was not measured, None if all of it was."""
    below, above = _missing(spectrum, axis_kinetic_eV)
    parts = [f"{below:.1f} eV below" if below > 0 else "", f"{above:.1f} eV above" if above > 0 else ""]
    named = " and ".join(part for part in parts if part)
    low, high = spectrum.window_eV
    return f"not measured {named} {low:g}–{high:g} eV kinetic energy: the last value goes on there" if named else None


def varies(transmission: NDArray[np.float64] | None) -> bool:
    """Whether there is a transmission that changes with energy."""
    return transmission is not None and float(np.ptp(transmission)) > 1e-6 * float(np.max(transmission))


def channel_width(axis_kinetic_eV: NDArray[np.float64]) -> float:
    """Step of a uniform axis in eV."""
    return float(axis_kinetic_eV[-1] - axis_kinetic_eV[0]) / (len(axis_kinetic_eV) - 1)


def cell_edges(energy_eV: NDArray[np.float64]) -> NDArray[np.float64]:
    """Borders of the cells that points on an ascending axis stand for, shape (n + 1,)."""
    middles = (energy_eV[1:] + energy_eV[:-1]) / 2
    first, last = 2 * energy_eV[0] - middles[0], 2 * energy_eV[-1] - middles[-1]
    edges: NDArray[np.float64] = np.concatenate([[first], middles, [last]])
    return edges


def _local_step(energy_eV: NDArray[np.float64], at_eV: NDArray[np.float64]) -> NDArray[np.float64]:
    interval = np.clip(np.searchsorted(energy_eV, at_eV, side="right") - 1, 0, len(energy_eV) - 2)
    step: NDArray[np.float64] = np.diff(energy_eV)[interval]
    return step


def _integral(
    at_eV: NDArray[np.float64],
    edges: NDArray[np.float64],
    area: NDArray[np.float64],
    intensity: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Area from the first edge up to an energy; outside the measured window the last value goes on."""
    inside = np.interp(at_eV, edges, area)
    below = np.minimum(at_eV - edges[0], 0.0) * intensity[0]
    above = np.maximum(at_eV - edges[-1], 0.0) * intensity[-1]
    total: NDArray[np.float64] = inside + below + above
    return total


def _missing(spectrum: MeasuredSpectrum, axis_kinetic_eV: NDArray[np.float64]) -> tuple[float, float]:
    """How many eV of the axis lie below and above the measured window; under a hundredth of a channel is none."""
    half = channel_width(axis_kinetic_eV) / 2
    edges = cell_edges(spectrum.kinetic_energy_eV)
    below, above = edges[0] - (axis_kinetic_eV[0] - half), axis_kinetic_eV[-1] + half - edges[-1]
    return float(below) if below > 0.02 * half else 0.0, float(above) if above > 0.02 * half else 0.0


def _check_coverage(spectrum: MeasuredSpectrum, axis_kinetic_eV: NDArray[np.float64], largest_extension: float) -> None:
    below, above = _missing(spectrum, axis_kinetic_eV)
    length = channel_width(axis_kinetic_eV) * len(axis_kinetic_eV)
    if below + above <= largest_extension * length:
        return
    low, high = spectrum.window_eV
    raise UsageError(
        f"measured from {low:.1f} to {high:.1f} eV kinetic energy, but the network reads "
        f"{axis_kinetic_eV[0]:.1f} to {axis_kinetic_eV[-1]:.1f} eV: {(below + above) / length:.0%} of it is missing, "
        f"{largest_extension:.0%} may be",
        where=f"{spectrum.file} ({spectrum.name})",
        try_="measure a wider survey, or train a network for this window (its energy axis is set in the job file)",
    )
