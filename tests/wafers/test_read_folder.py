"""Folders of gray images by class, and what any kind of file that is no set of maps is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.wafers.measured_maps import made_up_map, made_up_set
from xpshpc.errors import UsageError
from xpshpc.wafers.maps import GRAY
from xpshpc.wafers.readers.folder import TOLERANCE, read_map_png, write_map_png
from xpshpc.wafers.readers.packed import write_packed
from xpshpc.wafers.readers.read import read_maps


def fill(folder: Path, **images: int) -> Path:
    """A folder a class with so many images."""
    for name, count in images.items():
        (folder / name).mkdir(parents=True)
        for place in range(count):
            write_map_png(made_up_map(place, 8 + place), folder / name / f"{place}.png")
    return folder


def test_an_image_comes_back_as_the_map_it_was(tmp_path: Path) -> None:
    for seed in range(5):
        map = made_up_map(seed, 10 + seed, 14)
        write_map_png(map, tmp_path / "map.png")
        np.testing.assert_array_equal(read_map_png(tmp_path / "map.png"), map)
        with Image.open(tmp_path / "map.png") as image:
            assert set(np.unique(np.asarray(image)).tolist()) <= set(GRAY)


def test_classes_are_named_by_their_folders_and_all_is_train(tmp_path: Path) -> None:
    maps = read_maps(fill(tmp_path, ring=2, blob=3))
    assert maps.classes == ("blob", "ring")
    assert maps.label.tolist() == [0, 0, 0, 1, 1]
    assert maps.split.tolist() == [0] * 5
    assert maps.index.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(maps.maps[1], made_up_map(1, 9))


def test_splits_lie_above_the_classes(tmp_path: Path) -> None:
    fill(tmp_path / "train", ring=1, blob=2)
    fill(tmp_path / "test", ring=1)
    maps = read_maps(tmp_path)
    assert maps.classes == ("blob", "ring")
    assert list(zip(maps.split.tolist(), maps.label.tolist(), strict=True)) == [(0, 0), (0, 0), (0, 1), (2, 1)]


def test_a_changed_folder_is_read_again(tmp_path: Path) -> None:
    fill(tmp_path, ring=2)
    before = read_maps(tmp_path)
    assert read_maps(tmp_path) is before
    write_map_png(made_up_map(7), tmp_path / "ring" / "7.png")
    assert len(read_maps(tmp_path)) == 3


@pytest.mark.parametrize("value", [0, 1, 2])
def test_levels_within_the_tolerance_are_taken(tmp_path: Path, value: int) -> None:
    for level in range(max(0, GRAY[value] - TOLERANCE), min(255, GRAY[value] + TOLERANCE) + 1):
        assert read_map_png(saved(tmp_path, np.full((2, 3), level, dtype=np.uint8))).tolist() == [[value] * 3] * 2


@pytest.mark.parametrize("level", [TOLERANCE + 1, 127 - TOLERANCE - 1, 127 + TOLERANCE + 1, 255 - TOLERANCE - 1])
def test_levels_of_no_die_are_told_with_their_place(tmp_path: Path, level: int) -> None:
    levels = np.zeros((4, 5), dtype=np.uint8)
    levels[2, 3] = level
    with pytest.raises(UsageError, match=f"gray level {level} in row 2, column 3"):
        read_map_png(saved(tmp_path, levels))


def test_gray_saved_as_colours_is_gray(tmp_path: Path) -> None:
    map = made_up_map(1)
    gray = np.array(GRAY, dtype=np.uint8)[map]
    opaque = np.full_like(gray, 255)
    for channels in ([gray] * 3, [gray, gray, gray, opaque], [gray, opaque]):
        np.testing.assert_array_equal(read_map_png(saved(tmp_path, np.stack(channels, axis=-1))), map)


@pytest.mark.parametrize(
    ("levels", "told"),
    [
        (np.dstack([np.zeros((3, 3)), np.zeros((3, 3)), np.full((3, 3), 255)]).astype(np.uint8), "colour"),
        (np.dstack([np.zeros((3, 3))] * 4).astype(np.uint8), "transparent"),
        (np.zeros((3, 3), dtype=np.uint16), "more than 256 gray levels"),
    ],
    ids=["blue", "transparent", "16 bit"],
)
def test_images_that_are_not_gray_are_refused(tmp_path: Path, levels: np.ndarray, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        read_map_png(saved(tmp_path, levels))


@pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0"])
def test_files_that_are_no_images_are_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ring").mkdir()
    (tmp_path / "ring" / "a.png").write_bytes(content)
    with pytest.raises(UsageError) as raised:
        read_maps(tmp_path)
    assert raised.value.where == str(tmp_path / "ring" / "a.png")


def test_an_image_that_ends_early_is_told(tmp_path: Path) -> None:
    path = saved(tmp_path, np.random.default_rng(0).integers(0, 32, (64, 64), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UsageError, match="cannot be read as a PNG image"):
        read_map_png(path)


def test_folders_that_are_no_set_of_maps_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a folder without classes"):
        read_maps(tmp_path)
    (tmp_path / "ring").mkdir()
    with pytest.raises(UsageError, match="an empty class") as raised:
        read_maps(tmp_path)
    assert raised.value.where == str(tmp_path / "ring")
    fill(tmp_path, test=1)
    with pytest.raises(UsageError, match="'ring' lies beside 'test'"):
        read_maps(tmp_path)


def test_the_kind_of_a_file_is_told_from_the_file(tmp_path: Path) -> None:
    odd = tmp_path / "maps.data"
    write_packed(tmp_path / "maps.npz", made_up_set([made_up_map(0)], [0], [0]))
    (tmp_path / "maps.npz").rename(odd)
    assert len(read_maps(odd)) == 1
    odd.write_bytes(b"neither")
    with pytest.raises(UsageError, match="not a known kind"):
        read_maps(odd)
    with pytest.raises(UsageError, match="no such file or folder"):
        read_maps(tmp_path / "absent.npz")


def saved(folder: Path, levels: np.ndarray) -> Path:
    path = folder / "image.png"
    Image.fromarray(levels).save(path)
    return path
