"""A plain dense network. It takes a list of peaks as well as a whole spectrum."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from xpshpc.spectra.models.heads import Answers, answer_heads, initialiser

Width = Annotated[int, Field(gt=0, le=16384)]


class Parameters(Answers):
    """Widths of the hidden layers, the last of which holds the features."""

    widths: tuple[Width, ...] = Field((1024, 512, 256), min_length=1, max_length=32)
    dropout: float = Field(0.0, ge=0, lt=1, description="of every hidden layer while training")


def check_fit(parameters: Parameters, input_shape: tuple[int, ...]) -> None:
    """Dense layers fit every input."""


def build(
    parameters: Parameters, input_shape: tuple[int, ...], elements: int, thickness_scale_A: float, seed: int
) -> Any:
    """The network; see the package for what it takes and answers."""
    import keras

    from xpshpc.spectra.models.dropout import Dropout

    spectrum = keras.Input(input_shape, name="spectrum")
    drop = Dropout(parameters.dropout, spectrum, seed)
    x = spectrum if len(input_shape) == 1 else keras.layers.Flatten(name="flat")(spectrum)
    for number, width in enumerate(parameters.widths, 1):
        x = keras.layers.Dense(
            width,
            activation="relu",
            kernel_initializer=initialiser("he_normal", seed, number),
            name="features" if number == len(parameters.widths) else f"dense_{number}",
        )(x)
        x = drop(x)
    return drop.network(answer_heads(x, parameters, elements, thickness_scale_A, seed), "dnn")
