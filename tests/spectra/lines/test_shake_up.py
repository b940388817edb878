"""Shake-up shares a subshell's intensity, and only in oxides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpshpc.spectra.elements import ELEMENT_INDEX
from xpshpc.spectra.lines.line_table import LineKind, line_table, oxidised
from xpshpc.spectra.lines.lineshape import line_profile
from xpshpc.spectra.lines.shake_up import LEAST_OXYGEN_PER_METAL, kept_share, shake_ups


def material(**amounts: float) -> tuple[np.ndarray, np.ndarray]:
    return np.array([[ELEMENT_INDEX[symbol] for symbol in amounts]]), np.array([list(amounts.values())])


@pytest.mark.parametrize(
    ("amounts", "answer"),
    [
        ({"Cu": 0.5, "O": 0.5}, True),
        ({"Cu": 0.9, "O": 0.1}, False),
        ({"Ni": 1.0}, False),
        ({"Si": 1 / 3, "O": 2 / 3}, False),
        ({"Cu": 2 / 3, "O": 1 / 3}, False),
        ({"Fe": 0.4, "Cr": 0.4, "O": 0.2}, False),
        ({"Mg": 1 / 7, "Fe": 2 / 7, "O": 4 / 7}, True),
        ({"Ti": 1 / 3, "O": 2 / 3}, True),
        ({"C": 0.8, "O": 0.2}, False),
    ],
)
def test_oxides_hold_metal_and_oxygen(amounts, answer):
    assert oxidised(*material(**amounts)).tolist() == [answer]


@given(oxygen=st.floats(0.01, 0.99), scale=st.floats(0.1, 10.0))
def test_only_the_ratio_to_metal_counts(oxygen, scale):
    ratio = oxygen / (1.0 - oxygen)
    elements, fractions = material(Co=1.0 - oxygen, O=oxygen, C=0.5)
    if abs(ratio - LEAST_OXYGEN_PER_METAL) > 1e-6:
        assert oxidised(elements, scale * fractions).item() == (ratio > LEAST_OXYGEN_PER_METAL)


@pytest.mark.parametrize("source", ["AlKa", "MgKa", "AlKa-mono"])
def test_a_main_line_and_its_satellites_are_the_subshell(source):
    table = line_table(source)
    rows = np.flatnonzero(table.kind == LineKind.SHAKE_UP)
    assert rows.size
    mains = table.main_line[rows]
    assert (table.kind[mains] == LineKind.PHOTOELECTRON).all()
    assert (table.element[mains] == table.element[rows]).all()
    assert (table.kinetic_energy_eV[rows] < table.kinetic_energy_eV[mains]).all()
    given_away = np.bincount(mains, table.cross_section_barn[rows], minlength=len(table))
    kept = table.cross_section_barn * table.kept_share
    main = np.unique(mains)
    np.testing.assert_allclose((kept + given_away)[main], table.cross_section_barn[main], rtol=1e-12)
    others = np.setdiff1d(np.arange(len(table)), main)
    assert (table.kept_share[others] == 1.0).all()


def test_the_satellite_of_cupric_oxide():
    """Some 9 eV below the main line, half as strong."""
    (satellite,) = shake_ups("Cu", "L3")
    assert satellite.offset_eV == pytest.approx(9.0, abs=1.0)
    assert kept_share((satellite,)) == pytest.approx(2 / 3, abs=0.05)
    assert kept_share(shake_ups("Zn", "L3")) == 1.0


def test_the_satellites_of_nickel_oxide():
    """Some 0.7 of the main line, which is itself two components, and 8 eV below the sharp one: customary figures."""
    rows = shake_ups("Ni", "L3")
    kept = kept_share(rows)
    satellites = [row for row in rows if row.what == "shake-up"]
    share = kept * sum(row.ratio for row in satellites)
    assert share == pytest.approx(0.42, abs=0.02)
    assert kept * sum(row.ratio * row.offset_eV for row in satellites) / share == pytest.approx(8.0, abs=0.4)


@pytest.mark.parametrize(("symbol", "least", "most"), [("Cr", 2.0, 3.0), ("Mn", 2.5, 3.5), ("Fe", 2.8, 4.5)])
def test_multiplets_make_the_2p_lines_of_oxides_as_wide_as_surveys_show_them(symbol, least, most):
    """Full width at half maximum of 2p3/2 behind an analyser of 1 eV, without its satellite, in eV."""
    table = line_table("AlKa-mono")
    (main,) = [
        row
        for row in range(*table.first[ELEMENT_INDEX[symbol] : ELEMENT_INDEX[symbol] + 2])
        if table.orbital[row] == "2p3/2"
    ]
    parts = [main, *(row for row in np.flatnonzero(table.main_line == main) if "multiplet" in table.orbital[row])]
    offset = np.linspace(-12.0, 8.0, 4001)
    profile = np.zeros_like(offset)
    for row in parts:
        share = table.kept_share[row] if row == main else 1.0
        here = offset - (table.kinetic_energy_eV[row] - table.kinetic_energy_eV[main])
        width = float(np.hypot(table.gauss_fwhm_eV[row], 1.0))
        profile += (
            share * table.cross_section_barn[row] * line_profile(here, table.lorentz_fwhm_eV[row], width, 0.0, 0.0)
        )
    high = offset[profile > 0.5 * profile.max()]
    assert least < high[-1] - high[0] < most
