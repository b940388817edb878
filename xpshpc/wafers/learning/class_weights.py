"""How much a sample of each class counts in the loss, and how frequent the classes of a job are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.wafers.learning.task import Weighing
from xpshpc.wafers.settings import WaferSettings

_ANY_SEED = 0
"""How many maps of a class are chosen does not depend on which ones are."""


def check_weights(told: Weighing | Mapping[str, float], names: Sequence[str]) -> None:
    """Raises UsageError for a table of weights that names unknown classes or leaves none that counts."""
    if isinstance(told, str):
        return
    unknown = sorted(set(told) - set(names))
    if unknown:
        raise UsageError(
            f"unknown class(es) {', '.join(unknown)} (known: {', '.join(names)})", where="train.task.class_weights"
        )
    if not any(told.get(name, 1.0) for name in names):
        raise UsageError("all classes have the weight 0", where="train.task.class_weights")


def weigh_classes(weighing: Weighing, shares: NDArray[np.float64]) -> NDArray[np.float32]:
    """The weight of each class, (classes,), from the classes' shares of the samples; the mean over samples is 1.

    A class without samples has the weight 1.
    """
    known = shares > 0
    weights = np.ones(len(shares))
    if weighing != "none":
        power = 1.0 if weighing == "balanced" else 0.5
        weights[known] = shares[known] ** -power
        weights[known] /= np.sum(shares[known] * weights[known])
    return weights.astype(np.float32)


def class_shares(settings: WaferSettings, names: Sequence[str]) -> NDArray[np.float64]:
    """The share of each class among a job's samples, (classes,), sum 1, as its settings tell.

    A mixture has its parts' shares. Raises what reading the originals raises.
    """
    if not settings.mixture:
        kind = "originals" if settings.originals else "generated" if settings.generator else "synthetic"
        return _shares_of(kind, settings, names)
    parts = [part.samples * _shares_of(part.source, settings, names) for part in settings.mixture]
    total: NDArray[np.float64] = np.sum(parts, axis=0)
    return total / (total.sum() or 1.0)


def _shares_of(source: str, settings: WaferSettings, names: Sequence[str]) -> NDArray[np.float64]:
    told: dict[str, float]
    if source in ("originals", "augmented") and settings.originals is not None:
        from xpshpc.wafers.choose import choose_originals

        chosen = choose_originals(settings.originals, _ANY_SEED)
        found = np.bincount(chosen.label, minlength=len(chosen.classes))
        told = dict(zip(chosen.classes, found.tolist(), strict=True))
    elif source == "generated":
        made = settings.generator.classes if settings.generator is not None else ()
        told = dict.fromkeys(made or names, 1.0)
    else:
        patterns = settings.patterns
        told = dict(zip(patterns.classes, patterns.shares or (1.0,) * len(patterns.classes), strict=True))
    shares = np.array([told.get(name, 0.0) for name in names], np.float64)
    return shares / (shares.sum() or 1.0)
