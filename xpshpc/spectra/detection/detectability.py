"""Which elements a spectrum can show: detection limits by counting statistics, from the expected spectrum.

Currie's limit (Anal. Chem. 40, 586, 1968, 10.1021/ac60259a007) for paired observations: the counts of a line's window
are compared with a background that is counted, over as many channels, beside it. A line that is expected to bring
L_D = 2.71 + 4.65 √B counts over a background of B counts is overlooked in 5 % of all measurements, by a threshold that
sees a line where there is none in 5 %.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainc, ndtr

from xpshpc.spectra.lines.line_table import LineKind
from xpshpc.spectra.lines.lineshape import PAIR_ENERGY_EV

if TYPE_CHECKING:
    from xpshpc.spectra.matter.batch import SampleBatch
    from xpshpc.spectra.simulation.simulator import Expectation, Simulator

UNSEEN = 1e6
"""The limit of an element that has no line in the spectrum: as finite as an array of a data set must be."""

_QUADRATIC = 2.71
_PAIRED = 4.65
_NEAR_WIDTHS = 10.0
_SIGMA_PER_FWHM = 1.0 / (2.0 * np.sqrt(2.0 * np.log(2.0)))


@dataclass(frozen=True)
class SpectrumLines:
    """The lines of samples' elements in their expected spectra, one entry for each line, (entries,).

    `sample`: row of the spectrum; `place`: column of the element in the sample; `counts`: what the line adds to the
    spectrum, losses left out; `lorentz_fwhm_eV`, `gauss_fwhm_eV`: its width, source and analyser included;
    `singularity`: the index of its asymmetry in a metal, else 0.
    """

    sample: NDArray[np.intp]
    place: NDArray[np.intp]
    energy_eV: NDArray[np.float64]
    counts: NDArray[np.float64]
    lorentz_fwhm_eV: NDArray[np.float64]
    gauss_fwhm_eV: NDArray[np.float64]
    singularity: NDArray[np.float64]

    def __getitem__(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> SpectrumLines:
        """The chosen entries."""
        return SpectrumLines(*(getattr(self, field.name)[chosen] for field in fields(self)))


@dataclass(frozen=True)
class LineWindows:
    """Counts in the window of each element's strongest line, (n, places): its own lines', and all others'.

    The strongest is the line that would stand out most from an even background, by its counts over the root of its
    width. A window reaches one FWHM to either side of it. Elements without a line have 0 and 0.
    """

    net: NDArray[np.float64]
    background: NDArray[np.float64]


def line_windows(
    spectra: NDArray[np.floating], energy_eV: NDArray[np.float64], places: int, lines: SpectrumLines
) -> LineWindows:
    """Sorts the expected counts (n, channels) at evenly rising energies into each element's lines and the rest.

    Lines are pseudo-Voigt functions, less the electrons of an asymmetric line that its electron–hole pairs carry out of
    the window. These count as background, as do an element's inelastic electrons and its lines beyond ten widths.
    """
    shape = (len(spectra), places)
    lines = lines[(lines.energy_eV >= energy_eV[0]) & (lines.energy_eV <= energy_eV[-1])]
    if not len(lines.sample):
        return LineWindows(np.zeros(shape), np.zeros(shape))
    element = lines.sample * places + lines.place
    width, mixing = pseudo_voigt(lines.lorentz_fwhm_eV, lines.gauss_fwhm_eV)
    strongest = _strongest(element, lines.counts / np.sqrt(width))
    channel = energy_eV[1] - energy_eV[0]
    reach = width[strongest] / channel
    centre = (lines.energy_eV[strongest] - energy_eV[0]) / channel
    nearest = np.rint(centre)
    first_seen = np.maximum(np.minimum(np.ceil(centre - reach), nearest), 0).astype(np.intp)
    last_seen = np.minimum(np.maximum(np.floor(centre + reach), nearest), len(energy_eV) - 1).astype(np.intp)
    gross = _sum_channels(spectra, lines.sample[strongest], first_seen, last_seen)

    window = np.zeros(len(spectra) * places, dtype=np.intp)
    window[element[strongest]] = np.arange(len(strongest))
    mine = window[element]
    near = np.flatnonzero(np.abs(lines.energy_eV - lines.energy_eV[strongest][mine]) <= _NEAR_WIDTHS * width)
    mine, nearby = mine[near], lines[near]
    low = energy_eV[0] + channel * (first_seen[mine] - 0.5) - nearby.energy_eV
    high = energy_eV[0] + channel * (last_seen[mine] + 0.5) - nearby.energy_eV
    share = _below(high, width[near], mixing[near]) - _below(low, width[near], mixing[near])
    own = np.bincount(mine, nearby.counts * share * _above_pairs(-low, nearby.singularity))
    net, background = np.zeros(len(window)), np.zeros(len(window))
    net[element[strongest]] = np.minimum(own, gross)
    background[element[strongest]] = np.maximum(gross - own, 0.0)
    return LineWindows(net.reshape(shape), background.reshape(shape))


def spectrum_lines(simulator: Simulator, batch: SampleBatch, expectation: Expectation) -> SpectrumLines:
    """The core and Auger lines of expected spectra, on their axis; valence bands count as background."""
    table = simulator.table
    lines = expectation.lines
    kind = table.kind[lines.line]
    core = (kind == LineKind.PHOTOELECTRON) | (kind == LineKind.SHAKE_UP)
    known = np.flatnonzero(core | (kind == LineKind.AUGER))
    line, sample = lines.line[known], lines.sample[known]
    source_fwhm = np.where(core[known], table.source.fwhm_eV, 0.0)
    return SpectrumLines(
        sample,
        lines.place[known],
        lines.energy_eV[known] - simulator.instrument.work_function_eV,
        expectation.line_counts[known],
        table.lorentz_fwhm_eV[line],
        np.sqrt(table.gauss_fwhm_eV[line] ** 2 + source_fwhm**2 + batch.analyser_fwhm_eV[sample] ** 2),
        np.where(lines.shape[known] == line, 0.0, table.singularity[line]),
    )


def expected_limits(simulator: Simulator, batch: SampleBatch, expectation: Expectation) -> NDArray[np.float64]:
    """Detection limits of the elements of these samples, atomic fractions (n, places); 0: unused place."""
    lines = spectrum_lines(simulator, batch, expectation)
    windows = line_windows(expectation.counts, simulator.kinetic_energy_eV, batch.elements.shape[1], lines)
    return detection_limits(batch.fractions, windows)


def detection_limits(fractions: NDArray[np.float64], windows: LineWindows) -> NDArray[np.float64]:
    """The smallest atomic fraction of each element that its sample's spectrum would show, (n, places); 0: unused place.

    The line is taken to grow with the fraction over an unchanged background.
    """
    needed = _QUADRATIC + _PAIRED * np.sqrt(windows.background)
    net = np.maximum(windows.net, needed * fractions / UNSEEN)
    return np.where(fractions > 0.0, fractions * needed / np.where(net > 0.0, net, 1.0), 0.0)


def leave_out_undetectable(
    composition: NDArray[np.float32],
    elements: NDArray[np.intp],
    fractions: NDArray[np.float64],
    limits: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Compositions (n, 80) without the elements below their limit, normalised anew; one that loses all is kept."""
    rows, places = np.nonzero((fractions > 0.0) & (fractions < limits))
    left = composition.copy()
    left[rows, elements[rows, places]] = 0.0
    total = left.sum(axis=1, keepdims=True)
    whole: NDArray[np.float32] = np.where(total > 0.0, left / np.where(total > 0.0, total, 1.0), composition)
    return whole


def element_weights(
    size: int, elements: NDArray[np.intp], fractions: NDArray[np.float64], limits: NDArray[np.float64]
) -> NDArray[np.float32]:
    """What each element's error shall count in training, (n, size): below its limit, fraction over limit; else 1."""
    weights = np.ones((len(elements), size), dtype=np.float32)
    rows, places = np.nonzero((fractions > 0.0) & (fractions < limits))
    weights[rows, elements[rows, places]] = fractions[rows, places] / limits[rows, places]
    return weights


def pseudo_voigt(
    lorentz_fwhm: NDArray[np.float64], gauss_fwhm: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Full width at half maximum of Voigt profiles, and the Lorentzian share of the nearest pseudo-Voigt functions.

    Width: Olivero & Longbothum, J. Quant. Spectrosc. Radiat. Transfer 17, 233 (1977), 10.1016/0022-4073(77)90161-3;
    share: Thompson, Cox & Hastings, J. Appl. Cryst. 20, 79 (1987), 10.1107/S0021889887087090.
    """
    width = 0.5346 * lorentz_fwhm + np.sqrt(0.2166 * lorentz_fwhm**2 + gauss_fwhm**2)
    ratio = lorentz_fwhm / width
    return width, ratio * (1.36603 + ratio * (-0.47719 + ratio * 0.11116))


def _strongest(element: NDArray[np.intp], strength: NDArray[np.float64]) -> NDArray[np.intp]:
    """Places of each element's strongest line, ordered by element."""
    most = np.full(element.max() + 1, -1.0)
    np.maximum.at(most, element, strength)
    highest = np.flatnonzero(strength == most[element])
    place = np.full(len(most), -1, dtype=np.intp)
    place[element[highest]] = highest
    return place[place >= 0]


def _sum_channels(
    spectra: NDArray[np.floating], row: NDArray[np.intp], first: NDArray[np.intp], last: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Counts of a spectrum's channels from `first` to `last`, both included.

    Added one after the other, so that the longer windows of its neighbours do not change a sum's last bit.
    """
    channel = first + np.arange(int((last - first).max()) + 1)[:, None]
    counts = np.where(channel <= last, spectra[row, np.minimum(channel, spectra.shape[1] - 1)], 0.0)
    total: NDArray[np.float64] = np.cumsum(counts, axis=0)[-1]
    return total


def _below(offset: NDArray[np.float64], width: NDArray[np.float64], mixing: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of a pseudo-Voigt profile at energies below `offset` from its centre."""
    lorentz = 0.5 + np.arctan(2.0 * offset / width) / np.pi
    share: NDArray[np.float64] = mixing * lorentz + (1.0 - mixing) * ndtr(offset / (_SIGMA_PER_FWHM * width))
    return share


def _above_pairs(reach_eV: NDArray[np.float64], singularity: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of a line whose electron–hole pairs took less than `reach_eV` from it: all of one without asymmetry.

    The energy of the pairs has the Gamma distribution that `line_profile` states.
    """
    share = np.ones(len(reach_eV))
    tailed = np.flatnonzero(singularity > 0.0)
    share[tailed] = gammainc(singularity[tailed], np.maximum(reach_eV[tailed], 0.0) / PAIR_ENERGY_EV)
    return share
