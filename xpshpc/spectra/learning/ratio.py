"""Ratios that may have nothing below the line: no samples, no value."""

from __future__ import annotations

from collections.abc import Iterable

_UNVARIED = 1e-12
"""Below this share of the mean square, a variance is rounding."""


def divide(part: float, whole: float) -> float | None:
    """None where there is nothing to divide by."""
    return part / whole if whole else None


def mean_of_known(values: Iterable[float | None]) -> float | None:
    """The mean of the values that are not None; None where there are none."""
    known = [value for value in values if value is not None]
    return divide(sum(known), len(known))


def variation(total: float, square: float, samples: float) -> float:
    """Σ(t − mean)² from Σt and Σt²; 0 where it is only rounding."""
    about_mean = square - total**2 / samples
    return about_mean if about_mean > _UNVARIED * square else 0.0


def explained(error_square: float, truth_variation: float) -> float | None:
    """R²: 1 for perfect answers, 0 for those that only know the mean; None where the truth does not vary."""
    unexplained = divide(error_square, truth_variation)
    return None if unexplained is None else 1.0 - unexplained
