"""How deep networks keep their signals of the order of one."""

from __future__ import annotations

from typing import Any


def normalise(x: Any, name: str) -> Any:
    """Each sample's (channels, filters) brought to mean 0 and variance 1, then scaled and moved filter by filter.

    It is the layer normalisation of Ba, Kiros and Hinton (arXiv:1607.06450) over all channels of a sample, which is
    group normalisation with one group (Wu and He, 10.1007/978-3-030-01261-8_1). Batch normalisation would take its
    statistics from a rank's own part of the batch: the network would depend on how many ranks train it. Normalising
    each channel by itself would lift the noise between the lines to their height.
    """
    import keras

    return keras.layers.GroupNormalization(1, epsilon=1e-5, name=name)(x)
