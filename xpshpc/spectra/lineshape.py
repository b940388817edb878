"""Voigt profiles on a channel grid, made once for each width and each place of a line between two channels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import voigt_profile

SUBCHANNELS = 32
"""Places inside a channel that a line may have: a line is drawn within 1/64 channel of where it stands."""

_SIGMA_PER_FWHM = 1.0 / (2.0 * np.sqrt(2.0 * np.log(2.0)))
_WINDOWS = (32, 64, 128, 256, 512, 1024)
_RELATIVE_WIDTH_STEP = 0.05


@dataclass(frozen=True)
class ProfileBank:
    """Profiles of every line, grouped by the length of their window.

    `window` (lines,): channels of each line's window, one of the keys of `profiles`; `row` (lines,): the line's first
    row in `profiles[window]`, an array (rows, window) whose row `row + s` has the line at (s + ½)/SUBCHANNELS − ½
    channels from the window's middle channel. Each row sums to 1: what a Lorentzian has beyond its window is put back
    inside.
    """

    window: NDArray[np.intp]
    row: NDArray[np.intp]
    profiles: dict[int, NDArray[np.float64]]


def make_profile_bank(
    lorentz_fwhm: NDArray[np.float64], gauss_fwhm: NDArray[np.float64], channel: float
) -> ProfileBank:
    """Profiles of lines with these widths (eV), averaged over channels of `channel` eV.

    The window holds at least 24 eV, 20 Lorentzian and 6 Gaussian full widths; widths are rounded to 5 %, which is
    finer than they are known.
    """
    lorentz = _rounded(lorentz_fwhm)
    gauss = _rounded(gauss_fwhm)
    reach = np.maximum(24.0, 20.0 * lorentz + 6.0 * gauss) / channel
    window = np.array([next((w for w in _WINDOWS if w >= length), _WINDOWS[-1]) for length in reach], dtype=np.intp)
    row = np.empty(len(window), dtype=np.intp)
    profiles: dict[int, list[NDArray[np.float64]]] = {}
    known: dict[tuple[int, float, float], int] = {}
    for line, key in enumerate(zip(window.tolist(), lorentz.tolist(), gauss.tolist(), strict=True)):
        stack = profiles.setdefault(key[0], [])
        if key not in known:
            known[key] = SUBCHANNELS * len(stack)
            stack.append(_profiles(*key, channel))
        row[line] = known[key]
    return ProfileBank(window, row, {length: np.concatenate(stack) for length, stack in profiles.items()})


def _profiles(window: int, lorentz_fwhm: float, gauss_fwhm: float, channel: float) -> NDArray[np.float64]:
    """One profile at every place inside a channel, (SUBCHANNELS, window).

    Places and the points that a channel is averaged over lie on one grid, so one fine profile serves them all.
    """
    points = SUBCHANNELS * window + SUBCHANNELS - 1
    distance = (np.arange(points) - (SUBCHANNELS - 1)) / SUBCHANNELS - window // 2
    fine = voigt_profile(distance * channel, gauss_fwhm * _SIGMA_PER_FWHM, 0.5 * lorentz_fwhm)
    above = np.concatenate(([0.0], np.cumsum(fine)))
    averages = above[SUBCHANNELS:] - above[:-SUBCHANNELS]
    start = SUBCHANNELS - 1 - np.arange(SUBCHANNELS)[:, None] + SUBCHANNELS * np.arange(window)[None, :]
    channels = averages[start]
    normalised: NDArray[np.float64] = channels / channels.sum(axis=1, keepdims=True)
    return normalised


def _rounded(width: NDArray[np.float64]) -> NDArray[np.float64]:
    step = np.log1p(_RELATIVE_WIDTH_STEP)
    rounded: NDArray[np.float64] = np.exp(np.round(np.log(np.maximum(width, 0.02)) / step) * step)
    return rounded
