"""The database file against the package it belongs to."""

from __future__ import annotations

import pytest
import xraydb

from xpshpc.spectra.elements import ELEMENTS
from xpshpc.spectra.lines.xray_database import core_hole_widths, edge_energies


@pytest.mark.parametrize("symbol", [*ELEMENTS, "Po"])
def test_the_file_says_what_xraydb_says(symbol):
    assert edge_energies()[symbol] == {shell: edge.energy for shell, edge in xraydb.xray_edges(symbol).items()}
    assert core_hole_widths()[symbol] == xraydb.core_width(symbol)
