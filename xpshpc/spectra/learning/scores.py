"""How answers are judged: sums over samples that add up, and the metrics they give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.domain import Arrays
from xpshpc.spectra.learning.names import COMPOSITION, THICKNESS

DETECTED = 0.01
"""Atomic fraction from which on an element counts as detected."""


def sample_metrics(truth: Arrays, answer: Arrays) -> dict[str, NDArray[np.float64]]:
    """Accuracy 1 − Σ|y′−y|/2, RMSE over the elements, and the thickness error in Å, of each sample."""
    error = _error(truth, answer, COMPOSITION)
    return {
        "accuracy": 1.0 - 0.5 * np.abs(error).sum(axis=1),
        "rmse": np.sqrt((error**2).mean(axis=1)),
        "thickness_mae_A": np.abs(_error(truth, answer, THICKNESS).reshape(-1)),
    }


def score(truth: Arrays, answer: Arrays) -> dict[str, NDArray[np.float64]]:
    """Sums over samples: scalars, and one value for each element."""
    error = _error(truth, answer, COMPOSITION)
    true = np.asarray(truth[COMPOSITION], np.float64)
    present, said = true >= DETECTED, np.asarray(answer[COMPOSITION], np.float64) >= DETECTED
    sums = {
        **sample_metrics(truth, answer),
        "samples": np.ones(len(error)),
        "thickness_bias_A": _error(truth, answer, THICKNESS).reshape(-1),
        "element.present": true > 0,
        "element.error": error,
        "element.absolute": np.abs(error),
        "element.square": error**2,
        "element.absolute_present": np.abs(error) * (true > 0),
        "element.true_positive": present & said,
        "element.false_positive": ~present & said,
        "element.false_negative": present & ~said,
    }
    return {name: np.sum(values, axis=0, dtype=np.float64) for name, values in sums.items()}


def summarise(sums: Arrays, elements: Sequence[str]) -> dict[str, Any]:
    """Means over samples, and for each element its errors (atomic fractions) and how well it is detected.

    `rmse` is the mean over samples of each one's RMSE; an element's `mae`, `rmse` and `bias` are over all samples,
    `mae_present` over those that hold it; `precision` and `recall` are for 1 at.% and more. What has no samples is
    None.
    """
    samples = float(sums["samples"])
    whole = ("accuracy", "rmse", "thickness_mae_A", "thickness_bias_A")
    means = {name: float(sums[name]) / samples for name in whole}
    summaries = {}
    for place, element in enumerate(elements):
        of = {name.removeprefix("element."): float(sums[name][place]) for name in sums if name.startswith("element.")}
        summaries[element] = {
            "present": round(of["present"]),
            "mae": of["absolute"] / samples,
            "mae_present": _ratio(of["absolute_present"], of["present"]),
            "rmse": float(np.sqrt(of["square"] / samples)),
            "bias": of["error"] / samples,
            "precision": _ratio(of["true_positive"], of["true_positive"] + of["false_positive"]),
            "recall": _ratio(of["true_positive"], of["true_positive"] + of["false_negative"]),
        }
    return {**means, "elements": summaries}


def _error(truth: Arrays, answer: Arrays, name: str) -> NDArray[np.float64]:
    true = np.asarray(truth[name], np.float64)
    return np.asarray(answer[name], np.float64).reshape(true.shape) - true


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
