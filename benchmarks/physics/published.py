"""The simulator beside published values: mean free paths, escape, cross-sections, levels and Auger energies."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xpshpc.spectra.elements import ELEMENT_INDEX
from xpshpc.spectra.lines.auger import GROUPS, z_plus_one_energy
from xpshpc.spectra.lines.levels import binding_energies
from xpshpc.spectra.lines.line_table import line_table
from xpshpc.spectra.matter.materials import Material, mix
from xpshpc.spectra.tables import read_table
from xpshpc.spectra.transport.escape import elastic_escape_factor
from xpshpc.spectra.transport.mean_free_paths import mean_free_path, transport_mean_free_path

TABLE = Path(__file__).with_name("published.csv")
_NAMES = {
    "jtp": ("IMFP by JTP", "Å"),
    "tpp2m": ("IMFP by TPP-2M", "Å"),
    "transport": ("transport mean free path", "Å"),
    "escape": ("escape factor Q", ""),
    "scofield": ("cross-section / C 1s", ""),
    "level": ("binding energy", "eV"),
}


@dataclass(frozen=True)
class Comparison:
    """One value of ours beside another's; `deviation` and `aim` are in per cent, or in eV for energies."""

    quantity: str
    subject: str
    ours: float
    theirs: float
    unit: str
    deviation: float
    aim: float
    source: str

    @property
    def met(self) -> bool:
        return abs(self.deviation) <= self.aim

    @property
    def deviation_unit(self) -> str:
        return "eV" if self.unit == "eV" else "%"


def compare_with_published(path: Path = TABLE) -> list[Comparison]:
    """Every row of published.csv with the simulator's own value."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    return [_compare(row) for row in rows]


@dataclass(frozen=True)
class AugerResidual:
    """Measured energies of an Auger group less those of the Z+1 rule: mean and spread (eV) over `elements`."""

    group: str
    elements: tuple[str, ...]
    mean_eV: float
    spread_eV: float


def auger_residuals() -> list[AugerResidual]:
    """How well the Z+1 rule places the groups whose energies are listed; groups of at least three elements."""
    levels = binding_energies()
    listed = read_table("auger_groups.csv")
    found = []
    for group in GROUPS:
        residuals = {
            row["element"]: float(row["kinetic_energy_eV"]) - rule
            for row in listed
            if row["group"] == group.name and (rule := z_plus_one_energy(row["element"], group, levels)) is not None
        }
        if len(residuals) > 2:
            values = np.array(list(residuals.values()))
            found.append(AugerResidual(group.name, tuple(residuals), float(values.mean()), float(values.std())))
    return found


def _compare(row: dict[str, str]) -> Comparison:
    kind, element, argument = row["quantity"], row["element"], row["argument"]
    density = float(row["density_g_cm3"]) if row["density_g_cm3"] else None
    theirs = float(row["value"])
    subject = f"{element} {argument}".strip()
    match kind:
        case "jtp" | "tpp2m":
            formula = mean_free_path("JTP" if kind == "jtp" else "TPP-2M")
            ours = float(formula(_pure(element, density), np.array([float(argument)]))[0])
            subject = f"{element}, {argument} eV"
        case "transport":
            atoms = float(_pure(element, density).atoms_per_A3[0])
            place = np.array([ELEMENT_INDEX[element]])
            ours = float(transport_mean_free_path(place, np.ones(1), atoms, np.array([float(argument)]))[0])
            subject = f"{element}, {argument} eV"
        case "escape":
            albedo, angle = (float(part) for part in argument.split("@"))
            ours = float(elastic_escape_factor(np.array([albedo]), float(np.cos(np.deg2rad(angle))))[0])
            subject = f"ω = {albedo:g}, {angle:g}°"
        case "scofield":
            ours = _line(element, argument)[0] / _line("C", "1s")[0]
        case "level":
            ours = _line(element, argument)[1]
        case _:
            raise ValueError(f"unknown quantity {kind!r} in {TABLE.name}")
    name, unit = _NAMES[kind]
    deviation = ours - theirs if unit == "eV" else 100.0 * (ours / theirs - 1.0)
    return Comparison(name, subject, ours, theirs, unit, deviation, float(row["aim"]), row["source"])


def _pure(element: str, density: float | None) -> Material:
    return mix(np.array([[ELEMENT_INDEX[element]]]), np.ones((1, 1)), density=density)


def _line(element: str, orbital: str) -> tuple[float, float]:
    """Cross-section (barn) and binding energy (eV) of a line of the table for Al Kα."""
    table = line_table("AlKa")
    place = ELEMENT_INDEX[element]
    first, last = int(table.first[place]), int(table.first[place + 1])
    row = next(row for row in range(first, last) if table.orbital[row] == orbital)
    return float(table.cross_section_barn[row]), float(table.binding_energy_eV[row])
