"""What samples are drawn from: fair, whole, and the same however the indices are split."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xpshpc.plan.seeds import Streams
from xpshpc.spectra.elements import ELEMENT_INDEX, ELEMENTS
from xpshpc.spectra.matter.compounds import compounds
from xpshpc.spectra.matter.materials import atomic_data
from xpshpc.spectra.matter.recipes import draw_compounds, draw_matter, natural_losses
from xpshpc.spectra.settings import Samples
from xpshpc.spectra.transport.loss_functions import LOSS_FUNCTIONS, natural_loss

STREAMS = Streams(11)
RECIPES = {
    "mixtures": Samples(),
    "pure_sums": Samples(recipe="pure_sums", elements_per_sample=(2, 5)),
    "compounds": Samples(recipe="compounds"),
    "mixed compounds": Samples(recipe="compounds", compounds=("oxide", "alloy", "PTFE"), compounds_per_sample=(1, 3)),
}


@pytest.mark.parametrize("samples", RECIPES.values(), ids=RECIPES)
def test_a_sample_is_whole(samples):
    """Fractions sum to 1, no element is there twice, and there is room for all of them."""
    matter = draw_matter(samples, STREAMS, np.arange(2000))
    assert matter.elements.shape == (2000, samples.places)
    np.testing.assert_allclose(matter.fractions.sum(axis=1), 1.0, atol=1e-6)
    for elements, fractions in zip(matter.elements, matter.fractions, strict=True):
        used = elements[fractions > 0]
        assert len(set(used.tolist())) == len(used)
    assert (matter.density_g_cm3 > 0.4).all() and (matter.density_g_cm3 < 23).all()


@pytest.mark.parametrize("samples", RECIPES.values(), ids=RECIPES)
def test_numbers_are_those_that_are_stored(samples):
    fractions = draw_matter(samples, STREAMS, np.arange(100)).fractions
    np.testing.assert_array_equal(fractions, fractions.astype(np.float32))


@settings(max_examples=20)
@given(indices=st.lists(st.integers(0, 2**40), min_size=1, max_size=8, unique=True), name=st.sampled_from([*RECIPES]))
def test_a_sample_is_the_same_alone_and_in_company(indices, name):
    together = draw_matter(RECIPES[name], STREAMS, np.array(indices))
    for row, index in enumerate(indices):
        alone = draw_matter(RECIPES[name], STREAMS, np.array([index]))
        for field in fields(alone):
            np.testing.assert_array_equal(getattr(alone, field.name)[0], getattr(together, field.name)[row])


def test_numbers_of_elements_and_elements_are_equally_likely():
    matter = draw_matter(RECIPES["pure_sums"], STREAMS, np.arange(20_000))
    counts = np.bincount((matter.fractions > 0).sum(axis=1), minlength=6)
    assert counts[:2].sum() == 0
    np.testing.assert_allclose(counts[2:], 5000, atol=5 * np.sqrt(5000))
    times = np.bincount(matter.elements[matter.fractions > 0], minlength=len(ELEMENTS))
    np.testing.assert_allclose(times, times.mean(), atol=5 * np.sqrt(times.mean()))


def test_compounds_are_equally_likely_whatever_they_hold():
    samples = Samples(recipe="compounds", compounds=("polymer", "oxide"))
    drawn = draw_compounds(samples, STREAMS, np.arange(20_000))[:, 0]
    times = np.bincount(drawn)
    times = times[times > 0]
    assert len(times) == sum(compound.kind in ("polymer", "oxide") for compound in compounds())
    np.testing.assert_allclose(times, times.mean(), atol=5 * np.sqrt(times.mean()))


def test_a_compound_keeps_its_atoms_density_gap_and_losses():
    indices = np.arange(500)
    matter = draw_matter(RECIPES["compounds"], STREAMS, indices)
    for row, place in enumerate(draw_compounds(RECIPES["compounds"], STREAMS, indices)[:, 0]):
        compound = compounds()[place]
        pairs = zip(matter.elements[row], matter.fractions[row], strict=True)
        assert {ELEMENTS[e]: f for e, f in pairs if f} == pytest.approx(compound.fractions, abs=1e-7)
        assert matter.density_g_cm3[row] == pytest.approx(compound.density_g_cm3, rel=1e-12)
        assert matter.band_gap_eV[row] == compound.band_gap_eV
        assert LOSS_FUNCTIONS[matter.loss[row]] == natural_loss(compound.fractions)


def test_mixed_compounds_keep_mass_and_volume():
    """Volume and mass of the mixture are the sums of its compounds'; atoms are, too."""
    samples, indices = RECIPES["mixed compounds"], np.arange(400)
    matter = draw_matter(samples, STREAMS, indices)
    places = draw_compounds(samples, STREAMS, indices)
    assert set((places >= 0).sum(axis=1).tolist()) == {1, 2, 3}
    mass = atomic_data().mass
    for row in np.flatnonzero((places >= 0).sum(axis=1) == 2)[:50]:
        first, second = (compounds()[place] for place in places[row][places[row] >= 0])
        held = dict(zip((ELEMENTS[e] for e in matter.elements[row]), matter.fractions[row], strict=True))
        shares = _shares(first.fractions, second.fractions, held)
        weights = [
            share * sum(x * mass[ELEMENT_INDEX[symbol]] for symbol, x in compound.fractions.items())
            for share, compound in zip(shares, (first, second), strict=True)
        ]
        volume = weights[0] / first.density_g_cm3 + weights[1] / second.density_g_cm3
        assert matter.density_g_cm3[row] == pytest.approx(sum(weights) / volume, rel=1e-5)
        gap = shares[0] * first.band_gap_eV + shares[1] * second.band_gap_eV
        assert matter.band_gap_eV[row] == pytest.approx(gap, abs=1e-5)


def _shares(first, second, held):
    """The shares of two compounds that explain the atoms held best (least squares; they must explain them all)."""
    columns = np.array([[compound.get(symbol, 0.0) for compound in (first, second)] for symbol in ELEMENTS])
    wanted = np.array([held.get(symbol, 0.0) for symbol in ELEMENTS])
    shares, *_ = np.linalg.lstsq(columns, wanted, rcond=None)
    np.testing.assert_allclose(columns @ shares, wanted, atol=1e-6)
    assert shares.sum() == pytest.approx(1.0, abs=1e-6)
    return shares


def test_listed_elements_confine_every_recipe():
    listed = ("Cu", "O", "Zn", "Sn", "Al")
    for recipe in ("mixtures", "pure_sums", "compounds"):
        matter = draw_matter(Samples(recipe=recipe, elements=listed), STREAMS, np.arange(300))
        assert {ELEMENTS[e] for e in matter.elements[matter.fractions > 0]} <= set(listed)


@settings(max_examples=200)
@given(
    st.dictionaries(
        st.sampled_from(["Al", "C", "Ge", "Si", "O", "N", "F", "Cl", "S", "P", "Fe"]),
        st.integers(1, 1000),
        min_size=1,
        max_size=5,
    )
)
def test_losses_of_many_materials_at_once_are_those_of_each(amounts):
    total = sum(amounts.values())
    shares = {symbol: amount / total for symbol, amount in amounts.items()}
    elements = np.array([[ELEMENT_INDEX[symbol] for symbol in shares] + [ELEMENT_INDEX["C"]]])
    place = natural_losses(elements, np.array([[*shares.values(), 0.0]]))[0]
    assert LOSS_FUNCTIONS[place] == natural_loss(shares)


def test_elements_without_a_loss_function_of_their_own_have_the_universal_one():
    alone = [ELEMENTS[row] for row in range(len(ELEMENTS)) if natural_loss({ELEMENTS[row]: 1.0}) != "universal"]
    assert sorted(alone) == ["Al", "C", "Ge", "Si"]
