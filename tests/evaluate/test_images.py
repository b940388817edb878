"""A set of images is the same wherever it is kept, in whatever pieces it is read; what is no set is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.evaluate.image_runs import SIZE, save_pictures, stored_maps, wafer_run
from xpshpc.errors import UsageError
from xpshpc.evaluate.images import open_images
from xpshpc.evaluate.images.stored_images import choose_array
from xpshpc.run_directory import RunDirectory
from xpshpc.source import ArraySpec

GRAY = np.array([0, 127, 255], np.uint8)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """40 maps in three shards, the second of which is missing its first three, and the third not there yet."""
    return wafer_run(tmp_path_factory.mktemp("run"), samples=48, quarantined={1: 3}, leave_out=frozenset({2}))


def noise(n: int = 7, size: int = 12) -> NDArray[np.uint8]:
    return np.random.default_rng(n).integers(0, 256, (n, size, size)).astype(np.uint8)


def test_a_set_is_the_same_wherever_it_is_kept(run: RunDirectory, tmp_path: Path) -> None:
    maps = stored_maps(run)
    gray = GRAY[maps]
    np.savez(tmp_path / "images.npz", images=gray)
    np.savez(tmp_path / "colour.npz", images=np.repeat(gray[..., None], 3, axis=-1))
    np.savez(tmp_path / "maps.npz", maps=maps)
    kept = [
        run.path,
        *(tmp_path / name for name in ("images.npz", "colour.npz", "maps.npz")),
        *(save_pictures(tmp_path / mode, gray, mode) for mode in ("L", "RGB", "RGBA", "P")),
    ]
    for path in kept:
        images = open_images(path)
        assert (len(images), images.size) == (16 + 13, (SIZE, SIZE)), path
        read = images.read(0, 1000)
        assert read.dtype == np.uint8
        np.testing.assert_array_equal(read, gray, err_msg=str(path))


@pytest.mark.parametrize("pieces", [(0, 29), (0, 1, 15, 16, 17, 29), (0, 14, 20, 29), tuple(range(30))])
def test_pieces_make_the_whole_whatever_shards_they_cross(run: RunDirectory, pieces: tuple[int, ...]) -> None:
    images = open_images(run.path)
    read = [images.read(start, stop) for start, stop in pairwise(pieces)]
    np.testing.assert_array_equal(np.concatenate(read), GRAY[stored_maps(run)])
    assert images.read(5, 5).shape == (0, SIZE, SIZE)
    # Going back is not what it is made for, but what it can do.
    np.testing.assert_array_equal(images.read(2, 4), GRAY[stored_maps(run)[2:4]])


def test_a_limit_takes_the_first_ones(run: RunDirectory, tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", images=noise(7))
    for path in (run.path, tmp_path / "set.npz", save_pictures(tmp_path / "pictures", noise(7))):
        whole, first = open_images(path), open_images(path, limit=3)
        assert len(first) == 3
        np.testing.assert_array_equal(first.read(0, 100), whole.read(0, 3))
        assert first.identity != whole.identity
        assert len(open_images(path, limit=1000)) == len(whole)


def test_the_content_decides_the_identity_and_the_place_does_not(run: RunDirectory, tmp_path: Path) -> None:
    other = wafer_run(tmp_path / "elsewhere", samples=48, quarantined={1: 3}, leave_out=frozenset({2}))
    assert open_images(other.path).identity == open_images(run.path).identity
    for changed in ({"seed": 4}, {"quarantined": {0: 3}}, {"leave_out": frozenset({0})}):
        stored: dict[str, Any] = {"quarantined": {1: 3}, "leave_out": frozenset({2}), **changed}
        folder = tmp_path / next(iter(changed))
        assert open_images(wafer_run(folder, samples=48, **stored).path).identity != open_images(run.path).identity
    images = noise()
    one, two, three = (save_pictures(tmp_path / name, images) for name in ("one", "two", "three"))
    assert open_images(one).identity == open_images(two).identity
    Image.fromarray(255 - images[3]).save(next(three.rglob("0003.png")))
    assert open_images(three).identity != open_images(one).identity
    np.savez(tmp_path / "x.npz", images=images)
    np.savez_compressed(tmp_path / "y.npz", images=images)
    np.savez(tmp_path / "z.npz", images=images[::-1])
    x, y, z = (open_images(tmp_path / f"{name}.npz").identity for name in "xyz")
    assert x == y != z


def test_gray_levels_come_before_what_was_read_out_of_them() -> None:
    specs = {
        name: ArraySpec(name, shape, dtype, "1", name)
        for name, shape, dtype in [
            ("map", (8, 8), "uint8"),
            ("gray", (8, 8), "uint8"),
            ("wide", (8, 8), "uint16"),
            ("label", (), "uint8"),
        ]
    }
    assert choose_array(specs, None, "x").name == "gray"
    assert choose_array(specs, "map", "x").name == "map"
    with pytest.raises(UsageError, match=r"no array of images named 'wide' \(image arrays: map, gray\)"):
        choose_array(specs, "wide", "x")
    with pytest.raises(UsageError, match=r"hold no images \(arrays: wide, label\)"):
        choose_array({name: specs[name] for name in ("wide", "label")}, None, "x")
    unlike = dict.fromkeys(("left", "right"), specs["map"])
    with pytest.raises(UsageError, match="several arrays of images: left, right"):
        choose_array(unlike, None, "x")


def two_sizes(folder: Path) -> Path:
    save_pictures(folder, noise(4))
    Image.fromarray(noise(2, 9)[0]).save(folder / "b" / "0009.png")
    return folder


def coloured(folder: Path) -> Path:
    save_pictures(folder, noise(4))
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 12, 3)).astype(np.uint8)).save(
        folder / "b" / "9.png"
    )
    return folder


def see_through(folder: Path) -> Path:
    save_pictures(folder, noise(4), "RGBA")
    Image.fromarray(np.zeros((12, 12, 4), np.uint8)).save(folder / "b" / "9.png")
    return folder


def deep(folder: Path) -> Path:
    save_pictures(folder, noise(4))
    Image.fromarray(np.full((12, 12), 40_000, np.uint16)).save(folder / "b" / "9.png")
    return folder


def torn(folder: Path) -> Path:
    save_pictures(folder, noise(4), "RGB")
    file = folder / "b" / "0003.png"
    file.write_bytes(file.read_bytes()[:-150])
    return folder


def a_single_one(folder: Path) -> Path:
    return save_pictures(folder, noise(1))


def empty(folder: Path) -> Path:
    folder.mkdir()
    (folder / "words.txt").write_text("no picture")
    return folder


def nothing_there(folder: Path) -> Path:
    return folder


def of_another_kind(folder: Path) -> Path:
    folder.mkdir()
    (folder / "x.csv").write_text("1,2")
    return folder / "x.csv"


def archived(**arrays: Any) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        folder.mkdir()
        np.savez(folder / "x.npz", **arrays)
        return folder / "x.npz"

    return write


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (two_sizes, r"0000\.png has 12 × 12, 0009\.png 9 × 9"),
        (coloured, "channels differ"),
        (see_through, "transparent"),
        (deep, "not 8-bit gray"),
        (torn, "not a readable picture"),
        (a_single_one, "a single image"),
        (empty, "no PNG or JPEG"),
        (nothing_there, "no such file"),
        (of_another_kind, "not a set of images"),
        (archived(features=np.zeros((4, 5))), r"no array `images` in it \(found: features\)"),
        (archived(images=noise(1)), "a single image"),
        (archived(images=noise(3)[:0]), "no images"),
        (archived(images=noise(3) / 255), "float64, not uint8"),
        (archived(images=noise(3)[0]), "has the shape"),
        (archived(images=np.random.default_rng(0).integers(0, 9, (3, 5, 5, 3)).astype(np.uint8)), "channels differ"),
        (archived(maps=np.full((3, 5, 5), 3, np.uint8)), "the value 3"),
        (archived(images=np.array([None, {}], object)), "cannot be read"),
    ],
)
def test_what_is_no_set_is_refused_by_name(make: Callable[[Path], Path], why: str, tmp_path: Path) -> None:
    path = make(tmp_path / "set")
    with pytest.raises(UsageError, match=why) as raised:
        open_images(path)
    assert str(path) in raised.value.where
    assert raised.value.try_


def test_an_array_that_is_not_there_and_a_limit_of_none_are_refused(run: RunDirectory, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"named 'gray' \(image arrays: map\)"):
        open_images(run.path, array="gray")
    with pytest.raises(UsageError, match="no arrays to choose from"):
        open_images(save_pictures(tmp_path, noise()), array="map")
    with pytest.raises(UsageError, match="0 images"):
        open_images(run.path, limit=0)
