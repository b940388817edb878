"""Counting noise is Poisson's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, poisson

from xpshpc.spectra.noise import EXACT_BELOW, poisson_counts


@pytest.mark.parametrize("expected", [0.0, 0.01, 0.7, 3.0, 11.9, 12.0, 15.0, 50.0, 1000.0, 20_000.0])
def test_the_distribution_of_counts_is_poissons(expected):
    """Total variation between the counts of all quantiles and the true distribution, without sampling error."""
    edges = np.linspace(-6.5, 6.5, 2_000_001)
    middle = (0.5 * (edges[1:] + edges[:-1])).astype(np.float32)
    weight = np.diff(norm.cdf(edges))
    counts = poisson_counts(np.full(middle.shape, expected), middle)
    assert (counts == np.floor(counts)).all() and counts.min() >= 0
    found = np.bincount(counts.astype(int), weights=weight)
    true = poisson.pmf(np.arange(len(found)), expected)
    assert 0.5 * np.abs(found - true).sum() < 5e-4
    if expected < EXACT_BELOW:
        assert 0.5 * np.abs(found - true).sum() < 2e-5


def test_more_is_never_less():
    """At one random number, counts rise with the expectation."""
    expected = np.linspace(0, 200, 20_001)
    for deviate in (-3.0, -0.5, 0.0, 1.0, 4.0):
        counts = poisson_counts(expected, np.full(expected.shape, deviate, dtype=np.float32))
        assert (np.diff(counts) >= 0).all()
