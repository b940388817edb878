"""A measured file in, checked spectra out; the format is known by what the file says, not by its name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import cast, get_args

from xpshpc.errors import UsageError
from xpshpc.spectra.measured.columns import read_tables
from xpshpc.spectra.measured.scale import EnergyStatement, Scale
from xpshpc.spectra.measured.spectrum import MeasuredSpectrum, UncheckedSpectrum, check_spectrum
from xpshpc.spectra.measured.text import read_lines
from xpshpc.spectra.measured.vamas_header import is_vamas
from xpshpc.spectra.measured.vamas_spectra import read_vamas

SURVEY_WIDTH_eV = 500.0
"""Of several spectra in a file, those at least this wide are surveys; the others show single lines."""


def read_measured(
    path: Path, *, scale: Scale | None = None, photon_energy_eV: float | None = None
) -> list[MeasuredSpectrum]:
    """The survey spectra of a measured file: CSV, two-column XY, or VAMAS (ISO 14976:1998).

    `scale` and `photon_energy_eV` win over what the file says. A file with one spectrum gives it whatever its width; of
    several, the surveys are taken. Raises UsageError naming file and line where it is no spectrum.
    """
    path = Path(path)
    told = EnergyStatement(_known_scale(scale), _possible_photon_energy(photon_energy_eV))
    lines = read_lines(path)
    found = read_vamas(path, lines) if is_vamas(lines) else read_tables(path, lines)
    surveys = found if len(found) == 1 else _choose_surveys(path, found)
    return [
        check_spectrum(
            name, path, survey.columns, told.over(survey.statement), (*survey.remarks, *_overruled(told, survey))
        )
        for name, survey in zip(_distinct_names(path, surveys), surveys, strict=True)
    ]


def _known_scale(scale: str | None) -> Scale | None:
    if scale is None:
        return None
    for known in get_args(Scale):
        if scale == known:
            return cast(Scale, known)
    raise UsageError(f"unknown energy scale {scale!r}", where="--scale", try_="--scale kinetic or --scale binding")


def _possible_photon_energy(photon_energy_eV: float | None) -> float | None:
    if photon_energy_eV is None or 10 < photon_energy_eV < 100_000:
        return photon_energy_eV
    raise UsageError(
        f"{photon_energy_eV:g} eV is no photon energy of XPS", where="--photon-energy", try_="--photon-energy 1486.6"
    )


def _choose_surveys(path: Path, found: Sequence[UncheckedSpectrum]) -> list[UncheckedSpectrum]:
    surveys = [one for one in found if _width(one) >= SURVEY_WIDTH_eV]
    if surveys:
        return surveys
    listed = "; ".join(
        f"{one.name or 'unnamed'} {min(one.columns.energy_eV):g}–{max(one.columns.energy_eV):g} eV" for one in found[:8]
    )
    raise UsageError(
        f"no survey among the {len(found)} spectra of this file ({listed}{'; …' if len(found) > 8 else ''})",
        where=str(path),
        try_=f"give a survey spectrum, at least {SURVEY_WIDTH_eV:g} eV wide",
    )


def _width(spectrum: UncheckedSpectrum) -> float:
    energy = spectrum.columns.energy_eV
    return float(energy.max() - energy.min()) if len(energy) else 0.0


def _distinct_names(path: Path, spectra: Sequence[UncheckedSpectrum]) -> list[str]:
    names = [spectrum.name or path.stem for spectrum in spectra]
    repeated = {name for name, times in Counter(names).items() if times > 1}
    seen: Counter[str] = Counter()
    distinct = []
    for name in names:
        seen[name] += 1
        distinct.append(f"{name} #{seen[name]}" if name in repeated else name)
    return distinct


def _overruled(told: EnergyStatement, spectrum: UncheckedSpectrum) -> tuple[str, ...]:
    stated = spectrum.statement
    remarks = []
    if told.scale and stated.scale and told.scale != stated.scale:
        remarks.append(f"taken as {told.scale} scale as you say; the file says {stated.scale}")
    if told.photon_energy_eV and stated.photon_energy_eV and abs(told.photon_energy_eV - stated.photon_energy_eV) > 0.5:
        remarks.append(
            f"photon energy {told.photon_energy_eV:g} eV as you say; the file says {stated.photon_energy_eV:g}"
        )
    return tuple(remarks)
