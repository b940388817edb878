"""Drawing lines: profiles kept ready at every place inside a cell, and added up by one sparse product.

A spectrum is cut into chunks of CHUNK cells. A profile is kept once for every place that a line may have inside a
chunk, each time as a few chunks in a row, so that drawing a line adds some rows of the bank, times the line's
intensity, to the chunks of its spectrum. Those additions are the product of a sparse matrix (chunk of a spectrum, row
of the bank) with the bank.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xpshpc.spectra.lines.lineshape import line_profile
from xpshpc.spectra.lines.sources import XraySource

if TYPE_CHECKING:
    from scipy.interpolate import CubicSpline

CHUNK = 16
"""Cells that are added at once; with 4 bytes each, the line of a processor's cache."""

_FINEST_PLACE_EV = 0.04
_MOST_PLACES = 32
_POINTS_PER_WIDTH = 16.0
_LEAST_REACH_EV = 12.0
_PAIR_TAIL_EV = 40.0
_LORENTZ_STEP, _LORENTZ_START_EV = 0.05, 0.5
_GAUSS_STEP = 0.005


@dataclass(frozen=True)
class Profile:
    """A line with its satellites: density per eV at kinetic energies from `lower_eV` below the line to `higher_eV`
    above it, rising in equal steps; `area` is 1 and the satellites' heights.
    """

    higher_eV: float
    lower_eV: float
    density: NDArray[np.float64]
    area: float

    def at(self, distance_eV: NDArray[np.float64]) -> NDArray[np.float64]:
        """The density at distances (points,) from the line, 0 beyond its reach; a cubic spline between its points."""
        inside = (distance_eV <= self.higher_eV) & (distance_eV >= -self.lower_eV)
        density = np.zeros(len(distance_eV))
        density[inside] = self._spline(distance_eV[inside])
        return density

    @cached_property
    def _spline(self) -> CubicSpline:
        from scipy.interpolate import CubicSpline

        return CubicSpline(np.linspace(-self.lower_eV, self.higher_eV, len(self.density)), self.density)


@dataclass(frozen=True)
class LineShapes:
    """The profiles of lines: `number` (lines,) is each line's place in `profiles`."""

    number: NDArray[np.intp]
    profiles: tuple[Profile, ...]


def shape_lines(
    lorentz_fwhm_eV: NDArray[np.float64],
    gauss_fwhm_eV: NDArray[np.float64],
    singularity: NDArray[np.float64],
    band_eV: NDArray[np.float64],
    satellites: NDArray[np.bool_],
    source: XraySource,
) -> LineShapes:
    """Profiles of lines with these widths, Doniach–Šunjić indices and valence bands, every array (lines,).

    Lines with `satellites` have those of the source. Widths are rounded by less than 2 % of a line's whole width, which
    is finer than they are known, so that many lines share a profile.
    """
    lorentz = _LORENTZ_START_EV * np.expm1(
        _LORENTZ_STEP * np.round(np.log1p(lorentz_fwhm_eV / _LORENTZ_START_EV) / _LORENTZ_STEP)
    )
    gauss = np.exp(_GAUSS_STEP * np.round(np.log(np.maximum(gauss_fwhm_eV, 0.02)) / _GAUSS_STEP))
    keys = list(
        zip(lorentz.tolist(), gauss.tolist(), singularity.tolist(), band_eV.tolist(), satellites.tolist(), strict=True)
    )
    places = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    profiles = tuple(_profile(*key[:4], source.satellites if key[4] else ()) for key in places)
    return LineShapes(np.array([places[key] for key in keys], dtype=np.intp), profiles)


def _profile(
    lorentz: float, gauss: float, singularity: float, band: float, satellites: tuple[tuple[float, float], ...]
) -> Profile:
    """A line of unit area with satellites on top; what it has beyond its reach is put back inside."""
    reach = max(_LEAST_REACH_EV, 10.0 * lorentz + 3.0 * gauss)
    higher = reach + max((shift for shift, _ in satellites), default=0.0)
    lower = reach + band + (_PAIR_TAIL_EV if singularity > 0.0 else 0.0)
    points = int(np.ceil((higher + lower) * _POINTS_PER_WIDTH / (gauss + lorentz)))
    distance, step = np.linspace(-lower, higher, points, retstep=True)
    main = line_profile(distance, lorentz, gauss, singularity, band)
    main /= main.sum() * step
    density = main.copy()
    for shift, height in satellites:
        density += height * np.interp(distance - shift, distance, main, left=0.0)
    return Profile(higher, lower, density, 1.0 + sum(height for _, height in satellites))


class ProfileBank:
    """Profiles of lines on `cells` cells of `cell_eV`, the first at the kinetic energy `top_eV`, then falling.

    A cell holds the mean of a profile over the cell's width. A profile sums to 1, what it has beyond its reach put back
    inside, and to 1 + Σ heights with the satellites of its source. A line is drawn within 0.02 eV or 1/64 of a cell of
    where it stands.
    """

    def __init__(self, shapes: LineShapes, *, top_eV: float, cell_eV: float, cells: int) -> None:
        places = 2 ** int(np.ceil(np.log2(cell_eV / _FINEST_PLACE_EV)))
        self._top, self._cells = top_eV, cells
        self._places = int(np.clip(places, 1, _MOST_PLACES))
        self._place_eV = cell_eV / self._places
        smoothed = [self._smooth(profile) for profile in shapes.profiles]
        stacks = [self._placed(smooth) for _, smooth in smoothed]
        chunks = np.array([len(stack) // self._phases for stack in stacks], dtype=np.int32)
        first = np.concatenate(([0], np.cumsum(chunks * self._phases)[:-1])).astype(np.int32)
        before = np.array([before for before, _ in smoothed], dtype=np.int32)
        self._before = self._places * before[shapes.number]
        self._chunks, self._first = chunks[shapes.number], first[shapes.number]
        self._bank = np.concatenate(stacks)
        self._width = -(-cells // CHUNK)

    @property
    def _phases(self) -> int:
        return CHUNK * self._places

    def draw(
        self,
        spectrum: NDArray[np.intp],
        shape: NDArray[np.intp],
        energy_eV: NDArray[np.float64],
        intensity: NDArray[np.float64],
        spectra: int,
    ) -> NDArray[np.float32]:
        """Sums of lines of these intensities (lines,): (spectra, cells), counts in a cell.

        Each line belongs to a `spectrum` below `spectra` and has a `shape`, a place in the bank's shapes. What lies
        beyond the grid is left out.
        """
        from scipy.sparse import coo_array

        start = np.rint((self._top - energy_eV) / self._place_eV).astype(np.int32) - self._before[shape]
        chunk = start // self._phases
        first = np.clip(chunk, 0, self._width)
        count = np.clip(chunk + self._chunks[shape], 0, self._width) - first
        row = self._first[shape] + (start - chunk * self._phases) * self._chunks[shape] + first - chunk
        before = np.cumsum(count, dtype=np.int32) - count
        order = np.arange(int(count.sum()), dtype=np.int32)
        target = (spectrum * self._width).astype(np.int32) + first
        places = (np.repeat(target - before, count) + order, np.repeat(row - before, count) + order)
        weight = np.repeat(intensity.astype(np.float32), count)
        sparse = coo_array((weight, places), shape=(spectra * self._width, len(self._bank)))
        drawn: NDArray[np.float32] = (sparse @ self._bank).reshape(spectra, self._width * CHUNK)
        return drawn[:, : self._cells]

    def _smooth(self, profile: Profile) -> tuple[int, NDArray[np.float64]]:
        """Cells from a window's start to a line at its first place, and the cells' means at all distances.

        Distances fall in steps of a place; there are as many as the windows of all places of a chunk need.
        """
        cell = self._place_eV * self._places
        before = int(np.ceil(profile.higher_eV / cell)) + 1
        after = int(np.ceil(profile.lower_eV / cell)) + 2
        cells = CHUNK * -(-(before + after + CHUNK) // CHUNK)
        points = self._places * (cells + CHUNK - 2) + 1
        nearest = self._places * (before + CHUNK) - 1 - 0.5 * (self._places - 1)
        density = profile.at(self._place_eV * (nearest - np.arange(float(points))))
        density *= profile.area * self._places / density.sum()
        return before, _running_mean(density, self._places)

    def _placed(self, smooth: NDArray[np.float64]) -> NDArray[np.float32]:
        """The windows cut from a smoothed profile, for every place inside a chunk: (places · chunks, CHUNK)."""
        cells = len(smooth) // self._places - CHUNK + 1
        last = self._phases - 1
        window = np.lib.stride_tricks.sliding_window_view(smooth.astype(np.float32), self._places * (cells - 1) + 1)
        return window[last::-1, :: self._places].reshape(-1, CHUNK)


def _running_mean(values: NDArray[np.float64], points: int) -> NDArray[np.float64]:
    """Means over every `points` neighbours, those that reach over the ends included (zeros beyond)."""
    sums = np.concatenate((np.zeros(points), np.cumsum(values), np.full(points - 1, values.sum())))
    mean: NDArray[np.float64] = (sums[points:] - sums[:-points]) / points
    return mean
