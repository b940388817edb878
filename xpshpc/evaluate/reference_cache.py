"""Features that were extracted once, kept under the hash of all that decides them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xpshpc.plan.identity import hash_json
from xpshpc.run_directory import write_atomically

SCHEMA = 1
"""Raised when the same images and extractor would give other features."""


class Extracted(NamedTuple):
    """What an extractor found in a set: features (n, d), and class probabilities (n, k) where it has any."""

    features: NDArray[np.float32]
    probabilities: NDArray[np.float32] | None


def cache_file(folder: Path, identity: str, extractor: Mapping[str, Any]) -> Path:
    """Where the features of a set lie; `extractor` (JSON) holds all that decides them besides the set."""
    return folder / "features" / f"{hash_json([SCHEMA, identity, dict(extractor)])}.npz"


def read_cached(path: Path) -> Extracted | None:
    """The features kept there; None where there are none, or where the file is damaged or another's.

    The archive's checksums are checked, and the name that the file was written under. Nothing is unpickled.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            if str(archive["key"]) != path.stem:
                return None
            features = archive["features"]
            probabilities = archive["probabilities"] if "probabilities" in archive.files else None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    tables = [features] if probabilities is None else [features, probabilities]
    if any(table.ndim != 2 or table.dtype != np.float32 or len(table) != len(features) for table in tables):
        return None
    return Extracted(features, probabilities)


def write_cached(path: Path, extracted: Extracted) -> None:
    """Keeps features for later; the folder is its owner's alone, and a reader sees the whole file or none."""
    for folder in (path.parent.parent, path.parent):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    arrays = {"features": extracted.features}
    if extracted.probabilities is not None:
        arrays["probabilities"] = extracted.probabilities
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, key=np.array(path.stem), **arrays)
    write_atomically(path, file.getvalue())
