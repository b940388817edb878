"""A shallow convolutional network: three hidden layers, two of them convolutions, then the answers."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from xpshpc.spectra.models.fit import channels_of, check_kernel, strided
from xpshpc.spectra.models.heads import Answers, answer_heads, initialiser


class Parameters(Answers):
    """Sizes of the layers; a kernel and a stride are in channels of the layer before it."""

    filters_1: int = Field(16, gt=0, le=1024)
    kernel_1: int = Field(25, gt=0, le=1024)
    stride_1: int = Field(4, gt=0, le=64)
    filters_2: int = Field(32, gt=0, le=1024)
    kernel_2: int = Field(11, gt=0, le=1024)
    stride_2: int = Field(4, gt=0, le=64)
    features: int = Field(256, gt=0, le=8192, description="width of the third hidden layer")
    dropout: float = Field(0.0, ge=0, lt=1, description="of the features while training")


def check_fit(parameters: Parameters, input_shape: tuple[int, ...]) -> None:
    """Raises UsageError where a kernel is wider than what it slides over."""
    channels = channels_of("vanilla_cnn", input_shape)
    check_kernel("kernel_1", parameters.kernel_1, channels)
    check_kernel("kernel_2", parameters.kernel_2, strided(channels, parameters.stride_1))


def build(
    parameters: Parameters, input_shape: tuple[int, ...], elements: int, thickness_scale_A: float, seed: int
) -> Any:
    """The network; see the package for what it takes and answers."""
    import keras

    from xpshpc.spectra.models.dropout import Dropout

    spectrum = keras.Input(input_shape, name="spectrum")
    drop = Dropout(parameters.dropout, spectrum, seed)
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
    return drop.network(answer_heads(drop(features), parameters, elements, thickness_scale_A, seed), "vanilla_cnn")
