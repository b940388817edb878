"""`fid` compares feature files, tells what its value is worth, and refuses what cannot be compared."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from xpshpc.errors import UsageError
from xpshpc.evaluate.fid import fid
from xpshpc.evaluate.frechet import frechet_distance


def write_features(path: Path, n: int, d: int, seed: int, shift: float = 0.0) -> Path:
    np.savez(path, features=np.random.default_rng(seed).normal(shift, 1 + shift, size=(n, d)).astype(np.float32))
    return path


@pytest.mark.parametrize(("n", "d"), [(300, 20), (30, 50)])
def test_the_answer_is_the_distance_with_its_baseline(n: int, d: int, tmp_path: Path) -> None:
    a, b = write_features(tmp_path / "a.npz", n, d, 1), write_features(tmp_path / "b.npz", n + 5, d, 2, shift=0.5)
    found = fid(a, b)
    with np.load(a) as first, np.load(b) as second:
        expected = frechet_distance(first["features"], second["features"])
    assert found.fid == pytest.approx(expected.value, rel=1e-12)
    assert (found.n_a, found.n_b, found.dimensions, found.method, found.ranks) == (n, n + 5, d, expected.method, 1)
    assert found.split_half_n == [n // 2, n - n // 2]
    # Two halves of one set are nearer to each other than to a set from elsewhere, and not at one place.
    assert 0 < found.split_half_baseline < found.fid
    assert {"fid", "n_a", "n_b", "extractor", "method", "ranks"} <= json.loads(json.dumps(found.as_json())).keys()


def test_a_file_has_no_distance_from_itself(tmp_path: Path) -> None:
    a = write_features(tmp_path / "a.npz", 200, 30, 1)
    assert 0 <= fid(a, a).fid < 1e-9


def test_two_or_three_samples_have_a_distance_but_no_halves(tmp_path: Path) -> None:
    a, b = write_features(tmp_path / "a.npz", 3, 4, 1), write_features(tmp_path / "b.npz", 2, 4, 2)
    assert fid(a, b).split_half_baseline is None


@pytest.mark.ranks
@pytest.mark.parametrize(
    ("n", "d", "ranks", "launcher"), [(301, 20, 2, "mpirun"), (301, 20, 3, "mpirun"), (30, 50, 2, "gloo")]
)
def test_ranks_find_what_one_process_finds(n: int, d: int, ranks: int, launcher: str, tmp_path: Path) -> None:
    a, b = write_features(tmp_path / "a.npz", n, d, 1), write_features(tmp_path / "b.npz", n - 9, d, 2, shift=0.2)
    alone, together = fid(a, b), fid(a, b, ranks=ranks, launcher=launcher)
    assert together.ranks == ranks
    assert together.method == alone.method
    assert together.fid == pytest.approx(alone.fid, rel=1e-12)
    assert together.split_half_baseline == pytest.approx(alone.split_half_baseline, rel=1e-12)


def test_what_cannot_be_compared_is_refused_by_name(tmp_path: Path) -> None:
    good = write_features(tmp_path / "good.npz", 10, 4, 1)
    bad = tmp_path / "bad.npz"

    def refuse(words: str, path: Path = bad) -> None:
        for pair in ((good, path), (path, good)):
            with pytest.raises(UsageError, match=words) as told:
                fid(*pair)
            assert path.name in told.value.where

    refuse("no such file", tmp_path / "missing.npz")
    refuse("a directory", tmp_path)
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


def test_nothing_in_a_file_is_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "sprung",)

    bad = tmp_path / "bad.npz"
    np.savez(bad, features=np.array([Trap()], dtype=object))
    with pytest.raises(UsageError):
        fid(bad, bad)
    assert not (tmp_path / "sprung").exists()
