"""A shallow convolutional network: three hidden layers, two of them convolutions, then the two answers."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from xpshpc.config import Section
from xpshpc.errors import UsageError
from xpshpc.spectra.models.heads import answer_heads, initialiser


class Parameters(Section):
    """Sizes of the layers; a kernel and a stride are in channels of the layer before it."""

    filters_1: int = Field(16, gt=0, le=1024)
    kernel_1: int = Field(25, gt=0, le=1024)
    stride_1: int = Field(4, gt=0, le=64)
    filters_2: int = Field(32, gt=0, le=1024)
    kernel_2: int = Field(11, gt=0, le=1024)
    stride_2: int = Field(4, gt=0, le=64)
    features: int = Field(256, gt=0, le=8192, description="width of the third hidden layer")


def check_fit(parameters: Parameters, input_shape: tuple[int, ...]) -> None:
    """Raises UsageError where a kernel is wider than what it slides over."""
    (channels,) = input_shape
    for number, width in ((1, channels), (2, -(-channels // parameters.stride_1))):
        kernel = getattr(parameters, f"kernel_{number}")
        if kernel > width:
            raise UsageError(
                f"kernel_{number} ({kernel}) is wider than the {width} channels it slides over",
                where="train.parameters",
                try_="a smaller kernel, or more instrument.channels",
            )


def build(
    parameters: Parameters, input_shape: tuple[int, ...], elements: int, thickness_scale_A: float, seed: int
) -> Any:
    """The network; see the package for what it takes and answers."""
    import keras

    spectrum = keras.Input(input_shape, name="spectrum")
    x = keras.layers.Reshape((*input_shape, 1), name="channels")(spectrum)
    for number in (1, 2):
        x = keras.layers.Conv1D(
            getattr(parameters, f"filters_{number}"),
            getattr(parameters, f"kernel_{number}"),
            strides=getattr(parameters, f"stride_{number}"),
            padding="same",
            activation="relu",
            kernel_initializer=initialiser("he_normal", seed, number),
            name=f"convolution_{number}",
        )(x)
    x = keras.layers.Flatten(name="flat")(x)
    features = keras.layers.Dense(
        parameters.features,
        activation="relu",
        kernel_initializer=initialiser("he_normal", seed, 3),
        name="features",
    )(x)
    return keras.Model(spectrum, answer_heads(features, elements, thickness_scale_A, seed), name="vanilla_cnn")
