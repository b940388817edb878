"""How a spectrum is handed to a network."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.spectra.learning.task import XpsTask


def treat(spectra: NDArray[Any], task: XpsTask) -> NDArray[np.float32]:
    """The network's input (n, …) of spectra (n, channels), as the task says."""
    return stretch(spectra)


def input_shape(channels: int, task: XpsTask) -> tuple[int, ...]:
    """The shape of one sample's input."""
    return (channels,)


def describe_input(task: XpsTask) -> str:
    """The treatment in words, for a model's card."""
    return "each spectrum stretched from its minimum (0) to its maximum (1)"


def stretch(spectra: NDArray[Any]) -> NDArray[np.float32]:
    """Spectra (n, channels) stretched to [0, 1], each by its own minimum and maximum; a flat one becomes zeros.

    What is not finite stays so: a spectrum with a NaN in it gives NaN, not a plausible answer.
    """
    stretched = np.array(spectra, np.float32)
    low = stretched.min(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", over="ignore"):
        spread = stretched.max(axis=1, keepdims=True) - low
        stretched -= low
        stretched /= np.where(spread == 0, np.float32(1), spread)
    return stretched
