"""What a saved Keras model says of itself, read from its archive without Keras."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xpshpc.errors import UsageError
from xpshpc.evaluate.predict import FEATURE_LAYER

CLASS_OUTPUT = "class"
"""The output that holds probabilities of classes, where a network has one."""


@dataclass(frozen=True)
class SavedModel:
    """How many numbers the layer `features` yields for a sample, and whether classes are among the answers."""

    feature_width: int
    has_classes: bool


def describe_model(model: Path) -> SavedModel:
    """What an extractor's user has to know of a model file.

    Raises UsageError for a file that is no saved model, or a network without the layer `features`.
    """
    try:
        with zipfile.ZipFile(model) as archive:
            network = json.loads(archive.read("config.json"))["config"]
        widths = [_width(layer) for layer in network["layers"] if layer["config"].get("name") == FEATURE_LAYER]
        outputs = network.get("output_layers")
    except (OSError, zipfile.BadZipFile, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"not a saved Keras model: {error}", where=str(model), try_="xpshpc train RUN") from None
    if not widths:
        raise UsageError(
            f"the network has no layer named `{FEATURE_LAYER}`", where=str(model), try_="a trained classifier's run"
        )
    return SavedModel(widths[0], isinstance(outputs, dict) and CLASS_OUTPUT in outputs)


def _width(layer: Mapping[str, Any]) -> int:
    units = layer["config"].get("units")
    if units is not None:
        return int(units)
    shape = layer["build_config"]["input_shape"]
    return int(shape[-1]) if layer["class_name"].startswith("Global") else math.prod(map(int, shape[1:]))
