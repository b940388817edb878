"""A network judged on measured spectra whose compositions are known: everything is read before it is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.spectra.analysis import LISTED_AT_PERCENT, SpectrumAnalysis, describe
from xpshpc.spectra.analyze import read_surveys
from xpshpc.spectra.learning.detection_scores import THRESHOLDS, USUAL
from xpshpc.spectra.measured import MeasuredSpectrum
from xpshpc.spectra.measured.known_compositions import KnownComposition, read_known_compositions
from xpshpc.spectra.model_card import ModelCard
from xpshpc.spectra.trained_network import STATED, NetworkAnswer, ask_network

DETECTED = THRESHOLDS[USUAL]
"""Atomic fraction from which on an element counts as detected."""


@dataclass(frozen=True, eq=False)
class KnownSurveys:
    """Spectra of a table, brought onto a network's axis: `rows` (n, channels), and `fractions` (n, elements)."""

    table: Path
    known: tuple[KnownComposition, ...]
    spectra: tuple[MeasuredSpectrum, ...]
    rows: NDArray[np.float64]
    fractions: NDArray[np.float64]


@dataclass(frozen=True)
class SurveyScore:
    """One measured spectrum: what the network says of it, and how far that is from what is known (at.%).

    `missed` and `wrongly_named` are elements on one side of 1 at.% in the sample and on the other in the answer;
    `outside` are those whose stated interval does not hold the known fraction, of `intervals` that were stated.
    """

    known_at_percent: Mapping[str, float]
    analysis: SpectrumAnalysis
    accuracy: float
    rmse: float
    missed: tuple[str, ...]
    wrongly_named: tuple[str, ...]
    outside: tuple[str, ...]
    intervals: int

    def as_json(self) -> dict[str, Any]:
        return {
            **self.analysis.as_json(),
            "known_at_percent": dict(self.known_at_percent),
            "accuracy": self.accuracy,
            "rmse": self.rmse,
            "missed": list(self.missed),
            "wrongly_named": list(self.wrongly_named),
            "outside": list(self.outside),
        }


@dataclass(frozen=True)
class KnownSurveyScores:
    """A network's scores on the measured spectra of a table; each spectrum counts the same."""

    table: Path
    spectra: tuple[SurveyScore, ...]

    def as_json(self) -> dict[str, Any]:
        intervals = sum(one.intervals for one in self.spectra)
        held = intervals - sum(len(one.outside) for one in self.spectra)
        right = sum(not (one.missed or one.wrongly_named) for one in self.spectra)
        return {
            "table": str(self.table),
            "samples": len(self.spectra),
            "accuracy": sum(one.accuracy for one in self.spectra) / len(self.spectra),
            "rmse": sum(one.rmse for one in self.spectra) / len(self.spectra),
            "element_set": {"correct": right / len(self.spectra)},
            "coverage": {"stated": STATED, "measured": held / intervals, "n": intervals} if intervals else None,
            "spectra": [one.as_json() for one in self.spectra],
        }


def read_known_surveys(table: Path, card: ModelCard) -> KnownSurveys:
    """The spectra of a table of known compositions, for the network of a card.

    Raises UsageError naming line and file, before any network is asked, for a row that cannot be taken.
    """
    known = read_known_compositions(table)
    files: dict[Path, tuple[list[MeasuredSpectrum], list[NDArray[np.float64]]]] = {}
    spectra, rows = [], []
    fractions = np.zeros((len(known), len(card.elements)))
    for row, one in enumerate(known):
        if one.file not in files:
            files[one.file] = _read_file(one, card)
        place = _choose(one, [spectrum.name for spectrum in files[one.file][0]])
        spectra.append(files[one.file][0][place])
        rows.append(files[one.file][1][place])
        for element, share in one.fractions.items():
            if element not in card.elements:
                raise UsageError(f"the network does not know {element}", where=f"{one.place} ({one.file.name})")
            fractions[row, card.elements.index(element)] = share
    return KnownSurveys(table, tuple(known), tuple(spectra), np.stack(rows), fractions)


def judge_known_surveys(surveys: KnownSurveys, card: ModelCard) -> KnownSurveyScores:
    """Asks the network for all spectra. Raises UsageError for a model that does not fit its card."""
    answer = ask_network(card, surveys.rows)
    return KnownSurveyScores(
        surveys.table, tuple(_judge(surveys, card, answer, place) for place in range(len(surveys.rows)))
    )


def _read_file(one: KnownComposition, card: ModelCard) -> tuple[list[MeasuredSpectrum], list[NDArray[np.float64]]]:
    try:
        return read_surveys([one.file], card.kinetic_energy_eV, card.photon_energy_eV)
    except UsageError as error:
        raise UsageError(error.what, where=f"{one.place}: {error.where}", try_=error.try_) from None


def _choose(one: KnownComposition, names: Sequence[str]) -> int:
    if one.name in names:
        return names.index(one.name)
    if not one.name and len(names) == 1:
        return 0
    what = f"no spectrum {one.name!r} in this file" if one.name else f"{len(names)} spectra in this file: which one?"
    raise UsageError(
        what, where=f"{one.place}: {one.file}", try_=f"in column name: {' | '.join(f'{name!r}' for name in names[:8])}"
    )


def _judge(surveys: KnownSurveys, card: ModelCard, answer: NetworkAnswer, place: int) -> SurveyScore:
    true, said = surveys.fractions[place], answer.composition[place]
    error = said - true
    half = np.full(len(said), np.nan) if answer.half_width is None else answer.half_width[place]
    stated = (100 * said >= LISTED_AT_PERCENT) & np.isfinite(half)
    outside = stated & (np.abs(error) > half)
    order = np.argsort(-true, kind="stable")
    return SurveyScore(
        {card.elements[i]: round(100 * float(true[i]), 2) for i in order if true[i] > 0},
        describe(surveys.spectra[place], card, answer, place),
        1.0 - 0.5 * float(np.abs(error).sum()),
        float(np.sqrt((error**2).mean())),
        _named(card, (true >= DETECTED) & (said < DETECTED)),
        _named(card, (true < DETECTED) & (said >= DETECTED)),
        _named(card, outside),
        int(stated.sum()),
    )


def _named(card: ModelCard, chosen: NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(card.elements[i] for i in np.flatnonzero(chosen))
