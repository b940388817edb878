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


def philox4x64(counter: int, key: tuple[int, int]) -> tuple[int, ...]:
    """Philox4x64-10 in whole numbers, from its definition."""
    low = 2**64 - 1
    c0, c1, c2, c3 = ((counter >> shift) & low for shift in (0, 64, 128, 192))
    k0, k1 = key
    for _ in range(10):
        first, second = 0xD2E7470EE14C6C93 * c0, 0xCA5A826395121157 * c2
        c0, c1, c2, c3 = (second >> 64) ^ c1 ^ k0, second & low, (first >> 64) ^ c3 ^ k1, first & low
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) & low, (k1 + 0xBB67AE8584CAA73B) & low
    return c0, c1, c2, c3


def test_the_definition_gives_the_known_answer():
    """Counter and key 0, from the Random123 distribution."""
    assert philox4x64(0, (0, 0)) == (0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B)


@given(seed=st.integers(0, 2**63 - 1), purpose=st.integers(1, 9), index=st.integers(0, 2**40), draws=st.integers(1, 33))
def test_deviates_are_box_and_mullers_of_the_samples_own_blocks(seed, purpose, index, draws):
    """Blocks index·m + 1 to (index + 1)·m of a stream of m blocks a sample, in words of 32 bits, the low one first."""
    pairs = -(-draws // 2)
    blocks = -(-pairs // 4)
    words = [
        half
        for block in range(blocks)
        for word in philox4x64((blocks << 128) + index * blocks + block + 1, (seed, purpose))
        for half in (word & 0xFFFFFFFF, word >> 32)
    ]
    radius = np.sqrt(-2.0 * np.log((np.array(words[:pairs]) + 0.5) * 2.0**-32))
    angle = 2.0 * np.pi * np.array(words[-pairs:]) * 2.0**-32
    expected = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:draws]
    found = Streams(seed).normal(np.array([index]), purpose, draws)[0]
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_neighbours_share_no_numbers():
    deviates = Streams(4).normal(np.arange(50), 4, 64).ravel()
    assert len(np.unique(deviates)) > 0.999 * deviates.size
