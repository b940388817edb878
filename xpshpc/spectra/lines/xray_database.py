"""Edges and core-hole widths from the database file of xraydb, without the package: importing that takes half a second.

The tables are those that `xraydb.xray_edges` and `xraydb.core_width` read.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from xpshpc.errors import EnvironmentFault


@cache
def edge_energies() -> dict[str, dict[str, float]]:
    """Absorption edges (eV) by element and X-ray name of the subshell.

    Elam, Ravel and Sieber, 10.1016/S0969-806X(01)00227-4.
    """
    return _read("SELECT element, iupac_symbol, absorption_edge FROM xray_levels")


@cache
def core_hole_widths() -> dict[str, dict[str, float]]:
    """Life-time widths (eV) by element and X-ray name of the subshell.

    Krause and Oliver (10.1063/1.555595) for K and L, Keski-Rahkonen and Krause (10.1016/S0092-640X(74)80020-3) for the
    others.
    """
    return _read("SELECT element, edge, width FROM corelevel_widths")


def _read(query: str) -> dict[str, dict[str, float]]:
    figures: dict[str, dict[str, float]] = {}
    with closing(sqlite3.connect(f"{_file().as_uri()}?mode=ro&immutable=1", uri=True)) as database:
        for element, shell, figure in database.execute(query):
            figures.setdefault(str(element), {})[str(shell)] = float(figure)
    return figures


def _file() -> Path:
    package = find_spec("xraydb")
    if package is None or package.origin is None:
        raise EnvironmentFault("the package xraydb is not installed", try_="cluster/setup.sh")
    return Path(package.origin).with_name("xraydb.sqlite")
