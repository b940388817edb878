"""Mean free paths against published values."""

from __future__ import annotations

import numpy as np
import pytest

from xpshpc.errors import UsageError
from xpshpc.spectra.elements import ELEMENT_INDEX, ELEMENTS
from xpshpc.spectra.matter.materials import mix
from xpshpc.spectra.transport.mean_free_paths import (
    inelastic_mean_free_path,
    mean_free_path,
    tpp_2m,
    transport_cross_section,
    transport_mean_free_path,
)


def pure(symbol: str, density: float | None = None):
    place = np.array([[ELEMENT_INDEX[symbol]]])
    return place[0], mix(place, np.ones((1, 1)), density=density)


def test_gold_as_sessa_prints_it():
    """SESSA 2.2.2 at 7412.7 eV and 19.3 g/cm³: IMFP 64.40 Å, transport mean free path 244.90 Å."""
    place, gold = pure("Au", 19.3)
    energy = np.array([7412.7])
    assert inelastic_mean_free_path(gold, energy)[0] == pytest.approx(64.40, rel=1e-3)
    path = transport_mean_free_path(place, np.ones(1), gold.atoms_per_A3[0], energy)[0]
    assert path == pytest.approx(244.90, rel=1e-2)


@pytest.mark.parametrize(
    ("symbol", "density", "imfp", "transport"),
    [
        ("Si", None, 22.90, 149),
        ("C", 2.25, 22.49, 227),
        ("Fe", None, 14.96, 40),
        ("Cu", None, 13.75, 36),
        ("Ag", None, 14.38, 32),
        ("W", None, 15.99, None),
        ("Au", None, 13.42, 24),
    ],
)
def test_elements_at_1000_eV(symbol, density, imfp, transport):
    """The JTP formula (10.1002/sia.7217) and NIST SRD 64."""
    place, material = pure(symbol, density)
    energy = np.array([1000.0])
    assert inelastic_mean_free_path(material, energy)[0] == pytest.approx(imfp, rel=5e-3)
    if transport:
        path = transport_mean_free_path(place, np.ones(1), material.atoms_per_A3[0], energy)[0]
        assert path == pytest.approx(transport, rel=0.03)


def test_volumes_add_up():
    """A mixture weighs what its atoms weigh and fills what its atoms fill."""
    places = np.array([[ELEMENT_INDEX["Cu"], ELEMENT_INDEX["Au"]]])
    for share in (0.0, 0.25, 0.5, 1.0):
        alloy = mix(places, np.array([[share, 1.0 - share]]))
        volumes = [1.0 / mix(places[:, [k]], np.ones((1, 1))).atoms_per_A3[0] for k in range(2)]
        assert 1.0 / alloy.atoms_per_A3[0] == pytest.approx(share * volumes[0] + (1 - share) * volumes[1])


@pytest.mark.parametrize(
    ("symbol", "density", "imfp"),
    [
        ("Si", None, 23.86),
        ("C", 2.25, 26.69),
        ("Al", None, 23.67),
        ("Fe", None, 16.39),
        ("Cu", None, 15.48),
        ("Ag", None, 14.75),
        ("W", None, 15.05),
        ("Au", None, 12.31),
    ],
)
def test_tpp_2m_at_1000_eV(symbol, density, imfp):
    """The formula of 10.1002/sia.740210302."""
    _, material = pure(symbol, density)
    assert mean_free_path("TPP-2M")(material, np.array([1000.0]))[0] == pytest.approx(imfp, rel=5e-3)


def test_formulas_have_names():
    assert mean_free_path("JTP") is inelastic_mean_free_path
    assert mean_free_path("TPP-2M") is tpp_2m
    with pytest.raises(UsageError, match="TPP-3"):
        mean_free_path("TPP-3")


def test_a_band_gap_lengthens_both_paths():
    """Fewer electrons can be excited where a gap must be crossed."""
    place = np.array([[ELEMENT_INDEX["Si"], ELEMENT_INDEX["O"]]])
    shares = np.array([[1 / 3, 2 / 3]])
    energy = np.array([500.0, 1400.0])
    for formula in (inelastic_mean_free_path, tpp_2m):
        without, gap = (formula(mix(place, shares, density=2.2, band_gap=each), energy) for each in (0.0, 8.9))
        assert (gap > without).all()


def test_transport_cross_sections_stay_finite_beyond_their_fit():
    energy = np.array([10.0, 80.0, 10_000.0, 20_000.0])
    for element in range(len(ELEMENTS)):
        slow, first, last, fast = transport_cross_section(element, energy)
        assert slow == pytest.approx(first)
        assert fast == pytest.approx(last)
        assert first > last > 0
