"""EfficientNet-Lite0 as ImageNet trained it, with a new head for wafer maps (arXiv:1905.11946).

The map is looked at as a gray image, made larger, and answered by the trained network's 1280 features. They stay as
they are, and only the head learns, unless all of it is to be trained.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from xpshpc.config import Section
from xpshpc.wafers.maps import FAIL, GRAY, PASS
from xpshpc.wafers.models.heads import class_head, initialiser


class Parameters(Section):
    """How large the image is, and what learns."""

    image_size: int = Field(
        96, ge=32, le=512, description="pixels across the image; the work grows with the square, 224 is ImageNet's"
    )
    trained: Literal["head", "all"] = Field("head", description="what learns: the new head, or the whole network")
    features: int = Field(128, gt=0, le=4096, description="width of the head's dense layer")


def check_fit(parameters: Parameters, size: int) -> None:
    """Maps of every size fit: they are resized."""


def build(parameters: Parameters, size: int, classes: int, seed: int) -> Any:
    """The network; see the package for what it takes and answers. Raises what reading the trained weights raises."""
    import keras

    from xpshpc.pretrained.efficientnet_lite0 import build_efficientnet_lite0

    backbone = build_efficientnet_lite0(parameters.image_size, top=False)
    backbone.trainable = parameters.trained == "all"
    wafer = keras.Input((size, size, 2), name="map")
    gray = GRAY[PASS] * wafer[..., 1:] + (GRAY[FAIL] - GRAY[PASS]) * wafer[..., :1]
    image = keras.layers.Resizing(parameters.image_size, parameters.image_size, name="resize")(gray)
    image = keras.layers.Concatenate(name="rgb")([image, image, image])
    features = keras.layers.Dense(
        parameters.features,
        activation="relu",
        kernel_initializer=initialiser("he_normal", seed, 1),
        name="features",
    )(backbone(image))
    return keras.Model(wafer, class_head(features, classes, seed), name="wafer_efficientnet_lite0")
