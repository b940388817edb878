"""Two convolutional networks that train each other: the DCGAN of Radford et al. 2016 (arXiv:1511.06434).

Transposed convolutions make an image from a latent in three doublings; strided convolutions judge it. Every layer is
batch-normalised but the generator's last and the discriminator's first. Conditional networks know each row's class: the
generator by an embedding beside the latent, the discriminator by a projection (Miyato and Koyama 2018,
arXiv:1802.05637).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from pydantic import Field, field_validator

from xpshpc.config import Section
from xpshpc.domain import Rivals
from xpshpc.errors import UsageError

DOUBLINGS = 3

_DEVIATION = 0.02
"""Of the first weights, as in the paper."""

_KERNEL = 4
"""Even, so that every pixel of a doubled image is reached by as many weights: no checkerboard (Odena et al. 2016,
10.23915/distill.00003)."""

Normalise = Callable[[str], Any]


class Parameters(Section):
    """Sizes of both networks; each halving of the image doubles the filters."""

    filters: int = Field(
        16, gt=0, le=1024, description="of the largest inner image; four times as many of the smallest"
    )
    group: int = Field(
        16, ge=2, le=256, description="rows that are normalised together, a power of two that divides a rank's share"
    )
    embedding: int = Field(16, gt=0, le=1024, description="conditional: width of a class beside the latent")
    dropout: float = Field(0.0, ge=0, lt=1, description="of what the discriminator judges by, while training")
    group_spread: bool = Field(
        False, description="let the discriminator see how far images are from one another, against collapse"
    )

    @field_validator("group")
    @classmethod
    def _power_of_two(cls, group: int) -> int:
        if group & (group - 1):
            raise ValueError(f"{group} is no power of two")
        return group


def check_fit(parameters: Parameters, size: int) -> None:
    """Raises UsageError where images of `size` cannot come from doublings."""
    step = 2**DOUBLINGS
    if size % step or size < 2 * step:
        raise UsageError(
            f"images of {size} dies across cannot be made by {DOUBLINGS} doublings",
            where="wafers.size",
            try_=f"a multiple of {step} from {2 * step} on, as {max(2, round(size / step)) * step}",
        )


def check_share(parameters: Parameters, share: int) -> None:
    """Raises UsageError where a rank's share of a batch is not made of whole groups."""
    if share % parameters.group:
        raise UsageError(
            f"a rank's {share} samples of a batch are not made of groups of {parameters.group}",
            where="train.parameters.group",
            try_=f"group = {share & -share}"
            if share % 2 == 0
            else "a train.global_batch that gives each rank an even share",
        )


def build(parameters: Parameters, size: int, *, latent: int, classes: int, noisy: bool, seed: int) -> Rivals:
    """Fresh networks for images (n, size, size, 1) from latents (n, `latent`); `classes` is 0 where none are told.

    The generator takes {"latent"} and {"label"} (n,), and answers {"image"} in [-1, 1]. The discriminator takes
    {"image"} and, where they are used, {"label"}, {"draw"} and {"noise"} (see `row_noise`); it answers verdicts (n, 1).
    """
    import keras

    from xpshpc.wafers.models.grouped import GroupedBatchNormalization

    def grouped(name: str, *, always: bool = False) -> Any:
        return GroupedBatchNormalization(parameters.group, always=always, momentum=0.9, epsilon=1e-5, name=name)

    def plain(name: str) -> Any:
        return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)

    def generator(normalise: Normalise) -> Any:
        return _generator(parameters, size, latent, classes, _Weights(2 * seed), normalise)

    discriminator = _discriminator(
        parameters, size, classes, noisy, _Weights(2 * seed + 1), partial(grouped, always=True)
    )
    return Rivals(generator(grouped), discriminator, generator(plain))


class _Weights:
    """First weights: a stream of its own for each layer of a network."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._layers = 0

    def next(self) -> Any:
        import keras

        self._layers += 1
        return keras.initializers.RandomNormal(stddev=_DEVIATION, seed=(self._seed * 1009 + self._layers) % 2**31)


def _generator(
    parameters: Parameters, size: int, latent: int, classes: int, weights: _Weights, normalise: Normalise
) -> Any:
    import keras
    from keras import layers

    inputs = {"latent": keras.Input((latent,), name="latent")}
    x = inputs["latent"]
    if classes:
        inputs["label"] = keras.Input((), dtype="int32", name="label")
        embedded = layers.Embedding(
            classes, parameters.embedding, embeddings_initializer=weights.next(), name="class_embedding"
        )(inputs["label"])
        x = layers.Concatenate(name="latent_and_class")([x, embedded])
    start, filters = size // 2**DOUBLINGS, parameters.filters * 2 ** (DOUBLINGS - 1)
    x = layers.Dense(start * start * filters, use_bias=False, kernel_initializer=weights.next(), name="entry")(x)
    x = layers.Reshape((start, start, filters), name="smallest")(x)
    x = layers.ReLU(name="entry_relu")(normalise("entry_norm")(x))
    for doubling in range(1, DOUBLINGS):
        filters //= 2
        name = f"doubling_{doubling}"
        x = layers.Conv2DTranspose(
            filters, _KERNEL, 2, "same", use_bias=False, kernel_initializer=weights.next(), name=name
        )(x)
        x = layers.ReLU(name=f"{name}_relu")(normalise(f"{name}_norm")(x))
    image = layers.Conv2DTranspose(
        1, _KERNEL, 2, "same", activation="tanh", kernel_initializer=weights.next(), name="image"
    )(x)
    return keras.Model(inputs, {"image": image}, name="generator")


def _discriminator(
    parameters: Parameters, size: int, classes: int, noisy: bool, weights: _Weights, normalise: Normalise
) -> Any:
    import keras
    from keras import layers

    from xpshpc.wafers.models.grouped import GroupSpread
    from xpshpc.wafers.models.row_noise import RowDropout, RowNoise

    inputs = {"image": keras.Input((size, size, 1), name="image")}
    x = inputs["image"]
    if noisy or parameters.dropout:
        inputs["draw"] = keras.Input((), name="draw")
    if noisy:
        inputs["noise"] = keras.Input((), name="noise")
        x = RowNoise(name="noisy")(x, inputs["draw"], inputs["noise"])
    for halving in range(1, DOUBLINGS + 1):
        name = f"halving_{halving}"
        x = layers.Conv2D(
            parameters.filters * 2 ** (halving - 1),
            _KERNEL,
            2,
            "same",
            use_bias=halving == 1,
            kernel_initializer=weights.next(),
            name=name,
        )(x)
        if halving > 1:
            x = normalise(f"{name}_norm")(x)
        x = layers.LeakyReLU(0.2, name=f"{name}_relu")(x)
    if parameters.group_spread:
        x = GroupSpread(parameters.group, name="group_spread")(x)
    x = layers.Flatten(name="features")(x)
    if parameters.dropout:
        x = RowDropout(parameters.dropout, name="dropout")(x, inputs["draw"])
    verdict = layers.Dense(1, kernel_initializer=weights.next(), name="verdict")(x)
    if classes:
        inputs["label"] = keras.Input((), dtype="int32", name="label")
        embedded = layers.Embedding(
            classes, x.shape[-1], embeddings_initializer=weights.next(), name="class_embedding"
        )(inputs["label"])
        fit = layers.Dot(axes=-1, name="fit")([x, embedded])
        verdict = layers.Add(name="verdict_of_class")([verdict, fit])
    return keras.Model(inputs, verdict, name="discriminator")
