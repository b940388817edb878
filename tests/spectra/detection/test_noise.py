"""Counting noise is Poisson's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, poisson

from xpshpc.plan.seeds import Streams
from xpshpc.spectra.detection.noise import EXACT_BELOW, poisson_counts


@pytest.mark.parametrize("expected", [0.0, 0.01, 0.7, 3.0, 11.9, 12.0, 15.0, 50.0, 1000.0, 20_000.0])
def test_the_distribution_of_counts_is_poissons(expected):
    """Total variation between the counts of all quantiles and the true distribution, without sampling error."""
    edges = np.linspace(-6.5, 6.5, 2_000_001 if expected > 5000 else 400_001)
    middle = (0.5 * (edges[1:] + edges[:-1])).astype(np.float32)
    weight = np.diff(norm.cdf(edges))
    counts = poisson_counts(np.full((1, len(middle)), expected), middle[None, :])[0]
    assert (counts == np.floor(counts)).all() and counts.min() >= 0
    found = np.bincount(counts.astype(int), weights=weight)
    true = poisson.pmf(np.arange(len(found)), expected)
    assert 0.5 * np.abs(found - true).sum() < 5e-4
    if expected < EXACT_BELOW:
        assert 0.5 * np.abs(found - true).sum() < 2e-5


def test_the_approximation_cannot_be_told_from_poissons_by_a_histogram_of_all_counts():
    """Sampled with the job's own deviates, 400 000 draws: χ² of the histogram stays within five standard deviations."""
    expected = 37.3
    deviates = Streams(11).normal(np.arange(200), 4, 2000)
    counts = poisson_counts(np.full(deviates.shape, expected), deviates).astype(int)
    bins = np.arange(20, 60)
    found = np.bincount(counts.ravel(), minlength=200)[bins]
    true = deviates.size * poisson.pmf(bins, expected)
    surplus = ((found - true) ** 2 / true).sum() - len(bins)
    assert abs(surplus) < 5 * np.sqrt(2 * len(bins))


def test_counts_of_a_spectrum_do_not_depend_on_its_neighbours():
    expected = np.linspace(1.0, 9000.0, 37 * 100).reshape(37, 100)
    deviates = Streams(3).normal(np.arange(37), 4, 100)
    together = poisson_counts(expected, deviates)
    for row in range(37):
        np.testing.assert_array_equal(
            poisson_counts(expected[row : row + 1], deviates[row : row + 1])[0], together[row]
        )


def test_more_is_never_less():
    """At one random number, counts rise with the expectation."""
    expected = np.linspace(0, 200, 20_001)
    for deviate in (-3.0, -0.5, 0.0, 1.0, 4.0):
        counts = poisson_counts(expected[None, :], np.full((1, len(expected)), deviate, dtype=np.float32))
        assert (np.diff(counts) >= 0).all()
