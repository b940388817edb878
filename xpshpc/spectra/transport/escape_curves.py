"""How strongly materials emit at every kinetic energy: smooth curves, made at a few energies and read at the lines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xpshpc.spectra.elements import ELEMENTS
from xpshpc.spectra.matter.materials import Material
from xpshpc.spectra.settings import Physics
from xpshpc.spectra.transport.escape import attenuation_length, elastic_escape_factor, single_scattering_albedo
from xpshpc.spectra.transport.mean_free_paths import mean_free_path, transport_cross_section

_NODES_PER_FOLD = 24
_LEAST_EV, _MOST_EV = 80.0, 10_000.0


@dataclass(frozen=True)
class EscapeCurves:
    """Logarithms of three quantities of materials at equal steps of ln E, every array (materials, nodes).

    `yield_`: N λ Q, the electrons that leave a half-space without a loss for each Å² of cross-section, along the
    normal; `isotropy`: (1 − ω)/Q, what elastic scattering leaves of a line's asymmetry; `attenuation_A`: L in Å.
    """

    first: float
    step: float
    yield_: NDArray[np.float64]
    isotropy: NDArray[np.float64]
    attenuation_A: NDArray[np.float64]

    def at(
        self, curve: NDArray[np.float64], material: NDArray[np.intp], energy_eV: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """One of the quantities, (lines,), of each line's `material` at its energy; linear between the logarithms."""
        place = (np.log(energy_eV) - self.first) / self.step
        left = np.clip(place.astype(np.intp), 0, curve.shape[1] - 2)
        left_value = curve[material, left]
        value: NDArray[np.float64] = np.exp(left_value + (place - left) * (curve[material, left + 1] - left_value))
        return value


class Escape:
    """Makes the curves of materials for one direction of emission and one choice of physics."""

    def __init__(self, physics: Physics, cosine: float, low_eV: float, high_eV: float) -> None:
        low, high = np.log(np.clip([low_eV, high_eV], _LEAST_EV, _MOST_EV))
        nodes = int(np.ceil((high - low) * _NODES_PER_FOLD)) + 1
        self._log_energy = np.linspace(low, high, nodes)
        self._energy = np.exp(self._log_energy)
        self._cosine = cosine
        self._mean_free_path = mean_free_path(physics.imfp)
        self._elastic = physics.elastic_scattering
        self._transport = np.array([transport_cross_section(place, self._energy) for place in range(len(ELEMENTS))])

    def curves(self, elements: NDArray[np.intp], fractions: NDArray[np.float64], material: Material) -> EscapeCurves:
        """The curves of mixtures of `fractions` of `elements`, both (materials, k)."""
        shaped = Material(
            material.mass[:, None], material.density[:, None], material.valence_electrons[:, None],
            material.band_gap[:, None],
        )  # fmt: skip
        atoms = shaped.atoms_per_A3
        inelastic = self._mean_free_path(shaped, self._energy)
        albedo = np.zeros_like(inelastic)
        if self._elastic:
            scattering = np.zeros_like(inelastic)
            for place in range(elements.shape[1]):
                scattering += fractions[:, place, None] * self._transport[elements[:, place]]
            albedo = single_scattering_albedo(inelastic, 1.0 / (atoms * scattering))
        escape = elastic_escape_factor(albedo, self._cosine)
        return EscapeCurves(
            float(self._log_energy[0]),
            float(self._log_energy[1] - self._log_energy[0]),
            np.log(atoms * inelastic * escape),
            np.log((1.0 - albedo) / escape),
            np.log(attenuation_length(inelastic, albedo)),
        )
