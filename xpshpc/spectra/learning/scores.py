"""How answers are judged: sums over samples that add up, and the metrics they give."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.domain import Arrays
from xpshpc.spectra.learning.confusion import count_confusions, list_confusions
from xpshpc.spectra.learning.detection_scores import (
    USUAL,
    count_detections,
    element_detections,
    reach_levels,
    summarise_detections,
)
from xpshpc.spectra.learning.element_sets import count_near, count_sets, summarise_near, summarise_sets
from xpshpc.spectra.learning.fraction_bins import bin_errors, summarise_bins
from xpshpc.spectra.learning.names import COMPOSITION, THICKNESS
from xpshpc.spectra.learning.ratio import divide, explained, variation


def sample_metrics(truth: Arrays, answer: Arrays) -> dict[str, NDArray[np.float64]]:
    """Accuracy 1 − Σ|y′−y|/2, RMSE over the elements, and the thickness error in Å, of each sample."""
    error = _error(truth, answer, COMPOSITION)
    return {
        "accuracy": 1.0 - 0.5 * np.abs(error).sum(axis=1),
        "rmse": np.sqrt((error**2).mean(axis=1)),
        "thickness_mae_A": np.abs(_error(truth, answer, THICKNESS).reshape(-1)),
    }


def score(truth: Arrays, answer: Arrays) -> dict[str, NDArray[np.float64]]:
    """Sums over samples, float64: scalars, one value for each element, counts of levels, bins and pairs."""
    true = np.asarray(truth[COMPOSITION], np.float64)
    error = _error(truth, answer, COMPOSITION)
    true_levels, told_levels = reach_levels(truth[COMPOSITION]), reach_levels(answer[COMPOSITION])
    held = true > 0
    held_fraction, held_error = true[held], error[held]
    of_samples = {
        **sample_metrics(truth, answer),
        **_thickness_terms(truth, answer),
        "samples": np.ones(len(error)),
        "element.present": held,
        "element.error": error,
        "element.absolute": np.abs(error),
        "element.square": error**2,
        "element.absolute_present": np.abs(error) * held,
        "element.truth": true,
        "element.truth_square": true**2,
    }
    return {
        **{name: np.sum(values, axis=0, dtype=np.float64) for name, values in of_samples.items()},
        **count_detections(true_levels, told_levels),
        **count_sets(true_levels, told_levels, held),
        **count_near(held_fraction, held_error),
        **bin_errors(error[~held], held_fraction, held_error),
        **count_confusions(error, true_levels, told_levels),
    }


def summarise(sums: Arrays, elements: Sequence[str]) -> dict[str, Any]:
    """Means over samples, then how well elements are detected, told apart and measured, each as its module tells.

    `rmse` is the mean over samples of each one's RMSE. `r2` is the share of the fractions' variance, about each
    element's mean, that the answers explain. What has no samples is None.
    """
    samples = float(sums["samples"])
    detections = element_detections(sums)
    return {
        **{name: float(sums[name]) / samples for name in ("accuracy", "rmse", "thickness_mae_A")},
        "r2": explained(float(sums["element.square"].sum()), sum(_variations(sums, samples))),
        "thickness_rmse_A": math.sqrt(float(sums["thickness.square"]) / samples),
        "thickness_bias_A": float(sums["thickness_bias_A"]) / samples,
        "thickness_r2": explained(
            float(sums["thickness.square"]),
            variation(float(sums["thickness.truth"]), float(sums["thickness.truth_square"]), samples),
        ),
        "element_set": summarise_sets(sums, samples),
        "within_20_percent": summarise_near(sums),
        "detection": summarise_detections(detections),
        "elements": {
            element: {
                **_mean_errors(sums, place, samples),
                **detections[place][USUAL].as_json(),
                **_measure_spread(sums, place, samples),
                "detection": {name: counts.as_json() for name, counts in detections[place].items()},
            }
            for place, element in enumerate(elements)
        },
        "error_by_fraction": summarise_bins(sums),
        "confused": list_confusions(sums, sums["element.present"], elements),
    }


def _mean_errors(sums: Arrays, place: int, samples: float) -> dict[str, Any]:
    """Mean absolute errors of an element, atomic fractions: over all samples, and over those that hold it."""
    present = float(sums["element.present"][place])
    return {
        "present": round(present),
        "mae": float(sums["element.absolute"][place]) / samples,
        "mae_present": divide(float(sums["element.absolute_present"][place]), present),
    }


def _measure_spread(sums: Arrays, place: int, samples: float) -> dict[str, Any]:
    """R², root mean square and mean of an element's errors over all samples."""
    error, square, truth, truth_square = (
        float(sums[f"element.{name}"][place]) for name in ("error", "square", "truth", "truth_square")
    )
    return {
        "r2": explained(square, variation(truth, truth_square, samples)),
        "rmse": math.sqrt(square / samples),
        "bias": error / samples,
    }


def _variations(sums: Arrays, samples: float) -> list[float]:
    pairs = zip(sums["element.truth"], sums["element.truth_square"], strict=True)
    return [variation(float(total), float(square), samples) for total, square in pairs]


def _thickness_terms(truth: Arrays, answer: Arrays) -> dict[str, NDArray[np.float64]]:
    true = np.asarray(truth[THICKNESS], np.float64).reshape(-1)
    error = _error(truth, answer, THICKNESS).reshape(-1)
    return {
        "thickness_bias_A": error,
        "thickness.square": error**2,
        "thickness.truth": true,
        "thickness.truth_square": true**2,
    }


def _error(truth: Arrays, answer: Arrays, name: str) -> NDArray[np.float64]:
    true = np.asarray(truth[name], np.float64)
    return np.asarray(answer[name], np.float64).reshape(true.shape) - true
