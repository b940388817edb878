"""A study in little: drawn maps of three classes in a file, a tiny network, few images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from xpshpc.config import JobFile, validate_job
from xpshpc.studies.census import Census
from xpshpc.studies.ground import Ground, study_of
from xpshpc.wafers.maps import CLASSES, FAIL, OFF, PASS, Map, MapSet
from xpshpc.wafers.readers.packed import write_packed
from xpshpc.wafers.settings import WaferSettings

SIZE = 16
DRAWN = ("Center", "Donut", "Edge-Ring")
_RINGS = {"Center": (0.0, 0.3), "Donut": (0.35, 0.65), "Edge-Ring": (0.75, 1.0)}


def draw_maps(name: str, number: int, seed: int) -> Map:
    """Maps whose dies fail in a ring, and a few elsewhere; no two alike."""
    generator = np.random.default_rng([seed, DRAWN.index(name)])
    rows, columns = np.mgrid[:SIZE, :SIZE]
    radius = np.hypot(rows - (SIZE - 1) / 2, columns - (SIZE - 1) / 2) / (SIZE / 2)
    low, high = _RINGS[name]
    chance = np.where((radius >= low) & (radius <= high), 0.85, 0.04)
    fails = generator.random((number, SIZE, SIZE)) < chance
    return np.where(radius <= 1, np.where(fails, FAIL, PASS), OFF).astype(np.uint8)


def write_wafers(path: Path, *, train: int = 20, test: int = 8) -> Path:
    """A packed file with so many maps of each drawn class in the splits train and test, and half of these for
    validation."""
    numbers = (train, test // 2, test)
    maps, label, split = [], [], []
    for place, number in enumerate(numbers):
        for name in DRAWN:
            maps += list(draw_maps(name, number, seed=place))
            label += [CLASSES.index(name)] * number
            split += [place] * number
    index = np.arange(len(maps), dtype=np.int64)
    write_packed(path, MapSet(maps, np.array(label, np.uint8), np.array(split, np.uint8), index, CLASSES))
    return path


def small_tables(file: Path, *, classifier: Mapping[str, object] | None = None, **study: object) -> dict[str, Any]:
    """The job of a study of these maps; keywords are keys of [wafers.study], `classifier` those of its classifier."""
    return {
        "name": "small-study",
        "seed": 7,
        "generate": {
            "source": "augmented",
            "samples": 48,
            "shard_samples": 8,
            "inner_chunk_samples": 8,
            "silence_s": 300,
        },
        "split": {"validation": 0.1, "held_out": 0.1},
        "wafers": {
            "size": SIZE,
            "originals": {"file": str(file)},
            "study": {
                "defect": "Donut",
                "originals": 8,
                "generated": 12,
                "thresholds": [100, 160],
                "classifier": {
                    "parameters": {"entry": 4, "widths": [4, 8], "features": 8},
                    "task": {"class_weights": "balanced"},
                    "per_class": 8,
                    "epochs": 2,
                    "global_batch": 8,
                    **(classifier or {}),
                },
                **study,
            },
        },
        "train": {
            "network": "dcgan",
            "parameters": {"filters": 4, "group": 8},
            "task": {"goal": "generate", "latent": 8},
            "epochs": 2,
            "global_batch": 16,
            "learning_rate": 2e-3,
        },
    }


def small_job(file: Path, *, classifier: Mapping[str, object] | None = None, **study: object) -> JobFile:
    return validate_job(small_tables(file, classifier=classifier, **study), where="test", folder=file.parent)


def ground_of(job_file: JobFile, census: Census, path: Path) -> Ground:
    """The ground of a study whose file nobody reads."""
    settings, study = job_file.settings, study_of(job_file)
    assert isinstance(settings, WaferSettings) and study is not None
    return Ground(path, job_file, settings, study, census)
