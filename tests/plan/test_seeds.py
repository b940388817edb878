"""Random streams: the published generator, and one independent stream for each sample."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpshpc.plan.seeds import Streams, philox4x32

PI = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344)


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (PI, (0xA4093822, 0x299F31D0), (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
    ],
)
def test_words_are_those_of_the_authors(counter, key, words):
    """Known answers of the Random123 distribution."""
    found = philox4x32(tuple(np.array([word], dtype=np.uint64) for word in counter), key)
    assert tuple(int(word[0]) for word in found) == words


@given(
    seed=st.integers(0, 2**63 - 1),
    indices=st.lists(st.integers(0, 2**40), min_size=1, max_size=6, unique=True),
    draws=st.integers(1, 40),
)
def test_a_stream_depends_on_its_own_index_alone(seed, indices, draws):
    streams = Streams(seed)
    together = streams.normal(np.array(indices), 3, draws)
    alone = np.concatenate([streams.normal(np.array([index]), 3, draws) for index in indices])
    np.testing.assert_array_equal(together, alone)


def test_streams_of_other_samples_purposes_and_seeds_are_uncorrelated():
    index = np.arange(2)
    first = Streams(1).normal(index, 1, 40_000)
    others = [first[1], Streams(1).normal(index, 2, 40_000)[0], Streams(2).normal(index, 1, 40_000)[0]]
    for other in others:
        assert abs(np.corrcoef(first[0], other)[0, 1]) < 4 / np.sqrt(40_000)


def test_deviates_have_the_moments_of_their_distributions():
    draws = 400_000
    uniform = Streams(9).uniform(np.array([5]), 1, draws)
    normal = Streams(9).normal(np.array([5]), 1, draws).astype(np.float64)
    assert uniform.min() > 0.0 and uniform.max() < 1.0
    assert abs(uniform.mean() - 0.5) < 4 * np.sqrt(1 / 12 / draws)
    assert abs(normal.mean()) < 4 / np.sqrt(draws)
    assert abs(normal.var() - 1.0) < 4 * np.sqrt(2 / draws)
    assert abs((normal**4).mean() - 3.0) < 4 * np.sqrt(96 / draws)
