"""Profiles keep a line's area, place and width."""

from __future__ import annotations

import numpy as np
import pytest

from xpshpc.spectra.lineshape import SUBCHANNELS, make_profile_bank

CHANNEL = 0.53


@pytest.mark.parametrize(("lorentz", "gauss"), [(0.1, 1.0), (0.6, 1.0), (2.0, 1.5), (0.1, 12.0), (10.0, 1.0)])
def test_profiles_have_unit_area_and_stand_where_they_should(lorentz, gauss):
    bank = make_profile_bank(np.array([lorentz]), np.array([gauss]), CHANNEL)
    window = int(bank.window[0])
    profiles = bank.profiles[window][bank.row[0] : bank.row[0] + SUBCHANNELS]
    np.testing.assert_allclose(profiles.sum(axis=1), 1.0, rtol=1e-12)
    place = np.arange(window) - window // 2
    offsets = (np.arange(SUBCHANNELS) + 0.5) / SUBCHANNELS - 0.5
    core = np.abs(place) <= window // 4
    centre = (profiles * place)[:, core].sum(axis=1) / profiles[:, core].sum(axis=1)
    np.testing.assert_allclose(centre, offsets, atol=0.05)


def test_the_width_is_that_of_a_voigt_profile():
    """Olivero and Longbothum's formula (10.1016/0022-4073(77)90161-3), good to 0.02 %."""
    lorentz, gauss, channel = 0.8, 1.2, 0.02
    bank = make_profile_bank(np.array([lorentz]), np.array([gauss]), channel)
    profile = bank.profiles[int(bank.window[0])][bank.row[0] + SUBCHANNELS // 2]
    above = np.flatnonzero(profile >= 0.5 * profile.max())
    expected = 0.5346 * lorentz + np.sqrt(0.2166 * lorentz**2 + gauss**2)
    assert (above[-1] - above[0] + 1) * channel == pytest.approx(expected, rel=0.06)
