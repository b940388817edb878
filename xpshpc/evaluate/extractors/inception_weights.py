"""The file with InceptionV3's weights: where Keras keeps it, and whether a file can be one. Nothing is downloaded."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from xpshpc.errors import EnvironmentFault, UsageError

DIMENSIONS = 2048
WEIGHTS_FILE = "inception_v3_weights_tf_dim_ordering_tf_kernels.h5"
WEIGHTS_MD5 = "9a0d58056eeedaa3f26cb7ebd46da564"
"""Of Keras' own weights file, as keras.applications.inception_v3 states it; the file in Keras' cache has to have it."""

KERAS_HOME = "KERAS_HOME"
_CLASSES_LAYER = "predictions"
_KERAS_3_LAYERS = "layers"
"""The group that holds all layers in files of Keras 3, named by their kinds."""


def find_weights() -> Path:
    """Keras' weights file in Keras' cache. Nothing is downloaded.

    Raises EnvironmentFault where there is none, UsageError for one that is not Keras' own, as a torn download.
    """
    home = Path(os.environ.get(KERAS_HOME) or Path.home() / ".keras")
    path = home / "models" / WEIGHTS_FILE
    if not path.is_file():
        raise EnvironmentFault(
            "no weights of InceptionV3 on this machine",
            where=str(path),
            try_="--weights FILE, or --extractor efficientnet-lite0, which needs none",
        )
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    if found != WEIGHTS_MD5:
        raise UsageError(
            f"its MD5 is {found}, that of Keras' file is {WEIGHTS_MD5}",
            where=str(path),
            try_="bring the file again, or name it with --weights if it is another one on purpose",
        )
    return path


def check_weights(path: Path) -> None:
    """Raises UsageError for a file that is not HDF5 as Keras writes weights, or lacks the classes' layer."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            layers = set(file.get("model_weights", file).keys())
    except (OSError, KeyError) as error:
        raise UsageError(
            f"not an HDF5 file of weights: {error}", where=str(path), try_=f"Keras' {WEIGHTS_FILE}"
        ) from None
    if not {_CLASSES_LAYER, _KERAS_3_LAYERS} & layers:
        raise UsageError(
            f"no layer `{_CLASSES_LAYER}`: another network, or one without its classes",
            where=str(path),
            try_=f"Keras' {WEIGHTS_FILE}, the one with its top",
        )
