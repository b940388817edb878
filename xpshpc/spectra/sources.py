"""X-ray sources: photon energy and line width."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from xpshpc.spectra.tables import read_table


@dataclass(frozen=True)
class XraySource:
    """A photon source: energy and line width (FWHM) in eV."""

    name: str
    photon_energy_eV: float
    fwhm_eV: float


@cache
def xray_sources() -> dict[str, XraySource]:
    """The known sources by name (data/xray_sources.csv)."""
    return {
        row["source"]: XraySource(row["source"], float(row["photon_energy_eV"]), float(row["fwhm_eV"]))
        for row in read_table("xray_sources.csv")
    }
