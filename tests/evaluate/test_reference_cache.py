"""What is kept comes back bit for bit, under the hash of what decided it, or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xpshpc.evaluate.reference_cache import Extracted, cache_file, read_cached, write_cached

EXTRACTOR = {"name": "a", "sha256": "b", "resize": "lanczos"}


def some(n: int = 5, *, probabilities: bool = True) -> Extracted:
    random = np.random.default_rng(0)
    rows, classes = (random.normal(size=(n, width)).astype(np.float32) for width in (7, 3))
    return Extracted(rows, classes if probabilities else None)


@pytest.mark.parametrize("probabilities", [True, False])
def test_what_is_kept_comes_back_bit_for_bit(probabilities: bool, tmp_path: Path) -> None:
    path = cache_file(tmp_path / "cache", "set", EXTRACTOR)
    assert read_cached(path) is None
    write_cached(path, some(probabilities=probabilities))
    found = read_cached(path)
    assert found is not None
    np.testing.assert_array_equal(found.features, some().features)
    assert (found.probabilities is not None) is probabilities
    if probabilities:
        np.testing.assert_array_equal(found.probabilities, some().probabilities)


def test_others_cannot_look_into_it_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = cache_file(tmp_path / "cache", "set", EXTRACTOR)
    write_cached(path, some())
    write_cached(path, some())
    assert [folder.stat().st_mode & 0o777 for folder in (path.parent, path.parent.parent)] == [0o700, 0o700]
    assert list(path.parent.iterdir()) == [path]


def test_all_that_decides_the_features_decides_the_place(tmp_path: Path) -> None:
    places = {cache_file(tmp_path, "set", EXTRACTOR), cache_file(tmp_path, "other", EXTRACTOR)}
    places |= {cache_file(tmp_path, "set", EXTRACTOR | {key: "else"}) for key in EXTRACTOR}
    assert len(places) == 2 + len(EXTRACTOR)
    assert cache_file(tmp_path, "set", dict(reversed(EXTRACTOR.items()))) in places


def test_a_damaged_file_is_as_good_as_none(tmp_path: Path) -> None:
    path = cache_file(tmp_path, "set", EXTRACTOR)
    write_cached(path, some(400))
    whole = path.read_bytes()
    bent = bytearray(whole)
    bent[len(bent) // 2] ^= 1
    for damaged in (whole[: len(whole) // 2], bytes(bent), b"", b"no archive"):
        path.write_bytes(damaged)
        assert read_cached(path) is None
    other = cache_file(tmp_path, "other", EXTRACTOR)
    other.write_bytes(whole)
    assert read_cached(other) is None, "features of one set under the name of another"
    np.savez(path, key=np.array(path.stem), features=np.zeros(3, np.float32))
    assert read_cached(path) is None


def test_nothing_in_it_is_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "sprung",)

    path = cache_file(tmp_path, "set", EXTRACTOR)
    path.parent.mkdir(parents=True)
    np.savez(path, key=np.array(path.stem), features=np.array([Trap()], dtype=object))
    assert read_cached(path) is None
    assert not (tmp_path / "sprung").exists()
