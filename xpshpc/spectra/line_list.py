"""The lines of one sample, with every quantity behind their intensity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xpshpc.spectra.batch import SampleBatch
from xpshpc.spectra.elements import ELEMENTS
from xpshpc.spectra.film import loss_free_share
from xpshpc.spectra.lines import LineTable
from xpshpc.spectra.materials import mix
from xpshpc.spectra.simulator import Emission, Simulator
from xpshpc.spectra.transport import inelastic_mean_free_path, transport_mean_free_path


@dataclass(frozen=True)
class LineIntensity:
    """One line of one sample; intensity: the electrons that leave without a loss, in a common arbitrary unit."""

    element: str
    orbital: str
    layer: str
    kinetic_energy_eV: float
    binding_energy_eV: float
    cross_section_barn: float
    asymmetry: float
    imfp_A: float
    transport_mfp_A: float
    intensity: float


def list_lines(simulator: Simulator, batch: SampleBatch) -> list[LineIntensity]:
    """The lines of a batch of one sample that stand inside the simulator's window, the strongest first."""
    thickness = float(batch.overlayer_A[0])
    bulk = mix(batch.elements, batch.fractions, density=batch.density_g_cm3)
    below = simulator.emit_below(batch)
    paths = thickness / (inelastic_mean_free_path(simulator.overlayer, below.energy_eV) * simulator.cosine)
    below.intensity[:] *= np.exp(-paths)
    table = simulator.table
    found = _list_layer("sample", table, below, batch.elements[0], batch.fractions[0], float(bulk.atoms_per_A3[0]))
    if thickness > 0.0:
        film = simulator.emit_overlayer(batch)
        film.intensity[:] *= loss_free_share(thickness / (film.imfp_A * simulator.cosine))
        atoms = float(simulator.overlayer.atoms_per_A3[0])
        elements, fractions = simulator.overlayer_elements, simulator.overlayer_fractions
        found += _list_layer("overlayer", table, film, elements, fractions, atoms)
    low, high = simulator.instrument.window_eV
    seen = [line for line in found if low <= line.kinetic_energy_eV < high]
    return sorted(seen, key=lambda line: -line.intensity)


def _list_layer(
    layer: str,
    table: LineTable,
    emission: Emission,
    elements: NDArray[np.intp],
    fractions: NDArray[np.float64],
    atoms_per_A3: float,
) -> list[LineIntensity]:
    transport = transport_mean_free_path(elements, fractions, atoms_per_A3, emission.energy_eV)
    figures = zip(emission.line, emission.energy_eV, emission.imfp_A, transport, emission.intensity, strict=True)
    return [
        LineIntensity(
            ELEMENTS[table.element[line]],
            table.orbital[line],
            layer,
            float(energy),
            float(table.source.photon_energy_eV - energy),
            float(table.cross_section_barn[line]),
            float(table.asymmetry[line]),
            float(path),
            float(transport_path),
            float(intensity),
        )
        for line, energy, path, transport_path, intensity in figures
    ]
