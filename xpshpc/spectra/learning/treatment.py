"""How a spectrum is handed to a network. A sample's input follows from its own spectrum alone, to the last bit.

What is not finite stays so: a spectrum with a NaN in it gives NaN, not a plausible answer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.spectra.learning.peaks import find_peaks
from xpshpc.spectra.learning.task import XpsTask

CHANNELS_PER_PEAK = 4


def treat(spectra: NDArray[Any], task: XpsTask) -> NDArray[np.float32]:
    """The network's input (n, …) of spectra (n, channels), as the task says."""
    if task.input == "unit":
        return stretch(spectra)
    if task.input == "area":
        return divide_by_area(spectra)
    if task.input == "snv":
        return standardise(spectra)
    if task.input == "smoothed":
        return stretch(smooth(spectra, task.smoothing_channels, task.smoothing_degree))
    return find_peaks(spectra, task.peaks)


def input_shape(channels: int, task: XpsTask) -> tuple[int, ...]:
    """The shape of one sample's input."""
    return (task.peaks, 2) if task.input == "peaks" else (channels,)


def check_axis(channels: int, task: XpsTask) -> None:
    """Raises UsageError for a treatment that spectra of so many channels are too short for."""
    if task.input == "smoothed" and task.smoothing_channels > channels:
        raise UsageError(
            f"the filter of {task.smoothing_channels} channels is wider than the spectra's {channels}",
            where="train.task.smoothing_channels",
            try_="a narrower filter, or more instrument.channels",
        )
    if task.input == "peaks" and task.peaks * CHANNELS_PER_PEAK > channels:
        raise UsageError(
            f"{task.peaks} peaks do not fit into {channels} channels: each takes {CHANNELS_PER_PEAK}",
            where="train.task.peaks",
            try_=f"peaks = {max(channels // CHANNELS_PER_PEAK, 1)} or fewer",
        )


def describe_input(task: XpsTask) -> str:
    """The treatment in words, for a model's card."""
    stretched = "each spectrum stretched from its minimum (0) to its maximum (1)"
    if task.input == "unit":
        return stretched
    if task.input == "area":
        return "each spectrum divided by the mean of its channels"
    if task.input == "snv":
        return "each spectrum less the mean of its channels, over their standard deviation (standard normal variate)"
    if task.input == "smoothed":
        return (
            f"each spectrum smoothed (Savitzky-Golay, {task.smoothing_channels} channels, degree "
            f"{task.smoothing_degree}), then {stretched.removeprefix('each spectrum ')}"
        )
    return (
        f"the {task.peaks} strongest peaks, the strongest first: position from the axis' lower end (0) to its upper "
        "(1), and height above the surroundings, relative to the strongest's; zeros where there are fewer"
    )


def stretch(spectra: NDArray[Any]) -> NDArray[np.float32]:
    """Spectra (n, channels) stretched to [0, 1], each by its own minimum and maximum; a flat one becomes zeros."""
    stretched = np.array(spectra, np.float32)
    low = stretched.min(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", over="ignore"):
        spread = stretched.max(axis=1, keepdims=True) - low
        stretched -= low
        stretched /= np.where(spread == 0, np.float32(1), spread)
    return stretched


def divide_by_area(spectra: NDArray[Any]) -> NDArray[np.float32]:
    """Spectra (n, channels) divided by the mean of their own channels, which then is 1; one without area becomes zeros.

    An area of 1 would leave numbers that shrink as the channels grow more.
    """
    rows = np.array(spectra, np.float32)
    mean = rows.mean(axis=1, keepdims=True, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        return np.where(mean == 0, np.float32(0), rows / np.where(mean == 0, 1.0, mean).astype(np.float32))


def standardise(spectra: NDArray[Any]) -> NDArray[np.float32]:
    """Spectra (n, channels) as standard normal variates (Barnes, Dhanoa, Lister, 10.1366/0003702894202201).

    Each less the mean of its own channels, over their standard deviation (of n − 1); a flat one becomes zeros.
    """
    rows = np.array(spectra, np.float32)
    with np.errstate(invalid="ignore", over="ignore"):
        rows -= rows.mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
        squares = np.einsum("nc,nc->n", rows, rows, dtype=np.float64)
        deviation = np.sqrt(squares / max(rows.shape[1] - 1, 1))[:, None].astype(np.float32)
        rows /= np.where(deviation == 0, np.float32(1), deviation)
    return rows


def smooth(spectra: NDArray[Any], width: int, degree: int) -> NDArray[np.float32]:
    """Spectra (n, channels) through the filter of Savitzky and Golay (10.1021/ac60214a047).

    Each channel becomes the value there of the polynomial of `degree` that fits `width` channels around it best; at the
    axis' two ends, the first or last `width` channels.
    """
    from scipy.ndimage import correlate1d
    from scipy.signal import savgol_coeffs

    rows = np.array(spectra, np.float32)
    half = width // 2
    with np.errstate(invalid="ignore"):
        smoothed: NDArray[np.float32] = correlate1d(rows, savgol_coeffs(width, degree, use="dot"), axis=1)
        ends = np.stack([savgol_coeffs(width, degree, pos=place, use="dot") for place in range(half)])
        # einsum without BLAS: a matrix product's last bits depend on how many spectra there are.
        smoothed[:, :half] = np.einsum("nw,kw->nk", rows[:, :width].astype(np.float64), ends)
        smoothed[:, rows.shape[1] - half :] = np.einsum(
            "nw,kw->nk", rows[:, -width:].astype(np.float64), ends[::-1, ::-1]
        )
    return smoothed
