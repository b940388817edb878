"""The electrons that lost energy on their way out: all orders of loss, in the sample, in the film, at the surface.

What is lost is spread over many eV, so it is computed on a grid some times coarser than the channels. Electrons are
sorted into its cells by a cubic B-spline, which spares it what it cannot hold; the spline is divided out again in
Fourier space, and a second one, likewise, leads back to the channels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.spectra.simulation.emission import Emission
from xpshpc.spectra.simulation.film import Film
from xpshpc.spectra.transport.loss import LossSpace, cubic_weights, transmitted
from xpshpc.spectra.transport.loss_functions import finest_structure_eV, loss_function

_CELLS_PER_STRUCTURE = 4.55
_WIDEST_CELL_EV = 4.4
_STEP_A = 0.5
_PLACES = 32
"""Places in a cell that a film's background may be moved by."""

_SPARE_CELLS = 32
"""Beyond the last channel: a spline divided out rings by 0.27 from cell to cell, back through the top of the grid."""

_GROUP = 8
"""Cells that are led back to the channels by one product of matrices."""


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

    def __init__(self, exact: Callable[[NDArray[np.float64]], NDArray[Any]], *, step: float, most: float) -> None:
        self._exact, self._step = exact, step
        values = exact(step * np.arange(np.ceil(most / step) + 2.0))
        self._values, self._gains = values[:-1], np.diff(values, axis=0)

    def at(self, figures: NDArray[np.float64]) -> NDArray[Any]:
        """The function's values (n, …) at figures (n,), in the function's own type."""
        place = figures / self._step
        left = np.minimum(place.astype(np.intp), len(self._values) - 1)
        values: NDArray[Any] = self._gains[left]
        values *= (place - left).astype(values.real.dtype).reshape(-1, *(1,) * (values.ndim - 1))
        values += self._values[left]
        beyond = place > len(self._values)
        if beyond.any():
            values[beyond] = self._exact(figures[beyond])
        return values


@dataclass(frozen=True)
class LossGrid:
    """The cells that losses are computed on: `ratio` channels each, falling from `top_eV`, for `channels` channels."""

    top_eV: float
    channel_eV: float
    ratio: int
    channels: int

    @property
    def cell_eV(self) -> float:
        return self.ratio * self.channel_eV

    @property
    def filled(self) -> int:
        """The cells that hold channels."""
        return -(-self.channels // self.ratio)

    @cached_property
    def cells(self) -> int:
        from scipy.fft import next_fast_len

        return int(next_fast_len(self.filled + _SPARE_CELLS, real=True))

    @property
    def energy_eV(self) -> NDArray[np.float64]:
        """Kinetic energies of the cells, which are those of their first channels, (cells,)."""
        energy: NDArray[np.float64] = self.top_eV - self.cell_eV * np.arange(float(self.cells))
        return energy

    def sort(self, spectra: NDArray[np.float32]) -> NDArray[np.float32]:
        """What B-splines around the cells hold of spectra (n, at least `filled` · `ratio`), (n, cells)."""
        channels = spectra[:, : self.filled * self.ratio].reshape(len(spectra), self.filled, self.ratio)
        parts = self._weights @ channels.transpose(0, 2, 1)
        cells = np.zeros((len(spectra), self.cells), dtype=np.float32)
        cells[:, : self.filled - 1] = parts[:, 0, 1:]
        for later in range(3):
            cells[:, later : later + self.filled] += parts[:, later + 1]
        return cells

    def unfold(self, cells: NDArray[np.float32], first: int, channels: int) -> NDArray[np.float32]:
        """Sums of B-splines around the cells, with these coefficients (n, cells), on `channels` channels from `first`.

        There must be a cell before the one that holds the first channel.
        """
        begin = first // self.ratio
        groups = -(-(first + channels - begin * self.ratio) // (_GROUP * self.ratio))
        used = cells[:, begin - 1 : begin + _GROUP * groups + 2]
        windows = np.lib.stride_tricks.sliding_window_view(used, _GROUP + 3, axis=1)[:, ::_GROUP]
        spectra = np.ascontiguousarray(windows) @ self._unfolding
        skipped = first - begin * self.ratio
        return spectra.reshape(len(cells), -1)[:, skipped : skipped + channels]

    @cached_property
    def _unfolding(self) -> NDArray[np.float32]:
        """What the splines of a group's cells, the one before and the two that follow weigh in the group's channels."""
        weights = np.zeros((_GROUP + 3, _GROUP, self.ratio), dtype=np.float32)
        for place in range(_GROUP):
            weights[place : place + 4, place] = self._weights
        return weights.reshape(_GROUP + 3, -1)

    @cached_property
    def _weights(self) -> NDArray[np.float32]:
        """What the splines of the cell before, of its own and of the two that follow weigh in a channel, (4, ratio)."""
        return np.array(cubic_weights(np.arange(self.ratio) / self.ratio), dtype=np.float32)


class Background:
    """Makes the inelastic backgrounds of samples with one loss function under one film.

    `loss` and `film_loss` name the loss functions of samples and film; that of the film also shapes losses at the
    surface. `own`: the film's lines as those of a half-space each, and `own_spectra` (lines, channels) the same drawn.
    """

    def __init__(
        self,
        grid: LossGrid,
        loss: str,
        film: Film,
        film_loss: str,
        own: Emission,
        own_spectra: NDArray[np.float32],
    ) -> None:
        self._grid, self._film = grid, film
        self._space = LossSpace(grid.cells)
        self._damping = self._space.damping
        self._energy_eV = np.clip(grid.energy_eV, film.lowest_eV, film.highest_eV)
        self._half_space = 1.0 / self._missing(loss)
        self._film_missing = self._missing(film_loss)
        spline = self._space.sampled_spline()
        self._finish = 1.0 / (spline**2 * grid.ratio)
        self._own = own
        self._own_lines = self._space.transform(grid.sort(own_spectra) * self._damping) / spline
        self._own_per_A, self._own_at_surface = film.paths_per_A(own.energy_eV), film.surface_paths(own.energy_eV)
        self._shares = Tabulated(self._damped_shares, step=_STEP_A, most=film.thickest_A)
        self._lost = Tabulated(self._lost_from_below, step=_STEP_A, most=film.thickest_A)
        self._from_film = Tabulated(self._lost_from_film, step=_STEP_A, most=film.thickest_A)

    def spread(
        self,
        crossed: NDArray[np.float32],
        thickness_A: NDArray[np.float64],
        film_shifts_eV: NDArray[np.float64],
        *,
        first: int,
        channels: int,
    ) -> NDArray[np.float32]:
        """Backgrounds (n, channels) from the grid's channel `first`, in electrons for each channel.

        `crossed` (n, the grid's channels): electrons from below films of `thickness_A` (n,) that leave without a loss;
        `film_shifts_eV` (n, m): of the film's elements towards higher binding energy.

        With x the paths across the film and R = 1/(1 − ŵ) the losses in a half-space, for each electron that leaves
        without any loss R e^{xŵ} − 1 arrive that have lost energy.
        """
        signals = self._shares.at(thickness_A)
        signals *= self._grid.sort(crossed)[:, None]
        lost = self._space.transform(signals.astype(np.float64))
        lost *= self._lost.at(thickness_A)
        moved = self._from_film.at(thickness_A)
        places, place = np.unique(np.rint(film_shifts_eV * (_PLACES / self._grid.cell_eV)), return_inverse=True)
        moved *= self._space.spline_shifts(places / _PLACES)[place.reshape(film_shifts_eV.shape)]
        total = lost[:, 0]
        for part in (*np.moveaxis(lost, 1, 0)[1:], *np.moveaxis(moved, 1, 0)):
            total += part
        spread = self._space.invert(total)
        spread /= self._damping
        return self._grid.unfold(spread.astype(np.float32), first, channels)

    def _missing(self, loss: str) -> NDArray[np.complex128]:
        """1 − ŵ of a loss function on the cells."""
        return self._space.missing(loss_function(loss, self._grid.cells, self._grid.cell_eV))

    def _damped_shares(self, thickness_A: NDArray[np.float64]) -> NDArray[np.float32]:
        """The cells' shares in the reference paths across films, damped, (n, references, cells)."""
        return (self._film.shares(thickness_A, self._energy_eV) * self._damping).astype(np.float32)

    def _lost_from_below(self, thickness_A: NDArray[np.float64]) -> NDArray[np.complex128]:
        """R e^{xŵ} − 1 for the reference paths x across films, (n, references, frequencies)."""
        paths = self._film.reference_paths(thickness_A)[:, :, None]
        lost: NDArray[np.complex128] = self._half_space * transmitted(self._film_missing - 1.0, paths) - 1.0
        return lost * self._finish

    def _lost_from_film(self, thickness_A: NDArray[np.float64]) -> NDArray[np.complex128]:
        """What films emit with losses, (n, elements, frequencies): (1 − e^{-x(1−ŵ)})/(1 − ŵ) − (1 − e^{-x}) a line."""
        emitted = np.zeros((len(thickness_A), int(self._own.place.max()) + 1, len(self._film_missing)), dtype=complex)
        for line, element in enumerate(self._own.place):
            paths = thickness_A[:, None] * self._own_per_A[line]
            surface = np.full((1, 1), self._own_at_surface[line])
            with_losses = (1.0 - transmitted(self._film_missing, paths)) / self._film_missing
            with_losses *= transmitted(self._film_missing, surface)
            with_losses += np.expm1(-paths) * np.exp(-surface)
            emitted[:, element] += with_losses * self._own_lines[line]
        emitted *= self._finish
        return emitted
