"""A film between the sample and the analyser: how its thickness tells on electrons of different energies."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from xpshpc.spectra.transport.escape import surface_excitation
from xpshpc.spectra.transport.escape_curves import EscapeCurves

_THINNEST_A = 0.2
"""Å; the shares of thinner films are those of this one: they differ by less than can be seen."""

_OPAQUE_PATHS = 80.0
"""Through more, an electron in 1e34 passes without a loss, and all others have lost what energy they had."""

_REFERENCES = (3, 10)
"""The fewest and the most reference paths of a film."""


def loss_free_share(paths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of a film's own electrons that leave without a loss, (1 − e^{-x})/x for a film of x mean free paths."""
    share: NDArray[np.float64] = -np.expm1(-paths) / paths
    return share


@dataclass(frozen=True)
class Film:
    """A film's material by its curves, the direction of emission, and the energies of the electrons that cross it.

    With `surface_losses` the surface takes its toll after the film.
    """

    curves: EscapeCurves
    cosine: float
    surface_losses: bool
    lowest_eV: float
    highest_eV: float
    thickest_A: float
    atoms_per_A3: float

    def paths_per_A(self, energy_eV: NDArray[np.float64]) -> NDArray[np.float64]:
        """Attenuation lengths that 1 Å of film is thick along the way out, 1/(L cos θ), for each energy."""
        only = np.zeros(energy_eV.shape, dtype=np.intp)
        paths: NDArray[np.float64] = 1.0 / (self.curves.at(self.curves.attenuation_A, only, energy_eV) * self.cosine)
        return paths

    def directed_paths_per_A(self, energy_eV: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same for the asymmetry of lines, which elastic deflections end too, 1/(Λ cos θ) with Λ = λ(1 − ω)."""
        only = np.zeros(energy_eV.shape, dtype=np.intp)
        curves = self.curves
        length = curves.at(curves.yield_, only, energy_eV) * curves.at(curves.isotropy, only, energy_eV)
        paths: NDArray[np.float64] = self.atoms_per_A3 / (length * self.cosine)
        return paths

    def surface_paths(self, energy_eV: NDArray[np.float64]) -> NDArray[np.float64]:
        """The mean number of losses at the surface, 0 where they are left out."""
        if not self.surface_losses:
            return np.zeros(energy_eV.shape)
        return surface_excitation(energy_eV, self.cosine)

    @cached_property
    def references(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Paths for each Å, and paths at the surface, of the electrons that stand for all others, both (references,).

        Chebyshev nodes: three, and one more for each mean free path above three by which the thickest film differs
        between the slowest and the fastest electrons.
        """
        energy = np.linspace(self.lowest_eV, self.highest_eV, 400)
        paths = self.paths_per_A(energy)
        order = np.argsort(paths)
        spread = (paths.max() - paths.min()) * self.thickest_A
        number = int(np.clip(np.ceil(spread), *_REFERENCES))
        nodes = np.cos(np.pi * (np.arange(number) + 0.5) / number)
        references = 0.5 * (paths.max() + paths.min() + (paths.max() - paths.min()) * nodes)
        return references, np.interp(references, paths[order], self.surface_paths(energy)[order])

    def reference_paths(self, thickness_A: NDArray[np.float64]) -> NDArray[np.float64]:
        """The reference paths through films (n,) and their surface, (n, references); no more than 80 through a film."""
        per_A, at_surface = self.references
        paths: NDArray[np.float64] = self._not_opaque(thickness_A)[:, None] * per_A + at_surface
        return paths

    def _not_opaque(self, thickness_A: NDArray[np.float64]) -> NDArray[np.float64]:
        thickness: NDArray[np.float64] = np.minimum(thickness_A, _OPAQUE_PATHS / self.references[0].max())
        return thickness

    def shares(self, thickness_A: NDArray[np.float64], energy_eV: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shares in the reference paths of electrons that crossed films without a loss, (n, references, energies).

        `thickness_A`: (n,); `energy_eV`: (energies,). Paths depend on the energy, a product in Fourier space cannot:
        so each energy is shared between the references such that what crosses the film without a loss (1), with one
        (x for x paths), with more as there are references, and in all (e^x) is exact, always for each electron that
        crossed without a loss. Later losses are interpolated: under 40 Å of C5O the number of electrons with n losses
        is right to 3 %, at each energy. Of what a film is thicker than the thickest, only the attenuation tells.
        """
        reached = np.clip(thickness_A, _THINNEST_A, max(self.thickest_A, _THINNEST_A))[:, None]
        reference_per_A, reference_surface = self.references
        per_A = self.paths_per_A(energy_eV)
        nodes = reached * reference_per_A + reference_surface
        paths = reached * per_A + self.surface_paths(energy_eV)
        middle = nodes.mean(axis=1, keepdims=True)
        number = len(reference_per_A)
        shares = np.linalg.solve(_conditions(nodes - middle, number), _conditions(paths - middle, number))
        rest = np.maximum(self._not_opaque(thickness_A)[:, None] - reached, 0.0)
        shares *= np.exp(rest[:, :, None] * (per_A - reference_per_A[:, None]))
        return np.asarray(shares, dtype=np.float64)


def _conditions(paths: NDArray[np.float64], number: int) -> NDArray[np.float64]:
    """e^x, 1, x, x²… for paths x (n, k), in all `number` of them: (n, number, k)."""
    terms = [np.exp(paths), np.ones_like(paths)]
    while len(terms) < number:
        terms.append(terms[-1] * paths)
    return np.stack(terms, axis=1)
