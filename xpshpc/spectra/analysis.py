"""What a network says of measured spectra, as programs and people read it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil, isfinite
from pathlib import Path
from typing import Any

import numpy as np

from xpshpc.run_directory import write_atomically
from xpshpc.spectra.measured import MeasuredSpectrum
from xpshpc.spectra.model_card import ModelCard
from xpshpc.spectra.trained_network import STATED, NetworkAnswer, measured_coverage

LISTED_AT_PERCENT = 0.1

_COLUMNS = (
    "file",
    "name",
    "element",
    "at_percent",
    "uncertainty_at_percent",
    "low_at_percent",
    "high_at_percent",
    "overlayer_A",
)


@dataclass(frozen=True)
class SpectrumAnalysis:
    """What a network says of one measured spectrum.

    `composition_at_percent` holds the elements of 0.1 at.% and more, the largest first; `rest_at_percent` is the sum of
    all others. `uncertainty_at_percent` is half the width of a fraction's interval, for each element for which one is
    claimed. `overlayer_A` is the thickness of the carbonaceous overlayer in Å. `remarks` say what was assumed.
    """

    file: Path
    name: str
    composition_at_percent: Mapping[str, float]
    rest_at_percent: float
    overlayer_A: float
    remarks: tuple[str, ...] = ()
    plot: Path | None = None
    uncertainty_at_percent: Mapping[str, float] = field(default_factory=dict)

    @property
    def interval_at_percent(self) -> dict[str, tuple[float, float]]:
        """The intervals, cut to what a fraction can be."""
        found = {}
        for element, half in self.uncertainty_at_percent.items():
            share = self.composition_at_percent[element]
            found[element] = (round(max(share - half, 0.0), 2), round(min(share + half, 100.0), 2))
        return found

    def as_json(self) -> dict[str, Any]:
        return {
            "file": str(self.file),
            "name": self.name,
            "composition_at_percent": dict(self.composition_at_percent),
            "uncertainty_at_percent": dict(self.uncertainty_at_percent),
            "interval_at_percent": {element: list(ends) for element, ends in self.interval_at_percent.items()},
            "rest_at_percent": self.rest_at_percent,
            "overlayer_A": self.overlayer_A,
            "remarks": list(self.remarks),
            "plot": None if self.plot is None else str(self.plot),
        }


@dataclass(frozen=True)
class Coverage:
    """How often intervals hold the truth: as `stated`, and as `measured` on held-out simulated samples, if it was."""

    stated: float
    measured: float | None

    def as_json(self) -> dict[str, float | None]:
        return {"stated": self.stated, "measured": None if self.measured is None else round(self.measured, 4)}


@dataclass(frozen=True)
class Analysis:
    """The answers of one network for all spectra of some files, in the files' order; `coverage` None: no intervals."""

    model: Path
    spectra: tuple[SpectrumAnalysis, ...]
    coverage: Coverage | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "model": str(self.model),
            "spectra": [one.as_json() for one in self.spectra],
            "coverage": None if self.coverage is None else self.coverage.as_json(),
        }

    def write_csv(self, path: Path) -> None:
        """Writes a table with a line for each element of each spectrum; what is not claimed stays empty."""
        table = io.StringIO()
        lines = csv.writer(table, lineterminator="\n")
        lines.writerow(_COLUMNS)
        for one in self.spectra:
            intervals = one.interval_at_percent
            for element, share in one.composition_at_percent.items():
                stated = (
                    (one.uncertainty_at_percent[element], *intervals[element]) if element in intervals else ("",) * 3
                )
                lines.writerow((one.file, one.name, element, share, *stated, one.overlayer_A))
        write_atomically(path, table.getvalue().encode())


def describe(spectrum: MeasuredSpectrum, card: ModelCard, answer: NetworkAnswer, place: int) -> SpectrumAnalysis:
    """The answer to one spectrum, the `place`-th one that the network was asked about."""
    whole = answer.composition[place].sum()
    percent = 100 * answer.composition[place] / whole
    order = [i for i in np.argsort(-percent, kind="stable") if percent[i] >= LISTED_AT_PERCENT]
    halves = {} if answer.half_width is None else {i: 100 * float(answer.half_width[place, i]) / whole for i in order}
    return SpectrumAnalysis(
        spectrum.file,
        spectrum.name,
        {card.elements[i]: round(float(percent[i]), 2) for i in order},
        round(float(percent[percent < LISTED_AT_PERCENT].sum()), 2),
        round(float(answer.overlayer_A[place]), 2),
        spectrum.remarks,
        # Rounded up: an interval that was made narrower would promise more than was found.
        uncertainty_at_percent={
            card.elements[i]: ceil(100 * half) / 100 for i, half in halves.items() if isfinite(half)
        },
    )


def state_coverage(card: ModelCard, answer: NetworkAnswer) -> Coverage | None:
    """What is promised of the answer's intervals; None where it has none."""
    return None if answer.half_width is None else Coverage(STATED, measured_coverage(card))
