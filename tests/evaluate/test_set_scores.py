"""Two sets are compared alike by any number of ranks, and what cannot be compared is refused before work starts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.evaluate.image_runs import TINY_NETWORK, save_untrained, wafer_run
from tests.train.stored_run import small_job, store_run
from xpshpc.cluster.communicator import Solo
from xpshpc.errors import UsageError
from xpshpc.evaluate.comparison import Comparison, settle_comparison
from xpshpc.evaluate.frechet import frechet_distance
from xpshpc.evaluate.kid import kernel_distance
from xpshpc.evaluate.reference_cache import Extracted, read_cached, write_cached
from xpshpc.evaluate.set_scores import SetScores, score_sets
from xpshpc.events import Event, StageFinished, StageStarted


def write_features(path: Path, n: int, d: int, seed: int, shift: float = 0.0) -> Path:
    np.savez(path, features=np.random.default_rng(seed).normal(shift, 1 + shift, size=(n, d)).astype(np.float32))
    return path


def write_images(path: Path, n: int, seed: int = 0, size: int = 12) -> Path:
    np.savez(path, images=np.random.default_rng(seed).integers(0, 256, size=(n, size, size), dtype=np.uint8))
    return path


def values_of(told: Any) -> list[float]:
    if isinstance(told, dict):
        return [value for name in sorted(told) for value in values_of(told[name])]
    if isinstance(told, list | tuple):
        return [value for part in told for value in values_of(part)]
    return [float(told)] if isinstance(told, int | float) else []


def assert_same(found: SetScores, expected: SetScores, ranks: int) -> None:
    assert found.ranks == ranks
    both = [scores.as_json() | {"ranks": 0, "seconds": 0, "from_cache": []} for scores in (found, expected)]
    assert [both[0][name] for name in ("method", "extractor", "extractor_sha256", "resize")] == [
        both[1][name] for name in ("method", "extractor", "extractor_sha256", "resize")
    ]
    np.testing.assert_allclose(values_of(both[0]), values_of(both[1]), rtol=1e-10, atol=1e-12)


def test_features_are_compared_as_they_are_given(tmp_path: Path) -> None:
    a, b = write_features(tmp_path / "a.npz", 30, 50, 1), write_features(tmp_path / "b.npz", 35, 50, 2, shift=0.5)
    found = score_sets(settle_comparison(a, b, kid=True, bootstrap=20))
    with np.load(a) as first, np.load(b) as second:
        rows = first["features"], second["features"]
    expected = frechet_distance(*rows)
    assert found.fid == pytest.approx(expected.value, rel=1e-12)
    assert (found.n_a, found.n_b, found.dimensions, found.method, found.ranks) == (30, 35, 50, expected.method, 1)
    assert (found.extractor, found.extractor_sha256, found.inception_score) == ("as given", None, None)
    assert found.split_half_n == (15, 15)
    assert found.kid == kernel_distance(*rows, Solo())
    assert found.bootstrap is not None and found.bootstrap.low <= found.fid <= found.bootstrap.high
    told = json.loads(json.dumps(found.as_json()))
    assert {"fid", "n_a", "n_b", "extractor", "method", "ranks"} <= told.keys()
    assert SetScores.from_json(told) == found


def test_small_sets_have_an_interval_unless_told_otherwise_and_large_ones_have_none(tmp_path: Path) -> None:
    few, many = write_features(tmp_path / "few.npz", 20, 3, 1), write_features(tmp_path / "many.npz", 501, 3, 1)
    assert settle_comparison(few, few).resamples == 100
    assert settle_comparison(few, few, bootstrap=0).resamples == 0
    assert settle_comparison(few, many).resamples == 0
    assert settle_comparison(few, many, bootstrap=7).resamples == 7


@pytest.mark.ranks
@pytest.mark.parametrize(
    ("n", "d", "ranks", "launcher"), [(301, 20, 2, "mpirun"), (301, 20, 4, "mpirun"), (30, 50, 2, "gloo")]
)
def test_ranks_find_what_one_process_finds(n: int, d: int, ranks: int, launcher: Any, tmp_path: Path) -> None:
    a, b = write_features(tmp_path / "a.npz", n, d, 1), write_features(tmp_path / "b.npz", n - 9, d, 2, shift=0.2)
    comparison = settle_comparison(a, b, kid=True, bootstrap=9)
    alone = score_sets(comparison)
    together = score_sets(comparison, ranks=ranks, launcher=launcher)
    assert_same(together, alone, ranks)
    assert together.kid is not None and together.bootstrap is not None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.npz"]


@pytest.mark.ranks
def test_a_network_sees_each_sample_once_whatever_the_ranks_and_never_again(tmp_path: Path) -> None:
    job_file = small_job(tmp_path, samples=70)
    run = store_run(tmp_path / "a", job_file)
    other = store_run(tmp_path / "b", small_job(tmp_path, samples=41))
    job = job_file.job
    run.train.mkdir()
    job_file.problem().network(job.train.network, job.train.parameters, (128,), seed=1).save(run.model)
    events: list[Event] = []
    sets: tuple[Path, Path] = (run.path, other.path)
    wishes: dict[str, Any] = {"extractor": str(run.path), "kid": True, "bootstrap": 5}

    def settle(**more: Any) -> Comparison:
        return settle_comparison(*sets, **wishes, cache=tmp_path / "cache", **more)

    with pytest.raises(UsageError, match="tells features but no classes") as refused:
        score_sets(settle(inception_score=True), on_event=events.append)
    assert refused.value.where == "--inception-score"
    assert not events and not (tmp_path / "cache").exists(), "it is refused before any work starts"
    alone = score_sets(settle(), on_event=events.append)
    assert events[0] == StageStarted("extract", 111, 0, "samples")
    assert isinstance(events[-1], StageFinished)
    assert (alone.n_a, alone.n_b, alone.dimensions, alone.from_cache) == (70, 41, 16, (False, False))
    assert alone.extractor == run.name and len(alone.extractor_sha256 or "") == 64
    together = score_sets(settle_comparison(*sets, **wishes), ranks=2)
    assert_same(together, alone, 2)

    again = settle()
    assert not again.extracts
    assert_same(score_sets(settle()), alone, 1)
    # What is kept is what is compared: with other rows in the cache, another distance is found.
    kept = again.b.cached
    assert kept is not None
    found = read_cached(kept)
    assert found is not None
    write_cached(kept, Extracted(found.features + np.float32(1), None))
    assert score_sets(settle()).fid > alone.fid + 10
    # A damaged file is no reason to stop, and is replaced.
    kept.write_bytes(kept.read_bytes()[:-100])
    mended = score_sets(settle())
    assert mended.from_cache == (True, False)
    assert_same(mended, alone, 1)
    assert read_cached(kept) is not None

    # The extractor's classes are asked for where there are none.
    with pytest.raises(UsageError, match="no classes"):
        score_sets(settle(inception_score=True))


def test_features_that_cannot_be_compared_are_refused_by_name(tmp_path: Path) -> None:
    good = write_features(tmp_path / "good.npz", 10, 4, 1)
    bad = tmp_path / "bad.npz"

    def refuse(words: str, path: Path = bad) -> None:
        for pair in ((good, path), (path, good)):
            with pytest.raises(UsageError, match=words) as told:
                settle_comparison(*pair)
            assert path.name in told.value.where

    refuse("no such file", tmp_path / "missing.npz")
    bad.write_bytes(b"no archive")
    refuse("not an .npz archive")
    np.savez(bad, other=np.zeros((3, 4)))
    refuse("expected one array `features`, found other")
    np.savez(bad, features=np.zeros((3, 4)), labels=np.zeros(3))
    refuse("found features, labels")
    np.savez(bad, features=np.array([[{}, 1]], dtype=object))
    refuse("cannot be read")
    np.savez(bad, features=np.zeros(4))
    refuse(r"shape \(4,\)")
    np.savez(bad, features=np.zeros((4, 2), dtype=complex))
    refuse("not real numbers")
    np.savez(bad, features=np.zeros((1, 4)))
    refuse("at least two")
    np.savez(bad, features=np.zeros((4, 0)))
    refuse("without features")
    np.savez(bad, features=np.zeros((4, 5)))
    refuse("features in")
    broken = np.zeros((4, 4))
    broken[2, 3] = np.nan
    np.savez(bad, features=broken)
    refuse("row 2, column 3")
    write_images(bad, 3)
    refuse("different extractors on the two sides")
    refuse("different extractors on the two sides", tmp_path)


def test_options_of_images_are_refused_for_features(tmp_path: Path) -> None:
    good = write_features(tmp_path / "good.npz", 10, 4, 1)
    for wish, words in (
        ({"extractor": "efficientnet-lite0"}, "--extractor needs images"),
        ({"weights": good, "array": "map"}, "--weights and --array need images"),
        ({"inception_score": True}, "--inception-score needs images"),
    ):
        with pytest.raises(UsageError, match=words):
            settle_comparison(good, good, **wish)  # type: ignore[arg-type]


def test_images_that_cannot_be_compared_are_refused_before_work_starts(tmp_path: Path) -> None:
    good, one = write_images(tmp_path / "good.npz", 4), write_images(tmp_path / "one.npz", 1)
    empty = tmp_path / "empty"
    empty.mkdir()
    for other in (one, empty):
        for pair in ((good, other), (other, good)):
            with pytest.raises(UsageError) as told:
                settle_comparison(*pair)
            assert str(other) in told.value.where
    with pytest.raises(UsageError, match="did you mean 'inception-v3'"):
        settle_comparison(good, good, extractor="inception-v2")
    with pytest.raises(UsageError, match="no such file") as told:
        settle_comparison(good, good, weights=tmp_path / "none.h5")
    assert told.value.where.endswith("none.h5")
    with pytest.raises(UsageError, match="SHA-256"):
        settle_comparison(good, good, weights_sha256="0" * 64)


@pytest.mark.networks
def test_features_kept_without_the_classes_of_their_extractor_are_found_anew(tmp_path: Path) -> None:
    run = wafer_run(tmp_path)
    save_untrained(run, "wafer_cnn", TINY_NETWORK, (16, 16, 2))
    sets, cache = (run.path, run.path), tmp_path / "cache"
    kept = settle_comparison(*sets, extractor=str(run.path), inception_score=True, cache=cache).a.cached
    assert kept is not None
    features = np.zeros((40, TINY_NETWORK["features"]), np.float32)
    for probabilities, is_sound in ((None, False), (np.full((40, 9), 1 / 9, np.float32), True)):
        write_cached(kept, Extracted(features, probabilities))
        assert settle_comparison(*sets, extractor=str(run.path), cache=cache).a.is_cached == is_sound
