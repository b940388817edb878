"""X-ray sources and their satellites."""

from __future__ import annotations

import pytest

from xpshpc.spectra.lines.sources import xray_sources


def test_satellites_belong_to_anodes_without_a_monochromator():
    sources = xray_sources()
    assert sources["AlKa-mono"].satellites == ()
    assert len(sources["AlKa"].satellites) == len(sources["MgKa"].satellites) == 5


@pytest.mark.parametrize(
    ("name", "strongest", "height", "beta_line"), [("MgKa", 8.4, 0.08, 1302.2), ("AlKa", 9.8, 0.064, 1557.4)]
)
def test_the_strongest_satellite_and_k_beta_stand_where_published(name, strongest, height, beta_line):
    """Kβ: 1302.2 and 1557.4 eV (Bearden, Rev. Mod. Phys. 39, 78, 1967, 10.1103/RevModPhys.39.78), 1 eV of rounding."""
    source = xray_sources()[name]
    shift, found = max(source.satellites, key=lambda satellite: satellite[1])
    assert (shift, found) == (strongest, height)
    assert source.photon_energy_eV + source.satellites[-1][0] == pytest.approx(beta_line, abs=1.5)
    assert all(0.0 < satellite[1] < 0.1 for satellite in source.satellites)
    assert sorted(source.satellites) == list(source.satellites)
