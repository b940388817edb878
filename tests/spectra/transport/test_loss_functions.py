"""Loss functions: probabilities that add up, closed forms against quadrature, and the choice by composition."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from xpshpc.errors import UsageError
from xpshpc.spectra.transport.loss_functions import (
    LOSS_FUNCTIONS,
    finest_structure_eV,
    loss_function,
    natural_loss,
    published,
    tougaard_universal,
)


@pytest.mark.parametrize("name", LOSS_FUNCTIONS)
def test_channels_hold_what_quadrature_finds(name):
    channel = 1.3
    found = loss_function(name, 40, channel)
    area = 1.0 / quad(published(name).density, 0.0, np.inf, limit=200)[0]
    edges = np.concatenate(([0.0], (np.arange(40) + 0.5) * channel))
    expected = [quad(published(name).density, low, high)[0] * area for low, high in pairwise(edges)]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-12)


@given(
    name=st.sampled_from(LOSS_FUNCTIONS),
    channel=st.floats(0.05, 3.0),
    losses=st.integers(1, 400),
    far=st.integers(2, 5),
)
def test_probabilities_add_up_to_the_share_below_the_last_edge(name, channel, losses, far):
    probabilities = loss_function(name, losses, channel)
    assert (probabilities > 0.0).all()
    assert probabilities.sum() == pytest.approx(float(published(name).below(np.array((losses - 0.5) * channel))))
    assert published(name).below(np.array(10.0**far)) == pytest.approx(1.0, abs=3.0 * 10.0 ** (3 - 2 * far))


def test_the_universal_function_has_its_published_area_and_maximum():
    """B/2C = 2866/3286 and √(C/3): Tougaard, Surf. Interface Anal. 11, 453 (1988)."""
    universal = published("universal")
    assert quad(universal.density, 0.0, np.inf)[0] == pytest.approx(2866.0 / 3286.0)
    loss = np.arange(0.0, 100.0, 0.01)
    assert loss[np.argmax(universal.density(loss))] == pytest.approx(np.sqrt(1643.0 / 3.0), abs=0.02)
    np.testing.assert_array_equal(tougaard_universal(300, 0.5), loss_function("universal", 300, 0.5))


@pytest.mark.parametrize(
    ("name", "plasmon"), [("Al", 15.1), ("Si", 17.0), ("Ge", 16.0), ("SiO2", 22.0), ("polymer", 22.0)]
)
def test_maxima_lie_at_the_plasmons(name, plasmon):
    """Bulk plasmons of Al, Si and Ge at 15, 17 and 16 eV; the broad maximum of the insulators at 21 to 23 eV."""
    loss = np.arange(0.0, 60.0, 0.01)
    assert loss[np.argmax(published(name).density(loss))] == pytest.approx(plasmon, abs=1.5)


def test_the_finest_structure_is_the_width_at_half_height():
    for name in LOSS_FUNCTIONS:
        loss = np.arange(0.0, 200.0, 0.005)
        density = published(name).density(loss)
        above = loss[density >= 0.5 * density.max()]
        assert finest_structure_eV(name) == pytest.approx(above[-1] - above[0], abs=0.02)
    assert finest_structure_eV("Al") == pytest.approx(np.sqrt(4.5), rel=0.01), "a narrow plasmon is a Lorentzian"


@pytest.mark.parametrize(
    ("fractions", "name"),
    [
        ({"Al": 1.0}, "Al"),
        ({"Si": 0.97, "O": 0.03}, "Si"),
        ({"Ge": 3.0}, "Ge"),
        ({"Si": 1.0, "O": 2.0}, "SiO2"),
        ({"C": 5.0, "O": 1.0}, "polymer"),
        ({"C": 1.0, "F": 2.0}, "polymer"),
        ({"Al": 2.0, "O": 3.0}, "universal"),
        ({"Ca": 1.0, "C": 1.0, "O": 3.0}, "universal"),
        ({"Cu": 1.0, "Si": 0.0}, "universal"),
        ({"O": 1.0}, "universal"),
        ({}, "universal"),
    ],
)
def test_the_composition_chooses(fractions, name):
    assert natural_loss(fractions) == name
    assert name in LOSS_FUNCTIONS


def test_an_unknown_name_is_refused():
    with pytest.raises(UsageError, match="glass"):
        loss_function("glass", 10, 1.0)
