"""GoogLeNet's blocks in one dimension: short and long kernels side by side, 18 hidden layers deep.

Counted as its authors count, along the deepest path (Szegedy et al., 10.1109/CVPR.2015.7298594): 3 convolutions at the
entry, 7 blocks of 2, and the dense layer of the features make 18; poolings are not counted, the answers come after. In
Inception-V3 (10.1109/CVPR.2016.308) signals are normalised on their way; here that is done after each block.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from xpshpc.spectra.models.fit import channels_of, check_kernel, check_width, strided
from xpshpc.spectra.models.heads import Answers, answer_heads, initialiser
from xpshpc.spectra.models.normalisation import normalise

Width = Annotated[int, Field(gt=0, le=2048, multiple_of=8)]
Kernel = Annotated[int, Field(gt=1, le=255)]
Stage = Annotated[tuple[Width, ...], Field(min_length=1, max_length=16)]


class Parameters(Answers):
    """Sizes; a block of width w has w/4 filters of 1 channel, w/2 of the short kernel, w/8 of the long, w/8 pooled."""

    entry_filters: int = Field(16, gt=0, le=1024)
    entry_kernel: int = Field(25, gt=0, le=1024)
    entry_stride: int = Field(4, gt=0, le=64)
    stages: tuple[Stage, ...] = Field(
        ((32, 32), (48, 48, 48), (64, 64)),
        min_length=1,
        max_length=8,
        description="widths of the blocks; before each stage the channels are halved by pooling",
    )
    kernels: tuple[Kernel, Kernel] = Field((5, 11), description="the short and the long kernel of each block")
    features: int = Field(256, gt=0, le=8192, description="width of the dense layer")
    dropout: float = Field(0.0, ge=0, lt=1, description="of the features while training")


def check_fit(parameters: Parameters, input_shape: tuple[int, ...]) -> None:
    """Raises UsageError where a kernel is wider than what it slides over."""
    width = channels_of("inception", input_shape)
    check_kernel("entry_kernel", parameters.entry_kernel, width)
    width = strided(width, parameters.entry_stride)
    for stage in range(1, len(parameters.stages) + 1):
        width = strided(width, 2)
        check_width(f"stage {stage}", width, max(parameters.kernels))


def build(
    parameters: Parameters, input_shape: tuple[int, ...], elements: int, thickness_scale_A: float, seed: int
) -> Any:
    """The network; see the package for what it takes and answers."""
    import keras

    from xpshpc.spectra.models.dropout import Dropout

    layers = 0

    def convolution(filters: int, kernel: int, name: str, stride: int = 1) -> Any:
        nonlocal layers
        layers += 1
        first = initialiser("he_normal", seed, layers)
        return keras.layers.Conv1D(
            filters, kernel, strides=stride, padding="same", activation="relu", kernel_initializer=first, name=name
        )

    def block(x: Any, width: int, name: str) -> Any:
        short, long = parameters.kernels
        branches = [
            convolution(width // 4, 1, f"{name}_single")(x),
            convolution(width // 2, short, f"{name}_short")(convolution(width // 4, 1, f"{name}_short_entry")(x)),
            convolution(width // 8, long, f"{name}_long")(convolution(width // 8, 1, f"{name}_long_entry")(x)),
            convolution(width // 8, 1, f"{name}_pooled")(
                keras.layers.MaxPooling1D(3, strides=1, padding="same", name=f"{name}_pool")(x)
            ),
        ]
        return normalise(keras.layers.Concatenate(name=name)(branches), f"{name}_norm")

    spectrum = keras.Input(input_shape, name="spectrum")
    drop = Dropout(parameters.dropout, spectrum, seed)
    x = keras.layers.Reshape((*input_shape, 1), name="channels")(spectrum)
    filters = parameters.entry_filters
    x = convolution(filters, parameters.entry_kernel, "entry_1", parameters.entry_stride)(x)
    x = convolution(filters, 1, "entry_2")(x)
    x = convolution(2 * filters, 3, "entry_3")(x)
    for stage, widths in enumerate(parameters.stages, 1):
        x = keras.layers.MaxPooling1D(3, strides=2, padding="same", name=f"stage_{stage}_pool")(x)
        for number, width in enumerate(widths, 1):
            x = block(x, width, f"stage_{stage}_block_{number}")
    # Not averaged over the axis, as pictures are: where a line stands says whose it is.
    x = keras.layers.Flatten(name="flat")(x)
    features = keras.layers.Dense(
        parameters.features,
        activation="relu",
        kernel_initializer=initialiser("he_normal", seed, layers + 1),
        name="features",
    )(x)
    return drop.network(answer_heads(drop(features), parameters, elements, thickness_scale_A, seed), "inception")
