"""What a saved Keras model says of itself, read from its archive without Keras."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xpshpc.errors import UsageError
from xpshpc.evaluate.predict import FEATURE_LAYER


def feature_width(model: Path) -> int:
    """How many numbers the layer `features` yields for a sample.

    Raises UsageError for a file that is no saved model, or a network without that layer.
    """
    try:
        with zipfile.ZipFile(model) as archive:
            layers = json.loads(archive.read("config.json"))["config"]["layers"]
        widths = [_width(layer) for layer in layers if layer["config"].get("name") == FEATURE_LAYER]
    except (OSError, zipfile.BadZipFile, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"not a saved Keras model: {error}", where=str(model), try_="xpshpc train RUN") from None
    if not widths:
        raise UsageError(
            f"the network has no layer named `{FEATURE_LAYER}`", where=str(model), try_="a trained classifier's run"
        )
    return widths[0]


def _width(layer: Mapping[str, Any]) -> int:
    units = layer["config"].get("units")
    if units is not None:
        return int(units)
    shape = layer["build_config"]["input_shape"]
    return int(shape[-1]) if layer["class_name"].startswith("Global") else math.prod(map(int, shape[1:]))
