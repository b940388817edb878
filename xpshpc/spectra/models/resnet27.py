"""A residual network in one dimension, 27 weighted layers deep.

Counted as its authors count (He, Zhang, Ren, Sun, 10.1109/CVPR.2016.90): 1 convolution at the entry, 12 blocks of 2
convolutions, the dense layer of the features and the layer that answers. Shortcuts that change the width are not
counted.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from xpshpc.spectra.models.fit import channels_of, check_kernel, check_width, strided
from xpshpc.spectra.models.heads import Answers, answer_heads, initialiser
from xpshpc.spectra.models.normalisation import normalise

Width = Annotated[int, Field(gt=0, le=1024)]


class Parameters(Answers):
    """Sizes; each stage after the first begins with a stride of 2."""

    entry_kernel: int = Field(25, gt=0, le=1024)
    entry_stride: int = Field(8, gt=0, le=64)
    widths: tuple[Width, ...] = Field((16, 24, 32, 48), min_length=1, max_length=8, description="filters of each stage")
    blocks: int = Field(3, gt=0, le=32, description="residual blocks in each stage; with four stages 3 make 27 layers")
    kernel: int = Field(3, gt=0, le=255)
    features: int = Field(256, gt=0, le=8192, description="width of the dense layer")
    dropout: float = Field(0.0, ge=0, lt=1, description="of the features while training")


def check_fit(parameters: Parameters, input_shape: tuple[int, ...]) -> None:
    """Raises UsageError where a kernel is wider than what it slides over."""
    width = channels_of("resnet27", input_shape)
    check_kernel("entry_kernel", parameters.entry_kernel, width)
    width = strided(width, parameters.entry_stride)
    for stage in range(1, len(parameters.widths) + 1):
        width = strided(width, 2) if stage > 1 else width
        check_width(f"stage {stage}", width, parameters.kernel)


def build(
    parameters: Parameters, input_shape: tuple[int, ...], elements: int, thickness_scale_A: float, seed: int
) -> Any:
    """The network; see the package for what it takes and answers."""
    import keras

    from xpshpc.spectra.models.dropout import Dropout

    layers = 0

    def convolution(filters: int, kernel: int, stride: int, name: str) -> Any:
        nonlocal layers
        layers += 1
        first = initialiser("he_normal", seed, layers)
        return keras.layers.Conv1D(
            filters, kernel, strides=stride, padding="same", use_bias=False, kernel_initializer=first, name=name
        )

    spectrum = keras.Input(input_shape, name="spectrum")
    drop = Dropout(parameters.dropout, spectrum, seed)
    x = keras.layers.Reshape((*input_shape, 1), name="channels")(spectrum)
    x = convolution(parameters.widths[0], parameters.entry_kernel, parameters.entry_stride, "entry")(x)
    x = keras.layers.ReLU(name="entry_relu")(normalise(x, "entry_norm"))
    for stage, filters in enumerate(parameters.widths, 1):
        for block in range(1, parameters.blocks + 1):
            name = f"stage_{stage}_block_{block}"
            stride = 2 if stage > 1 and block == 1 else 1
            y = convolution(filters, parameters.kernel, stride, f"{name}_convolution_1")(x)
            y = keras.layers.ReLU(name=f"{name}_relu_1")(normalise(y, f"{name}_norm_1"))
            y = convolution(filters, parameters.kernel, 1, f"{name}_convolution_2")(y)
            y = normalise(y, f"{name}_norm_2")
            if stride > 1 or x.shape[-1] != filters:
                x = convolution(filters, 1, stride, f"{name}_shortcut")(x)
            x = keras.layers.ReLU(name=f"{name}_relu_2")(keras.layers.Add(name=f"{name}_sum")([x, y]))
    # Not averaged over the axis, as pictures are: where a line stands says whose it is.
    x = keras.layers.Flatten(name="flat")(x)
    features = keras.layers.Dense(
        parameters.features,
        activation="relu",
        kernel_initializer=initialiser("he_normal", seed, layers + 1),
        name="features",
    )(x)
    return drop.network(answer_heads(drop(features), parameters, elements, thickness_scale_A, seed), "resnet27")
