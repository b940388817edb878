"""Kinetic or binding: what a file says of its energies, and what can be concluded where it is silent."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.spectra.lines.sources import xray_sources

Scale = Literal["kinetic", "binding"]

EDGE_eV = 20.0
EDGE_SHARE = 0.25
"""Above the Fermi level nothing is emitted: within `EDGE_eV` of it the mean intensity is a small part of the median."""

_NUMBER = r"([0-9]+(?:[.,][0-9]+)?)"
_KINETIC = re.compile(r"(?i:kinetic)|\bK\.?E\b|\b[Ee]_?[Kk](?:in)?\b")
_BINDING = re.compile(r"(?i:binding)|\bB\.?E\b|\b[Ee]_?[Bb](?:in|ind)?\b")
_PHOTON = re.compile(
    rf"(?:\bh[vν]|\bhnu|photon[ _-]*energy|excitation[ _-]*energy)[ _]*(?:[(\[]?eV[)\]]?)?\s*[=:,;\s]\s*{_NUMBER}",
    re.IGNORECASE,
)
_WORK_FUNCTION = re.compile(
    rf"(?:\bwf|work[ _-]*function)[ _]*(?:[(\[]?eV[)\]]?)?\s*[=:,;\s]\s*{_NUMBER}", re.IGNORECASE
)
_LINE = re.compile(r"\b(Al|Mg)[ _-]*K[ _-]*(?:α|a\b|alpha\b)", re.IGNORECASE)


@dataclass(frozen=True)
class EnergyStatement:
    """What is known of an energy axis: by the user, who wins, or by the file. None is what nobody said."""

    scale: Scale | None = None
    photon_energy_eV: float | None = None
    work_function_eV: float | None = None

    def over(self, other: EnergyStatement) -> EnergyStatement:
        """This statement, completed by another."""
        return EnergyStatement(
            self.scale or other.scale,
            self.photon_energy_eV if self.photon_energy_eV is not None else other.photon_energy_eV,
            self.work_function_eV if self.work_function_eV is not None else other.work_function_eV,
        )


def scale_in_words(text: str) -> Scale | None:
    """The scale a header names; None where it names none, or both."""
    kinetic, binding = bool(_KINETIC.search(text)), bool(_BINDING.search(text))
    if kinetic == binding:
        return None
    return "kinetic" if kinetic else "binding"


def statement_in_words(lines: Iterable[str]) -> EnergyStatement:
    """What header and comment lines say together; the last line that says something counts, as files grow downwards."""
    scale: Scale | None = None
    photon: float | None = None
    work_function: float | None = None
    for line in lines:
        scale = scale_in_words(line) or scale
        if found := _PHOTON.search(line):
            photon = _number(found.group(1))
        elif found := _LINE.search(line):
            photon = source_line_energy(found.group(1))
        if found := _WORK_FUNCTION.search(line):
            work_function = _number(found.group(1))
    return EnergyStatement(scale, photon or None, work_function or None)


def source_line_energy(anode: str) -> float | None:
    """Photon energy in eV of an anode's Kα line, by its label ("Al", "Mg mono"); None for an unknown one."""
    label = anode.strip().capitalize()
    source = xray_sources().get(f"{label[:2]}Ka")
    return None if source is None else source.photon_energy_eV


def _number(text: str) -> float:
    return float(text.replace(",", "."))


def settle_scale(
    energy_eV: NDArray[np.float64], intensity: NDArray[np.float64], statement: EnergyStatement, *, where: str
) -> tuple[Scale, float | None, tuple[str, ...]]:
    """Scale, photon energy and remarks for an ascending axis.

    What was stated counts; otherwise the scale is concluded from the Fermi level, if the spectrum reaches it.
    Raises UsageError where the scale, or the photon energy of a binding scale, cannot be known.
    """
    scale = statement.scale
    remarks: tuple[str, ...] = ()
    if scale is None:
        scale, why = conclude_scale(energy_eV, intensity, statement.photon_energy_eV)
        remarks = (f"{scale} scale: {why}",)
    if scale is None:
        raise UsageError(
            f"nothing tells whether {energy_eV[0]:g}–{energy_eV[-1]:g} eV are kinetic or binding energies",
            where=where,
            try_="--scale kinetic, or --scale binding --photon-energy 1486.6",
        )
    if scale == "binding" and statement.photon_energy_eV is None:
        raise UsageError(
            "these are binding energies, but the photon energy that they were measured with is not known",
            where=where,
            try_="--photon-energy 1486.6 (Al Kα) or --photon-energy 1253.6 (Mg Kα)",
        )
    return scale, statement.photon_energy_eV, remarks


def conclude_scale(
    energy_eV: NDArray[np.float64], intensity: NDArray[np.float64], photon_energy_eV: float | None
) -> tuple[Scale | None, str]:
    """Finds the scale of an ascending axis from what can only be true on one of them, and says why.

    Kinetic energies are positive. At the Fermi level the intensity falls to almost nothing: at the low end of a binding
    scale, and at the photon energy on a kinetic one.
    """
    if energy_eV[0] < 0:
        return "binding", "some energies are negative"
    median = float(np.median(intensity))
    low = intensity[energy_eV <= EDGE_eV]
    ends_low = len(low) > 0 and float(low.mean()) < EDGE_SHARE * median
    ends_high = False
    if photon_energy_eV is not None:
        high = intensity[energy_eV >= photon_energy_eV - EDGE_eV]
        ends_high = len(high) > 0 and float(high.mean()) < EDGE_SHARE * median
    if ends_low and not ends_high:
        return "binding", f"the spectrum ends at {energy_eV[0]:g} eV as at a Fermi level"
    if ends_high and not ends_low:
        return "kinetic", f"the spectrum ends at {energy_eV[-1]:g} eV as at the Fermi level for this photon energy"
    return None, ""


def to_kinetic_energy(
    energy_eV: NDArray[np.float64], scale: Scale, photon_energy_eV: float | None
) -> NDArray[np.float64]:
    """Kinetic energies referenced to the Fermi level: KE = hν − BE on a binding scale, else as they are."""
    if scale == "kinetic":
        return energy_eV
    assert photon_energy_eV is not None
    return photon_energy_eV - energy_eV
