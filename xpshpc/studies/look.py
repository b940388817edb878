"""How maps become images, so that a feature extractor sees made and real ones in one and the same way.

A die that fails is white, all else is black: on the wafer or off it. That is what the network's gray levels tell too,
and the wafer's rim, which is the same in all maps, adds nothing to a distance. Only an extractor that learned maps is
shown good dies apart from what is off the wafer, as it learned them.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xpshpc.run_directory import RunDirectory, write_atomically
from xpshpc.store.read import Store
from xpshpc.wafers.maps import FAIL, OFF, PASS, Map

FAILED_GRAY = 255
_NOISE = 0x6E6F697365
"""Sets the noise apart from all else that is drawn with a job's seed."""


def look_at(maps: Map, size: int | None, good_gray: int = 0) -> NDArray[np.uint8]:
    """Images (n, size, size) of maps (n, rows, columns): 255 where a die fails, `good_gray` where one is good, else 0.

    Without a size they are as large as the maps.
    """
    if size is not None and maps.shape[1:] != (size, size):
        from xpshpc.wafers.resize import resize_maps

        maps = resize_maps(list(maps), size)
    return np.where(maps == FAIL, FAILED_GRAY, np.where(maps == PASS, good_gray, 0)).astype(np.uint8)


def cut_gray(gray: NDArray[np.uint8], on_wafer: NDArray[np.bool_], threshold: int) -> Map:
    """Maps (n, rows, columns) of a generator's gray images: a die on the wafer fails from the threshold on."""
    return np.where(on_wafer, np.where(gray >= threshold, FAIL, PASS), OFF).astype(np.uint8)


def make_noise(like: Map, number: int, seed: int) -> Map:
    """Maps with the wafers of `like` (n, rows, columns) in turn and as many failed dies, each at a place of its own."""
    generator = np.random.default_rng([_NOISE, seed])
    taken = like[np.arange(number) % len(like)]
    on_wafer = taken != OFF
    share = (taken == FAIL).sum(axis=(1, 2)) / np.maximum(on_wafer.sum(axis=(1, 2)), 1)
    fails = generator.random(taken.shape) < share[:, None, None]
    return np.where(on_wafer, np.where(fails, FAIL, PASS), OFF).astype(np.uint8)


def read_maps_of(runs: Iterable[Path], array: str = "map") -> NDArray[np.uint8]:
    """One array of all committed samples of these runs, one run after another."""
    parts = []
    for path in runs:
        store = Store(RunDirectory(path))
        parts += [store.read_shard(shard, (array,))[array] for shard in store.committed]
    return np.concatenate(parts)


def write_images(path: Path, images: NDArray[np.uint8]) -> None:
    """Writes images as .npz with one array `images`; the same images leave the file as it is."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, images=images)
    if not path.is_file() or path.read_bytes() != buffer.getvalue():
        write_atomically(path, buffer.getvalue())


def read_images(path: Path) -> NDArray[np.uint8]:
    """What `write_images` wrote."""
    with np.load(path, allow_pickle=False) as archive:
        return np.asarray(archive["images"], np.uint8)
