"""Reads the small tables of figures that lie beside this module; each states its source in its first lines."""

from __future__ import annotations

import csv
from importlib.resources import files


def read_table(name: str) -> list[dict[str, str]]:
    """Rows of `data/<name>` by column name; lines that begin with # are left out."""
    text = (files("xpshpc.spectra") / "data" / name).read_text(encoding="utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
