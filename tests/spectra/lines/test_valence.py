"""Valence bands against free electrons and measured bands."""

from __future__ import annotations

import numpy as np
import pytest

from xpshpc.spectra.elements import ELEMENTS
from xpshpc.spectra.lines.levels import cross_section
from xpshpc.spectra.lines.line_table import LineKind, line_table
from xpshpc.spectra.lines.lineshape import line_profile
from xpshpc.spectra.lines.valence import free_electron_width_eV, in_band, shells_of, valence_bands


@pytest.mark.parametrize(
    ("symbol", "fermi_energy"),
    [("Li", 4.74), ("Na", 3.24), ("Mg", 7.08), ("Al", 11.7), ("Ga", 10.4), ("Cd", 7.47), ("In", 8.63), ("Sn", 10.2)],
)
def test_free_electron_widths_are_the_published_fermi_energies(symbol, fermi_energy):
    """Ashcroft and Mermin, Solid State Physics (1976), table 2.1."""
    assert free_electron_width_eV(symbol) == pytest.approx(fermi_energy, rel=0.03)


@pytest.mark.parametrize(("symbol", "orbital"), [("Cu", "3d"), ("Ag", "4d"), ("Al", "3p"), ("Yb", "4f")])
def test_a_band_has_the_electrons_of_both_halves(symbol, orbital):
    (band,) = [one for one in valence_bands(symbol, "AlKa") if one.orbital == orbital]
    halves = [cross_section(symbol, shell, 1486.6) for shell in shells_of(orbital)]
    assert len(halves) == 2
    assert band.cross_section_barn == pytest.approx(sum(halves))
    assert all(in_band(symbol, shell) for shell in shells_of(orbital))


def test_no_subshell_is_both_band_and_core_line():
    table = line_table("AlKa")
    bands = {(table.element[row], table.orbital[row]) for row in np.flatnonzero(table.kind == LineKind.VALENCE)}
    cores = {
        (table.element[row], table.orbital[row][:2]) for row in np.flatnonzero(table.kind == LineKind.PHOTOELECTRON)
    }
    assert not bands & cores
    assert (table.band_eV > 0.0).tolist() == (table.kind == LineKind.VALENCE).tolist()


@pytest.mark.parametrize(
    ("symbol", "orbital", "centroid"), [("Cu", "3d", 3.3), ("Ag", "4d", 5.7), ("Au", "5d", 4.7), ("Pd", "4d", 2.4)]
)
def test_d_bands_lie_where_photoemission_finds_them(symbol, orbital, centroid):
    """Cu 2 to 5 eV, Ag 4 to 7.5 eV, Au 2 to 7.5 eV, Pd 0 to 5 eV below the Fermi level: customary extents."""
    (band,) = [one for one in valence_bands(symbol, "AlKa") if one.orbital == orbital]
    assert band.top_eV + 0.5 * band.width_eV == pytest.approx(centroid, abs=0.5)


@pytest.mark.parametrize("symbol", ["Al", "Fe", "Pd", "W"])
def test_metals_emit_up_to_the_fermi_level(symbol):
    """With the instrument's broadening: half of a step's height is not above it, and all within the band below."""
    band = max(valence_bands(symbol, "AlKa"), key=lambda one: one.cross_section_barn)
    assert band.top_eV == 0.0
    offset = np.linspace(-20.0, 5.0, 5001)
    profile = line_profile(offset, 0.0, 0.5, 0.0, band.width_eV)
    step = offset[1] - offset[0]
    assert profile[offset > 0.7].sum() * step < 1e-3
    assert profile[(offset < 0.7) & (offset > -band.width_eV - 0.7)].sum() * step == pytest.approx(1.0, abs=1e-3)


def test_every_solid_with_tabulated_outer_shells_has_a_band():
    """Alkali and alkaline earth metals from K on, Hg, Tl and Zn have none: no table has their outer s electrons."""
    without = {symbol for symbol in ELEMENTS if not valence_bands(symbol, "AlKa")}
    assert without == {"Ne", "Ar", "Kr", "Xe", "K", "Ca", "Zn", "Rb", "Sr", "Cs", "Ba", "La", "Hg", "Tl"}
