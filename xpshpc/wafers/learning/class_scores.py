"""How well classes are told: sums over samples, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.domain import Arrays

LEAST_PROBABILITY = 1e-7
"""What a class is taken to have at least, about the resolution of the answers: a logarithm stays finite."""


def sample_scores(truth: NDArray[Any], answer: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
    """Of each sample, from one-hot truth and probabilities (n, classes): right or not, and −ln of its class' share."""
    right = np.argmax(truth, axis=1) == np.argmax(answer, axis=1)
    told = np.sum(np.where(truth > 0, answer, 0.0), axis=1, dtype=np.float64)
    return {"accuracy": right.astype(np.float64), "log_loss": -np.log(np.maximum(told, LEAST_PROBABILITY))}


def count_classes(truth: NDArray[Any], answer: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
    """Sums over samples: how often each class (row) was told as each (column), and the logarithmic loss."""
    classes = truth.shape[1]
    pairs = np.argmax(truth, axis=1) * classes + np.argmax(answer, axis=1)
    counts = np.bincount(pairs, minlength=classes**2).astype(np.float64).reshape(classes, classes)
    return {"confusion": counts, "log_loss": sample_scores(truth, answer)["log_loss"].sum(keepdims=True)}


def summarise_classes(sums: Arrays, names: Sequence[str]) -> dict[str, Any]:
    """The scores (JSON) that the sums give; a class of which there is no sample has none (null) and enters no mean.

    `macro_f1` is the mean of the classes' F1, `balanced_accuracy` that of their recalls.
    """
    confusion = sums["confusion"]
    held, told, right = confusion.sum(axis=1), confusion.sum(axis=0), np.diag(confusion)
    classes: dict[str, dict[str, float | int | None]] = {}
    for place, name in enumerate(names):
        there = bool(held[place])
        classes[name] = {
            "precision": float(right[place] / told[place]) if there and told[place] else None,
            "recall": float(right[place] / held[place]) if there else None,
            "f1": float(2 * right[place] / (held[place] + told[place])) if there else None,
            "samples": round(float(held[place])),
        }
    present = held > 0
    return {
        "accuracy": float(right.sum() / held.sum()),
        "macro_f1": float(np.mean(2 * right[present] / (held[present] + told[present]))),
        "balanced_accuracy": float(np.mean(right[present] / held[present])),
        "log_loss": float(sums["log_loss"][0] / held.sum()),
        "classes": classes,
        "confusion": confusion.round().astype(int).tolist(),
    }
