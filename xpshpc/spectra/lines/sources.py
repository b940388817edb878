"""X-ray sources: photon energy, line width and satellites."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from xpshpc.spectra.tables import read_table


@dataclass(frozen=True)
class XraySource:
    """A photon source: energy and line width (FWHM) in eV.

    `satellites` are pairs of a shift towards higher kinetic energy (eV) and a height relative to the main line, whose
    own intensity stays as it is; a monochromated source has none. They move photoelectrons, not Auger electrons.
    """

    name: str
    photon_energy_eV: float
    fwhm_eV: float
    satellites: tuple[tuple[float, float], ...] = ()


@cache
def xray_sources() -> dict[str, XraySource]:
    """The known sources by name (data/xray_sources.csv, data/xray_satellites.csv)."""
    satellites: dict[str, list[tuple[float, float]]] = {}
    for row in read_table("xray_satellites.csv"):
        satellites.setdefault(row["source"], []).append((float(row["shift_eV"]), float(row["height"])))
    return {
        row["source"]: XraySource(
            row["source"],
            float(row["photon_energy_eV"]),
            float(row["fwhm_eV"]),
            tuple(satellites.get(row["source"], ())),
        )
        for row in read_table("xray_sources.csv")
    }
