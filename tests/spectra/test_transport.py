"""Mean free paths against published values."""

from __future__ import annotations

import numpy as np
import pytest

from xpshpc.spectra.elements import ELEMENT_INDEX
from xpshpc.spectra.materials import mix
from xpshpc.spectra.transport import inelastic_mean_free_path, transport_mean_free_path


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
