"""The lines of a sample with every quantity behind their intensity, as a table for people and programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path
from typing import Any

from xpshpc.run_directory import write_atomically


@dataclass(frozen=True)
class LineIntensity:
    """One line of one state in one layer; a unit stands at the end of a name.

    `state`: the tag of the chemical state, "" for the element's own; `layer`: 1 is the uppermost. The energies refer to
    the Fermi level. `cross_section_barn` is of the whole subshell, or of the vacancies behind an Auger line;
    `effective_asymmetry`, `albedo` (ω), `attenuation_length_A` and `escape_factor` (Q) tell what elastic scattering
    does. `intensity`: electrons that leave the surface without a loss, for one photon on each Å² and into the
    whole sphere, in 1e-8 (barn is 1e-8 Å²).
    """

    element: str
    orbital: str
    state: str
    layer: int
    material: str
    kinetic_energy_eV: float
    binding_energy_eV: float
    cross_section_barn: float
    asymmetry: float
    effective_asymmetry: float
    imfp_A: float
    transport_mfp_A: float
    attenuation_length_A: float
    albedo: float
    escape_factor: float
    intensity: float


def lines_as_json(lines: Sequence[LineIntensity]) -> list[dict[str, Any]]:
    """The lines as JSON takes them: one object for each, with the names of the fields as keys."""
    return [asdict(line) for line in lines]


def write_lines_csv(path: Path, lines: Sequence[LineIntensity]) -> None:
    """Writes a table with one row for each line under the names of the fields; numbers to eight digits."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(field.name for field in fields(LineIntensity))
    for line in lines:
        writer.writerow(f"{value:.8g}" if isinstance(value, float) else value for value in astuple(line))
    write_atomically(path, table.getvalue().encode())
