"""The list of compounds: complete, free of slips, and found again by composition."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from xpshpc.spectra.elements import ELEMENT_INDEX, ELEMENTS
from xpshpc.spectra.matter.compounds import (
    choose_compounds,
    compound_compositions,
    compound_words,
    compounds,
    find_compound,
)
from xpshpc.spectra.matter.materials import AVOGADRO_PER_A3, atomic_data, mix

INERT = {"Ne", "Ar", "Kr"}
"""Elements without a solid compound."""


def test_hundreds_of_compounds_hold_every_element_that_has_one():
    assert len(compounds()) >= 300
    held = {symbol for compound in compounds() for symbol in compound.fractions}
    assert held == set(ELEMENTS) - INERT
    assert {"oxide", "silicate", "alloy", "polymer"} <= {compound.kind for compound in compounds()}


def test_fractions_sum_to_one():
    np.testing.assert_allclose(compound_compositions().sum(axis=1), 1.0, atol=1e-12)


def test_no_compound_stands_twice():
    names = Counter(compound.name for compound in compounds())
    assert [name for name, times in names.items() if times > 1] == []
    assert names.keys().isdisjoint({compound.kind for compound in compounds()}), "a word chooses one thing"
    same = Counter(
        (row.tobytes(), c.density_g_cm3) for row, c in zip(compound_compositions(), compounds(), strict=True)
    )
    assert max(same.values()) == 1, "the same atoms at the same density"


def test_densities_agree_with_the_volumes_of_the_atoms():
    """A slip of a digit or of the decimal point shows: only light fluorides and hydrogen-rich polymers are far off."""
    composition = compound_compositions()
    every = np.broadcast_to(np.arange(len(ELEMENTS)), composition.shape)
    density = np.array([compound.density_g_cm3 for compound in compounds()])
    ratio = density / mix(every, composition).density
    strange = [(c.name, round(r, 2)) for c, r in zip(compounds(), ratio, strict=True) if not 0.4 < r < 2.65]
    assert strange == []
    volume = composition @ atomic_data().mass / density / AVOGADRO_PER_A3
    assert volume.min() == pytest.approx(5.7, abs=0.1), (
        "Å³ for an atom of diamond, the densest packing of atoms there is"
    )
    assert compounds()[int(volume.argmax())].name == "caesium"
    metals = np.array([compound.kind in ("alloy", "element") and compound.band_gap_eV == 0 for compound in compounds()])
    np.testing.assert_allclose(ratio[metals], 1.0, atol=0.25)


def test_gaps_are_those_of_metals_semiconductors_and_insulators():
    gaps = {compound.name: compound.band_gap_eV for compound in compounds()}
    assert min(gaps.values()) == 0.0 and max(gaps.values()) < 14.0
    assert all(gaps[compound.name] == 0.0 for compound in compounds() if compound.kind in ("alloy", "intermetallic"))
    assert gaps["silicon"] < gaps["gallium arsenide"] < gaps["gallium nitride"] < gaps["quartz"]


@pytest.mark.parametrize(
    ("name", "density", "gap"),
    [("corundum", 3.98, 8.8), ("halite", 2.165, 8.5), ("gallium arsenide", 5.32, 1.42), ("PTFE", 2.2, 7.7),
     ("cartridge brass", 8.53, 0), ("titanium grade 5", 4.43, 0), ("lithium cobalt oxide", 5.05, 2.5)],
)  # fmt: skip
def test_handbook_values(name, density, gap):
    compound = next(compound for compound in compounds() if compound.name == name)
    assert compound.density_g_cm3 == pytest.approx(density, rel=0.01)
    assert compound.band_gap_eV == pytest.approx(gap, abs=0.1)


def test_alloys_are_listed_by_atoms():
    """Cartridge brass is 70 % copper by weight."""
    brass = next(compound for compound in compounds() if compound.name == "cartridge brass").fractions
    mass = {symbol: share * atomic_data().mass[ELEMENT_INDEX[symbol]] for symbol, share in brass.items()}
    assert mass["Cu"] / sum(mass.values()) == pytest.approx(0.70, abs=1e-3)


def test_every_compound_is_found_by_its_composition():
    """What is found has the same atoms, though it may be a commoner form of them."""
    for compound in compounds():
        found = find_compound(compound.fractions)
        assert found is not None and found.fractions == pytest.approx(compound.fractions, abs=1e-4), compound.name


def test_the_commonest_form_is_found_first():
    assert find_compound({"Ti": 1 / 3, "O": 2 / 3}).name == "rutile"
    assert find_compound({"C": 1.0}).name == "graphite"
    assert find_compound({"Si": 0.3337, "O": 0.6663}).name == "silica", "to 1e-3"


def test_no_compound_is_found_for_what_is_none():
    assert find_compound({"Si": 0.35, "O": 0.65}) is None
    assert find_compound({"Ar": 1.0}) is None


def test_names_and_kinds_choose():
    chosen = [compounds()[place] for place in choose_compounds(("alloy", "PTFE"), ELEMENTS)]
    assert {compound.kind for compound in chosen} == {"alloy", "polymer"}
    assert [compound.name for compound in chosen if compound.kind == "polymer"] == ["PTFE"]
    assert len(choose_compounds((), ELEMENTS)) == len(compounds())
    assert {"alloy", "PTFE"} <= set(compound_words())


def test_listed_elements_confine_the_choice():
    chosen = {compounds()[place].name for place in choose_compounds(("oxide", "element"), ("Cu", "O"))}
    assert chosen == {"copper", "tenorite", "cuprite"}
