"""The electrons that lost energy on their way out: all orders of loss, in the sample, in the film, at the surface.

What is lost is spread over many eV, so it is computed on a grid some times coarser than the channels. Lines are drawn
on that grid through a cubic B-spline, which spares it what it cannot hold; the spline is divided out again in Fourier
space, and a second one, likewise, leads back to the channels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xpshpc.spectra.emission import Emission
from xpshpc.spectra.film import Film
from xpshpc.spectra.loss import LossSpace, cubic_weights, transmitted
from xpshpc.spectra.loss_functions import LOSS_FUNCTIONS, finest_structure_eV, loss_function
from xpshpc.spectra.profile_bank import LineShapes, ProfileBank

CUBIC = 4
"""Running means in a cubic B-spline."""

_CELLS_PER_STRUCTURE = 4.55
_WIDEST_CELL_EV = 4.4
_STEP_A = 0.5
_STEP_VARIANCE = 0.01
_PLACES = 32
"""Places in a cell that a film's background may be moved by."""

_SPARE_CELLS = 32
"""Beyond the last channel: a spline divided out rings by 0.27 from cell to cell, back through the top of the grid."""


def coarseness(loss: str, channel_eV: float) -> int:
    """Channels in a cell: a power of two that leaves 4.5 cells for a loss function's sharpest feature, 4.4 eV at most.

    No channel then differs by more than 1e-3 of the strongest from what cells of one channel give.
    """
    widest = min(finest_structure_eV(loss) / _CELLS_PER_STRUCTURE, _WIDEST_CELL_EV)
    return int(2 ** max(0, np.floor(np.log2(widest / channel_eV))))


class Tabulated:
    """A function of one figure of a sample, kept at steps from 0 to a largest figure and computed beyond it.

    Linear between the steps: an error of step²/8 times the second derivative.
    """

    def __init__(
        self, exact: Callable[[NDArray[np.float64]], NDArray[np.complex128]], *, step: float, most: float
    ) -> None:
        self._exact, self._step = exact, step
        values = exact(step * np.arange(np.ceil(most / step) + 2.0))
        self._values, self._gains = values[:-1], np.diff(values, axis=0)

    def at(self, figures: NDArray[np.float64]) -> NDArray[np.complex128]:
        """The function's values (n, …) at figures (n,)."""
        place = figures / self._step
        left = np.minimum(place.astype(np.intp), len(self._values) - 1)
        values = self._gains[left]
        values *= (place - left).reshape(-1, *(1,) * (values.ndim - 1))
        values += self._values[left]
        beyond = place > len(self._values)
        if beyond.any():
            values[beyond] = self._exact(figures[beyond])
        return values


@dataclass(frozen=True)
class LossGrid:
    """The cells that losses are computed on: `cells` of `ratio` channels each, falling from `top_eV`.

    The channels that are wanted begin at the cell `first`, `channels` of them.
    """

    top_eV: float
    channel_eV: float
    ratio: int
    first: int
    channels: int

    @property
    def cell_eV(self) -> float:
        return self.ratio * self.channel_eV

    @property
    def cells(self) -> int:
        from scipy.fft import next_fast_len

        return int(next_fast_len(self.first + -(-self.channels // self.ratio) + _SPARE_CELLS, real=True))


class Background:
    """Makes the inelastic backgrounds of samples under one film, whose lines are `own` as those of a half-space each.

    Energies are the analyser's. `film_loss` names the film's loss function, which also shapes losses at the surface;
    tables reach to Gaussians of `widest_sigma_eV`.
    """

    def __init__(
        self, grid: LossGrid, shapes: LineShapes, film: Film, film_loss: str, own: Emission, *, widest_sigma_eV: float
    ) -> None:
        self._grid = grid
        self._space = LossSpace(grid.cells)
        self._damping = self._space.damping
        self._bank = ProfileBank(shapes, top_eV=grid.top_eV, cell_eV=grid.cell_eV, cells=grid.cells, smoothing=CUBIC)
        self._half_space = np.stack([1.0 / self._missing(name) for name in LOSS_FUNCTIONS])
        self._film_missing = self._missing(film_loss)
        spline = self._space.sampled_spline()
        self._finish = 1.0 / (spline**2 * grid.ratio)
        self._per_A, self._at_surface = film.references
        self._own = own
        self._own_lines = self._transform(own, np.arange(len(own.line)), (own.intensity,), len(own.line))[0]
        self._own_per_A, self._own_at_surface = film.paths_per_A(own.energy_eV), film.surface_paths(own.energy_eV)
        self._crossing = Tabulated(self._lost_crossing, step=_STEP_A, most=film.thickest_A)
        self._from_film = Tabulated(self._lost_inside, step=_STEP_A, most=film.thickest_A)
        widest = (widest_sigma_eV / grid.cell_eV) ** 2
        self._gaussians = Tabulated(
            lambda variance: self._space.gaussians(np.sqrt(variance)), step=_STEP_VARIANCE, most=widest
        )

    def spread(
        self,
        below: Emission,
        shares: NDArray[np.float64],
        loss: NDArray[np.intp],
        thickness_A: NDArray[np.float64],
        film_shifts_eV: NDArray[np.float64],
        sigma_eV: NDArray[np.float64],
    ) -> NDArray[np.float32]:
        """Backgrounds (n, channels), kinetic energy falling, in electrons for each channel.

        `below`: lines as they reach the film, shared by `shares` (references, lines) between the reference paths;
        `loss` (n,): places of the samples' loss functions; `film_shifts_eV` (n, m): of the film's elements towards
        higher binding energy; `sigma_eV` (n,): of the Gaussian that broadens all.

        With x the paths across the film and R = 1/(1 − ŵ) the losses in a half-space, what arrives is R e^{-x(1−ŵ)}
        for each electron that leaves the sample without a loss. Without e^{-x}, those that never lost any, it is
        R [e^{-x(1−ŵ)} − e^{-x}] + (R − 1) e^{-x}: lost in the film, or in the sample alone.
        """
        count = len(loss)
        lines = self._transform(below, below.sample, tuple(below.intensity * shares), count)
        crossing = self._crossing.at(thickness_A)
        free = np.exp(-(thickness_A[:, None] * self._per_A + self._at_surface))
        total, never = lines[0] * crossing[:, 0], lines[0] * free[:, :1]
        for reference in range(1, len(lines)):
            total += lines[reference] * crossing[:, reference]
            never += lines[reference] * free[:, reference, None]
        total += never
        total *= self._half_space[loss]
        total -= never
        moved = self._from_film.at(thickness_A)
        places, place = np.unique(np.rint(film_shifts_eV * (_PLACES / self._grid.cell_eV)), return_inverse=True)
        moved *= self._space.spline_shifts(places / _PLACES)[place.reshape(film_shifts_eV.shape)]
        for element in range(moved.shape[1]):
            total += moved[:, element]
        total *= self._gaussians.at(np.square(sigma_eV / self._grid.cell_eV))
        total *= self._finish
        return self._to_channels(self._space.invert(total))

    def _missing(self, loss: str) -> NDArray[np.complex128]:
        """1 − ŵ of a loss function on the cells."""
        return self._space.missing(loss_function(loss, self._grid.cells, self._grid.cell_eV))

    def _transform(
        self, lines: Emission, spectrum: NDArray[np.intp], intensities: tuple[NDArray[np.float64], ...], count: int
    ) -> list[NDArray[np.complex128]]:
        """Transforms of line spectra, drawn through the B-spline, for each of the intensities."""
        drawn = self._bank.draw(spectrum, lines.shape, lines.energy_eV, intensities, count)
        return [self._space.transform(spectra * self._damping) for spectra in drawn]

    def _lost_crossing(self, thickness_A: NDArray[np.float64]) -> NDArray[np.complex128]:
        """e^{-x(1−ŵ)} − e^{-x} for the reference paths across films, (n, references, frequencies)."""
        paths = (thickness_A[:, None] * self._per_A + self._at_surface)[:, :, None]
        return transmitted(self._film_missing, paths) - np.exp(-paths)

    def _lost_inside(self, thickness_A: NDArray[np.float64]) -> NDArray[np.complex128]:
        """What films emit with losses, (n, elements, frequencies): (1 − e^{-x(1−ŵ)})/(1 − ŵ) − (1 − e^{-x}) a line."""
        emitted = np.zeros((len(thickness_A), int(self._own.place.max()) + 1, len(self._film_missing)), dtype=complex)
        for line, element in enumerate(self._own.place):
            paths = thickness_A[:, None] * self._own_per_A[line]
            surface = np.full((1, 1), self._own_at_surface[line])
            with_losses = (1.0 - transmitted(self._film_missing, paths)) / self._film_missing
            with_losses *= transmitted(self._film_missing, surface)
            with_losses += np.expm1(-paths) * np.exp(-surface)
            emitted[:, element] += with_losses * self._own_lines[line]
        emitted /= self._space.sampled_spline()
        return emitted

    def _to_channels(self, damped: NDArray[np.float64]) -> NDArray[np.float32]:
        """Spline coefficients on the cells, still damped, to values on the channels."""
        grid = self._grid
        cells = -(-grid.channels // grid.ratio)
        used = slice(grid.first - 1, grid.first + cells + 2)
        coefficients = (damped[:, used] / self._damping[used]).astype(np.float32)
        channels = np.empty((len(damped), cells, grid.ratio), dtype=np.float32)
        for place in range(grid.ratio):
            weights = [np.float32(weight) for weight in cubic_weights(place / grid.ratio)]
            value = coefficients[:, :cells] * weights[0]
            for neighbour in (1, 2, 3):
                if weights[neighbour]:
                    value += coefficients[:, neighbour : neighbour + cells] * weights[neighbour]
            channels[:, :, place] = value
        return channels.reshape(len(damped), -1)[:, : grid.channels]
