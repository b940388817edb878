"""Every line that an X-ray source excites in the 80 elements: place, strength, width and kind."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.spectra.elements import ELEMENTS
from xpshpc.spectra.lines.auger import auger_lines
from xpshpc.spectra.lines.levels import ORBITALS, binding_energies, core_levels
from xpshpc.spectra.lines.shake_up import kept_share, oxidised, shake_ups
from xpshpc.spectra.lines.sources import XraySource, xray_sources
from xpshpc.spectra.lines.valence import in_band, valence_bands
from xpshpc.spectra.tables import read_table

__all__ = ["LineKind", "LineTable", "line_table", "oxidised"]


class LineKind(IntEnum):
    """What makes a line."""

    PHOTOELECTRON = 0
    AUGER = 1
    VALENCE = 2
    SHAKE_UP = 3


@dataclass(frozen=True)
class LineTable:
    """All lines of all elements, ordered by element; every array is (lines,).

    `kinetic_energy_eV` refers to the Fermi level, that of a valence band to the band's top; `binding_energy_eV` is
    hν − KE (for Auger lines the place in the spectrum, not a level). `cross_section_barn` is the subshell's, all its
    electrons together; for an Auger line that of the vacancies it comes from times its share of their decay.
    `asymmetry` is β of the dipole approximation. `lorentz_fwhm_eV` is the life-time width, `gauss_fwhm_eV` what a group
    of unresolved lines is wide by itself, `band_eV` the width of a valence band from its top downwards, 0 for other
    lines. `singularity` is the Doniach–Šunjić index of the line in the metallic element, 0 where it has none.

    A SHAKE_UP line, a satellite or a multiplet component, is there in oxides only (`oxidised`). It takes its intensity
    from the line `main_line`: `kept_share` of that line's cross-section stays there when the material is oxidised, and
    the cross-sections of its shake-up lines are the rest. Other lines are their own `main_line`; so is a shake-up line
    whose main line is not in the table.
    """

    source: XraySource
    element: NDArray[np.intp]
    orbital: tuple[str, ...]
    kind: NDArray[np.intp]
    kinetic_energy_eV: NDArray[np.float64]
    cross_section_barn: NDArray[np.float64]
    asymmetry: NDArray[np.float64]
    lorentz_fwhm_eV: NDArray[np.float64]
    gauss_fwhm_eV: NDArray[np.float64]
    singularity: NDArray[np.float64]
    band_eV: NDArray[np.float64]
    main_line: NDArray[np.intp]
    kept_share: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.orbital)

    @property
    def binding_energy_eV(self) -> NDArray[np.float64]:
        return self.source.photon_energy_eV - self.kinetic_energy_eV

    @cached_property
    def first(self) -> NDArray[np.intp]:
        """Where each element's lines begin, (81,): element e has lines first[e] to first[e + 1]."""
        return np.searchsorted(self.element, np.arange(len(ELEMENTS) + 1))

    def within(self, low_eV: float, high_eV: float) -> LineTable:
        """The lines whose kinetic energy lies between two bounds."""
        keep = np.flatnonzero((self.kinetic_energy_eV >= low_eV) & (self.kinetic_energy_eV <= high_eV))
        new_place = np.full(len(self), -1, dtype=np.intp)
        new_place[keep] = np.arange(len(keep))
        main = new_place[self.main_line[keep]]
        columns: dict[str, Any] = {
            field.name: getattr(self, field.name)[keep]
            for field in fields(self)
            if field.name not in ("source", "orbital", "main_line")
        }
        return LineTable(
            source=self.source,
            orbital=tuple(self.orbital[place] for place in keep),
            main_line=np.where(main >= 0, main, np.arange(len(keep))),
            **columns,
        )


@dataclass
class _Row:
    """A line before it stands in the table; `main` is the row it takes its intensity from, itself if None."""

    element: int
    orbital: str
    kind: LineKind
    kinetic_energy_eV: float
    cross_section_barn: float
    asymmetry: float = 0.0
    lorentz_fwhm_eV: float = 0.0
    gauss_fwhm_eV: float = 0.0
    singularity: float = 0.0
    band_eV: float = 0.0
    kept_share: float = 1.0
    main: int | None = None


@cache
def line_table(source_name: str) -> LineTable:
    """The photoelectron, Auger, valence and shake-up lines that a source excites.

    Raises UsageError for an unknown source.
    """
    sources = xray_sources()
    if source_name not in sources:
        raise UsageError(f"unknown X-ray source {source_name!r}", try_=f"one of {', '.join(sources)}")
    source = sources[source_name]
    rows: list[_Row] = []
    for place in range(len(ELEMENTS)):
        _add_element(rows, place, source)
    figures = np.array(
        [
            (
                row.kinetic_energy_eV,
                row.cross_section_barn,
                row.asymmetry,
                row.lorentz_fwhm_eV,
                row.gauss_fwhm_eV,
                row.singularity,
                row.band_eV,
                row.kept_share,
            )
            for row in rows
        ]
    )
    energy, sigma, beta, lorentz, gauss, singularity, band, kept = np.ascontiguousarray(figures.T)
    return LineTable(
        source=source,
        element=np.array([row.element for row in rows], dtype=np.intp),
        orbital=tuple(row.orbital for row in rows),
        kind=np.array([row.kind for row in rows], dtype=np.intp),
        kinetic_energy_eV=energy,
        cross_section_barn=sigma,
        asymmetry=beta,
        lorentz_fwhm_eV=lorentz,
        gauss_fwhm_eV=gauss,
        singularity=singularity,
        band_eV=band,
        main_line=np.array(
            [number if row.main is None else row.main for number, row in enumerate(rows)], dtype=np.intp
        ),
        kept_share=kept,
    )


def _add_element(rows: list[_Row], place: int, source: XraySource) -> None:
    symbol = ELEMENTS[place]
    photon = source.photon_energy_eV
    singularity = _singularity_indices().get(symbol, 0.0)
    vacancies: dict[str, float] = {}
    for level in core_levels(symbol, source.name):
        vacancies[level.shell] = level.cross_section_barn
        if in_band(symbol, level.shell):
            continue
        energy = photon - level.binding_energy_eV
        satellites = shake_ups(symbol, level.shell)
        main = len(rows)
        rows.append(
            _Row(
                place,
                ORBITALS[level.shell],
                LineKind.PHOTOELECTRON,
                energy,
                level.cross_section_barn,
                asymmetry=level.asymmetry,
                lorentz_fwhm_eV=level.lorentz_fwhm_eV,
                singularity=singularity,
                kept_share=kept_share(satellites),
            )
        )
        for satellite in satellites:
            if energy <= satellite.offset_eV:
                continue
            rows.append(
                _Row(
                    place,
                    f"{ORBITALS[level.shell]} {satellite.what}",
                    LineKind.SHAKE_UP,
                    energy - satellite.offset_eV,
                    level.cross_section_barn * satellite.ratio * kept_share(satellites),
                    asymmetry=level.asymmetry,
                    lorentz_fwhm_eV=level.lorentz_fwhm_eV,
                    gauss_fwhm_eV=satellite.fwhm_eV,
                    main=main,
                )
            )
    for band in valence_bands(symbol, source.name):
        rows.append(
            _Row(
                place,
                band.orbital,
                LineKind.VALENCE,
                photon - band.top_eV,
                band.cross_section_barn,
                asymmetry=band.asymmetry,
                band_eV=band.width_eV,
            )
        )
    for auger in auger_lines(symbol, vacancies, binding_energies()):
        rows.append(
            _Row(
                place,
                auger.group,
                LineKind.AUGER,
                auger.kinetic_energy_eV,
                auger.cross_section_barn,
                lorentz_fwhm_eV=0.0,
                gauss_fwhm_eV=auger.fwhm_eV,
            )
        )


@cache
def _singularity_indices() -> dict[str, float]:
    return {row["element"]: float(row["singularity_index"]) for row in read_table("singularity_index.csv")}
