"""The line table against published cross-sections and energies."""

from __future__ import annotations

import numpy as np
import pytest

from xpshpc.errors import UsageError
from xpshpc.spectra.elements import ELEMENT_INDEX, ELEMENTS
from xpshpc.spectra.lines import line_table


def line(symbol: str, orbital: str, source: str = "AlKa") -> tuple[float, float]:
    """Cross-section (barn) and binding energy (eV)."""
    table = line_table(source)
    place = ELEMENT_INDEX[symbol]
    rows = [row for row in range(table.first[place], table.first[place + 1]) if table.orbital[row] == orbital]
    assert len(rows) == 1
    return float(table.cross_section_barn[rows[0]]), float(table.binding_energy_eV[rows[0]])


def test_carbon_1s_is_scofields():
    assert line("C", "1s")[0] == pytest.approx(13637, rel=2e-3)
    assert line("C", "1s", "MgKa")[0] == pytest.approx(22242, rel=2e-3)


@pytest.mark.parametrize(
    ("symbol", "orbital", "ratio"),
    [
        ("F", "1s", 4.43),
        ("O", "1s", 2.93),
        ("Na", "1s", 8.52),
        ("Si", "2p3/2", 0.541),
        ("Ti", "2p3/2", 5.22),
        ("Fe", "2p3/2", 10.82),
        ("Cu", "2p3/2", 16.73),
        ("Ag", "3d5/2", 10.66),
        ("Au", "4f7/2", 9.58),
        ("Pb", "4f7/2", 12.73),
    ],
)
def test_ratios_to_carbon_are_scofields(symbol, orbital, ratio):
    """Scofield, J. Electron Spectrosc. Relat. Phenom. 8, 129 (1976), 10.1016/0368-2048(76)80015-1, table for Al Kα."""
    assert line(symbol, orbital)[0] / line("C", "1s")[0] == pytest.approx(ratio, rel=7e-3)


@pytest.mark.parametrize(
    ("symbol", "orbital", "energy"),
    [("Cu", "2p3/2", 932.7), ("Au", "4f7/2", 84.0), ("Ag", "3d5/2", 368.3), ("O", "1s", 531.0), ("N", "1s", 398.1),
     ("Si", "2p3/2", 99.3), ("Ni", "2p3/2", 852.7), ("S", "2p3/2", 164.0), ("P", "2p1/2", 130.9)],
)  # fmt: skip
def test_lines_stand_where_handbooks_have_them(symbol, orbital, energy):
    assert line(symbol, orbital)[1] == pytest.approx(energy, abs=0.3)


@pytest.mark.parametrize(("symbol", "ratio"), [("Cu", 2.0), ("Ag", 1.5), ("Au", 4 / 3)])
def test_doublets_share_by_their_degeneracy(symbol, ratio):
    """(j + ½) of the two halves; the photon energy's distance to the level shifts it by a few per cent."""
    low, high = {"Cu": ("2p1/2", "2p3/2"), "Ag": ("3d3/2", "3d5/2"), "Au": ("4f5/2", "4f7/2")}[symbol]
    assert line(symbol, high)[0] / line(symbol, low)[0] == pytest.approx(ratio, rel=0.07)


@pytest.mark.parametrize("source", ["AlKa", "MgKa"])
def test_every_element_has_a_line_a_survey_would_show(source):
    table = line_table(source)
    seen = table.within(400.0, table.source.photon_energy_eV)
    assert set(seen.element.tolist()) == set(range(len(ELEMENTS)))
    for values in (table.kinetic_energy_eV, table.cross_section_barn, table.asymmetry, table.lorentz_fwhm_eV):
        assert np.isfinite(values).all()
    assert (table.cross_section_barn > 0).all()
    assert (np.abs(table.asymmetry - 0.5) <= 1.5).all(), "β lies between -1 and 2"


def test_copper_auger_electrons_are_fed_by_its_2p_vacancies():
    """No more Auger electrons of the L3 groups than L vacancies."""
    table = line_table("AlKa")
    place = ELEMENT_INDEX["Cu"]
    rows = range(table.first[place], table.first[place + 1])
    auger = sum(table.cross_section_barn[row] for row in rows if table.orbital[row][0] == "L")
    vacancies = sum(line("Cu", orbital)[0] for orbital in ("2s", "2p1/2", "2p3/2"))
    assert 0.3 * vacancies < auger < vacancies


def test_an_unknown_source_is_refused():
    with pytest.raises(UsageError, match="AgLa"):
        line_table("AgLa")
