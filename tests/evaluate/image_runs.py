"""Small runs with images in their stores, and the pictures of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.train.stored_run import store_run
from xpshpc.config import validate_job
from xpshpc.run_directory import RunDirectory, open_run
from xpshpc.store.read import Store

SIZE = 16
TINY_NETWORK = {"entry": 4, "widths": [4], "features": 6}


def wafer_run(folder: Path, *, samples: int = 40, seed: int = 3, **stored: Any) -> RunDirectory:
    """Synthetic wafer maps of 16 × 16 in shards of 16; `stored` is for `store_run`."""
    tables = {
        "name": f"maps{seed}",
        "seed": seed,
        "generate": {"source": "synthetic", "samples": samples, "shard_samples": 16, "inner_chunk_samples": 8},
        "train": {"network": "wafer_cnn", "parameters": TINY_NETWORK, "task": {"goal": "classify"}},
        "wafers": {"size": SIZE},
    }
    job_file = validate_job(tables, where="test", folder=folder)
    return store_run(folder, job_file, source=job_file.source(), **stored)


def save_untrained(run: RunDirectory, network: str, parameters: dict[str, Any], input_shape: tuple[int, ...]) -> None:
    """Saves a network of the run's problem as it begins: to extract with, it need not be a good one."""
    model = open_run(run.path)[1].problem().network(network, parameters, input_shape, 7)
    run.train.mkdir()
    model.save(run.model)


def stored_maps(run: RunDirectory) -> NDArray[np.uint8]:
    """All maps of a run's store, shard by shard."""
    store = Store(run)
    return np.concatenate([store.read_shard(shard, ["map"])["map"] for shard in store.committed])


def save_pictures(folder: Path, images: NDArray[np.uint8], mode: str = "L") -> Path:
    """A PNG of each image, the first half of them in a folder within."""
    from PIL import Image

    for number, image in enumerate(images):
        within = folder / "a" if number < len(images) // 2 else folder / "b"
        within.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).convert(mode).save(within / f"{number:04}.png")
    return folder
