"""A small residual network for wafer maps, made for processors: most of its work is done on few dies.

A residual block is two convolutions beside a shortcut (He, Zhang, Ren, Sun, 10.1109/CVPR.2016.90). The second one
begins as zero, so that the network begins as its shortcuts alone and needs no normalisation to learn (Zhang, Dauphin,
Ma, arXiv:1901.09321). Batch normalisation would take its statistics from a rank's own part of the batch: the network
would depend on how many ranks train it.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from xpshpc.config import Section
from xpshpc.errors import UsageError
from xpshpc.wafers.models.heads import class_head, initialiser

Width = Annotated[int, Field(gt=0, le=1024)]

_FEWEST_DIES = 2
"""Across what the last stage answers: pooling a single place would make mean and largest value the same."""


class Parameters(Section):
    """Sizes; every stage halves the map."""

    entry: int = Field(16, gt=0, le=1024, description="filters of the first convolution, which sees every die")
    widths: tuple[Width, ...] = Field((32, 64, 128), min_length=1, max_length=6, description="filters of each stage")
    blocks: int = Field(1, gt=0, le=16, description="residual blocks in each stage")
    features: int = Field(128, gt=0, le=4096, description="width of the dense layer")


def check_fit(parameters: Parameters, size: int) -> None:
    """Raises UsageError where the stages halve the map too often."""
    left = size
    for _ in parameters.widths:
        left = -(-left // 2)
    if left < _FEWEST_DIES:
        raise UsageError(
            f"{len(parameters.widths)} stages leave nothing of a map of {size} dies across",
            where="train.parameters.widths",
            try_="fewer widths, or a larger wafers.size",
        )


def build(parameters: Parameters, size: int, classes: int, seed: int) -> Any:
    """The network; see the package for what it takes and answers."""
    import keras

    layers = 0

    def convolution(filters: int, kernel: int, stride: int, name: str, *, as_zero: bool = False) -> Any:
        nonlocal layers
        layers += 1
        first = "zeros" if as_zero else initialiser("he_normal", seed, layers)
        return keras.layers.Conv2D(filters, kernel, strides=stride, padding="same", kernel_initializer=first, name=name)

    wafer = keras.Input((size, size, 2), name="map")
    x = keras.layers.ReLU(name="entry_relu")(convolution(parameters.entry, 3, 1, "entry")(wafer))
    for stage, filters in enumerate(parameters.widths, 1):
        for block in range(1, parameters.blocks + 1):
            name = f"stage_{stage}_block_{block}"
            stride = 2 if block == 1 else 1
            shortcut = x
            if stride == 2:
                shortcut = keras.layers.AveragePooling2D(2, padding="same", name=f"{name}_pool")(x)
            if shortcut.shape[-1] != filters:
                shortcut = convolution(filters, 1, 1, f"{name}_shortcut")(shortcut)
            inner = keras.layers.ReLU(name=f"{name}_relu_1")(convolution(filters, 3, stride, f"{name}_1")(x))
            inner = convolution(filters, 3, 1, f"{name}_2", as_zero=True)(inner)
            x = keras.layers.ReLU(name=f"{name}_relu_2")(keras.layers.Add(name=f"{name}_sum")([shortcut, inner]))
    pooled = keras.layers.Concatenate(name="pooled")(
        [keras.layers.GlobalAveragePooling2D(name="mean")(x), keras.layers.GlobalMaxPooling2D(name="largest")(x)]
    )
    features = keras.layers.Dense(
        parameters.features,
        activation="relu",
        kernel_initializer=initialiser("he_normal", seed, layers + 1),
        name="features",
    )(pooled)
    return keras.Model(wafer, class_head(features, classes, seed), name="wafer_cnn")
