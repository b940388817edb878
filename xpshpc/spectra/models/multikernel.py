"""Five convolutions of different widths side by side, and a composition that is answered given the thickness.

The network of the open SESSA studies of random materials under adventitious carbon: dense 2048, convolutions of 7, 11,
21, 41 and 81, joined, one more convolution, average pooling, then a head for the thickness (2048 → 100 → 1) and one for
the composition given it (2048 → fractions), with dropout 0.5. Numbers of filters were not published; these make the
pooled layer 2048 wide, as the heads were.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from xpshpc.spectra.learning.names import COMPOSITION, SPREAD, THICKNESS
from xpshpc.spectra.models.fit import check_kernel, check_width
from xpshpc.spectra.models.heads import Answers, composition_head, initialiser, spread_head, thickness_head

Kernel = Annotated[int, Field(gt=0, le=1024)]


class Parameters(Answers):
    """Sizes of the layers; the defaults are the published ones, where they are known."""

    dense: int = Field(2048, gt=0, le=16384, description="width of the first layer, over which the kernels slide")
    kernels: tuple[Kernel, ...] = Field((7, 11, 21, 41, 81), min_length=1, max_length=16)
    filters: int = Field(8, gt=0, le=1024, description="of each of the parallel convolutions")
    joined_filters: int = Field(4, gt=0, le=1024, description="of the convolution that reads them all")
    joined_kernel: int = Field(7, gt=0, le=1024)
    pool: int = Field(4, gt=0, le=64, description="channels that are averaged")
    thickness_units: int = Field(100, gt=0, le=8192)
    composition_units: int = Field(2048, gt=0, le=16384)
    dropout: float = Field(0.5, ge=0, lt=1, description="of the features and of the composition's hidden layer")


def check_fit(parameters: Parameters, input_shape: tuple[int, ...]) -> None:
    """Raises UsageError where a kernel is wider than the first layer, or the pooling leaves nothing of it.

    The first layer is dense: every input fits it.
    """
    for kernel in (*parameters.kernels, parameters.joined_kernel):
        check_kernel("a kernel", kernel, parameters.dense)
    check_width("the features", parameters.dense // parameters.pool, 1)


def build(
    parameters: Parameters, input_shape: tuple[int, ...], elements: int, thickness_scale_A: float, seed: int
) -> Any:
    """The network; see the package for what it takes and answers."""
    import keras

    from xpshpc.spectra.models.dropout import Dropout

    def dense(units: int, number: int, name: str) -> Any:
        kernel = initialiser("he_normal", seed, number)
        return keras.layers.Dense(units, activation="relu", kernel_initializer=kernel, name=name)

    def convolution(filters: int, width: int, number: int, name: str) -> Any:
        kernel = initialiser("he_normal", seed, number)
        return keras.layers.Conv1D(
            filters, width, padding="same", activation="relu", kernel_initializer=kernel, name=name
        )

    spectrum = keras.Input(input_shape, name="spectrum")
    drop = Dropout(parameters.dropout, spectrum, seed)
    flat = spectrum if len(input_shape) == 1 else keras.layers.Flatten(name="flat")(spectrum)
    x = dense(parameters.dense, 1, "dense")(flat)
    x = keras.layers.Reshape((parameters.dense, 1), name="channels")(x)
    side_by_side = [
        convolution(parameters.filters, width, 10 + number, f"convolution_{number}")(x)
        for number, width in enumerate(parameters.kernels, 1)
    ]
    x = keras.layers.Concatenate(name="join")(side_by_side) if len(side_by_side) > 1 else side_by_side[0]
    x = convolution(parameters.joined_filters, parameters.joined_kernel, 2, "joined_convolution")(x)
    x = keras.layers.AveragePooling1D(parameters.pool, name="pool")(x)
    features = drop(keras.layers.Flatten(name="features")(x))
    relative, thickness = thickness_head(
        dense(parameters.thickness_units, 3, "thickness_hidden")(features), thickness_scale_A, seed
    )
    given = keras.layers.Concatenate(name="given_thickness")([relative, features])
    hidden = drop(dense(parameters.composition_units, 4, "composition_hidden")(given))
    composition = composition_head(hidden, parameters, elements, seed)
    spread = spread_head(features, composition, seed)
    return drop.network({COMPOSITION: composition, THICKNESS: thickness, SPREAD: spread}, "multikernel")
