"""Which lines samples emit, and how strongly: cross-sections, elastic scattering, mean free paths."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from xpshpc.spectra.lines.line_table import LineKind, LineTable
from xpshpc.spectra.transport.escape import dipole_factor
from xpshpc.spectra.transport.escape_curves import EscapeCurves


@dataclass(frozen=True)
class Emission:
    """Lines of samples, one entry for each, (entries,).

    `place`: column of the element in the sample; `line`: row of the line table; `shape`: its profile, the row again or,
    in a metal, the row after all rows of the table; `energy_eV`: kinetic energy, shifts included; `intensity`: the
    electrons that leave the surface without a loss, `directed` of them for the dipole asymmetry (it may be negative).
    """

    sample: NDArray[np.intp]
    place: NDArray[np.intp]
    line: NDArray[np.intp]
    shape: NDArray[np.intp]
    energy_eV: NDArray[np.float64]
    intensity: NDArray[np.float64]
    directed: NDArray[np.float64]

    def of(self, samples: slice) -> Emission:
        """The lines of neighbouring samples, which are counted anew from 0; entries must be in the samples' order."""
        first, last = np.searchsorted(self.sample, (samples.start, samples.stop))
        chosen = {field.name: getattr(self, field.name)[first:last] for field in fields(self)}
        return Emission(**{**chosen, "sample": chosen["sample"] - samples.start})


@dataclass(frozen=True)
class Solids:
    """What the atoms of samples are surrounded by, arrays (n, k): for each element of each sample its row in `curves`,
    whether it is part of a metal, and whether of an oxide.
    """

    curves: EscapeCurves
    row: NDArray[np.intp]
    metallic: NDArray[np.bool_]
    oxidised: NDArray[np.bool_]


def emit(
    table: LineTable,
    elements: NDArray[np.intp],
    fractions: NDArray[np.float64],
    shifts_eV: NDArray[np.float64],
    solids: Solids,
    *,
    cosine: float,
    source_angle_deg: float,
) -> Emission:
    """All lines of half-spaces of these elements (n, k), shifted towards higher binding energy.

    I = N σ λ Q cos θ [1 − β_eff/4 (3 cos²ψ − 1)], with λ, Q and β_eff = β(1 − ω)/Q of the solid at the line's energy.
    The second term is `directed`: a film on top weakens it more, see stack_emission.py.
    """
    places = elements.shape[1]
    lines = np.where(fractions > 0.0, np.diff(table.first)[elements], 0).ravel()
    position = np.repeat(np.arange(lines.size), lines)
    order = np.arange(position.size) - np.repeat(np.cumsum(lines) - lines, lines)
    line = table.first[elements.ravel()[position]] + order
    oxidised = solids.oxidised.ravel()[position]
    active = oxidised | (table.kind[line] != LineKind.SHAKE_UP)
    position, line, oxidised = position[active], line[active], oxidised[active]
    energy = table.kinetic_energy_eV[line] - shifts_eV.ravel()[position]
    curves, row = solids.curves, solids.row.ravel()[position]
    intensity = fractions.ravel()[position] * table.cross_section_barn[line]
    intensity *= np.where(oxidised, table.kept_share[line], 1.0)
    intensity *= cosine * curves.at(curves.yield_, row, energy)
    effective = table.asymmetry[line] * curves.at(curves.isotropy, row, energy)
    directed = intensity * (dipole_factor(effective, source_angle_deg) - 1.0)
    intensity += directed
    shape = line + len(table) * solids.metallic.ravel()[position]
    return Emission(position // places, position % places, line, shape, energy, intensity, directed)
