"""What a distance of image sets has to find on measured maps: nothing, little, and much."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.wafers.measured_maps import measured_maps
from xpshpc.evaluate.comparison import settle_comparison
from xpshpc.evaluate.set_scores import SetScores, score_sets
from xpshpc.wafers.maps import SPLITS, SplitName
from xpshpc.wafers.resize import resize_maps

pytestmark = pytest.mark.ranks

MAPS = 110
SETS: dict[str, tuple[str, SplitName]] = {
    "donuts": ("Donut", "train"),
    "other donuts": ("Donut", "validation"),
    "edge rings": ("Edge-Ring", "train"),
}


def test_the_same_set_has_no_distance_its_like_little_and_others_much(tmp_path: Path) -> None:
    known = measured_maps()
    for name, (pattern, split) in SETS.items():
        wanted = (known.label == known.classes.index(pattern)) & (known.split == SPLITS.index(split))
        chosen = np.random.default_rng(0).permutation(np.flatnonzero(wanted))[:MAPS]
        np.savez(tmp_path / f"{name}.npz", maps=resize_maps(known.take(chosen).maps, 48))

    def compare(other: str) -> SetScores:
        sets = tmp_path / "donuts.npz", tmp_path / f"{other}.npz"
        comparison = settle_comparison(*sets, kid=True, inception_score=True, cache=tmp_path / "cache")
        return score_sets(comparison, ranks=2)

    like, unlike, same = compare("other donuts"), compare("edge rings"), compare("donuts")
    assert (like.from_cache, unlike.from_cache, same.from_cache) == ((False, False), (True, False), (True, True))
    assert 0 <= same.fid < 1e-9
    # Halves of a set are half as large, which alone doubles the distance between equals.
    assert like.split_half_baseline is not None
    assert like.fid < 1.2 * like.split_half_baseline
    assert unlike.fid > 3 * like.fid
    assert unlike.kid is not None and like.kid is not None
    assert unlike.kid.value > 10 * abs(like.kid.value)
    assert unlike.bootstrap is not None and like.bootstrap is not None
    assert unlike.bootstrap.low > like.bootstrap.high
    for scores in (like, unlike):
        assert scores.inception_score is not None
        assert all(1 <= score.mean <= score.classes == 1000 for score in scores.inception_score.values())
