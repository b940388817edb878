"""Two spectra of one sample over each other, and their difference below on the same scale."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xpshpc.drawing import AMBER, BLUE, INK, SOFT, draw_file, draw_svg
from xpshpc.run_directory import write_atomically
from xpshpc.spectra.figures.line_marks import LineMark
from xpshpc.spectra.figures.spectrum_plot import (
    LABEL_ROOM,
    WIDTH_IN,
    check_format,
    draw_legend,
    draw_marks,
    draw_scales,
    element_colours,
    with_prefix,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEIGHT_IN = 6.6


@dataclass(frozen=True)
class Agreement:
    """Two spectra on one axis: `other` was multiplied by `scale`, which makes the sum of squared differences least.

    `one`, `other` (scaled) and the axis are (channels,). `rms` is the root mean square of their difference.
    """

    names: tuple[str, str]
    kinetic_energy_eV: NDArray[np.float64]
    one: NDArray[np.float64]
    other: NDArray[np.float64]
    scale: float

    @property
    def difference(self) -> NDArray[np.float64]:
        return self.other - self.one

    @property
    def rms(self) -> float:
        return float(np.sqrt(np.mean(self.difference**2)))

    @property
    def rms_of_strongest(self) -> float:
        """As a share of the strongest channel of `one`."""
        return self.rms / float(self.one.max())

    @property
    def rms_of_mean(self) -> float:
        """As a share of the mean of `one`."""
        return self.rms / float(self.one.mean())


def compare(
    names: tuple[str, str],
    kinetic_energy_eV: NDArray[np.float64],
    one: NDArray[np.float64],
    other: NDArray[np.float64],
) -> Agreement:
    """Scales the second spectrum to the first by least squares, all channels alike."""
    square = float(other @ other)
    scale = float(one @ other) / square if square else 1.0
    return Agreement(names, kinetic_energy_eV, one, scale * other, scale)


def plot_comparison(
    path: Path,
    agreement: Agreement,
    photon_energy_eV: float,
    marks: Sequence[LineMark],
    title: str,
    subtitle: str = "",
    *,
    legend: Mapping[str, str] | None = None,
) -> None:
    """Writes the figure as SVG, PNG or PDF, by the file's suffix. Raises UsageError for another."""
    form = check_format(path)
    draw = _prepared(agreement, photon_energy_eV, marks, title, subtitle, legend or {})
    write_atomically(path, draw_file(draw, form, width_in=WIDTH_IN, height_in=HEIGHT_IN))


def comparison_svg(
    agreement: Agreement,
    photon_energy_eV: float,
    marks: Sequence[LineMark],
    title: str,
    subtitle: str = "",
    *,
    legend: Mapping[str, str] | None = None,
) -> str:
    """The figure of `plot_comparison` as an `<svg>` element that can stand in a page."""
    draw = _prepared(agreement, photon_energy_eV, marks, title, subtitle, legend or {})
    return draw_svg(draw, width_in=WIDTH_IN, height_in=HEIGHT_IN)


def _prepared(
    agreement: Agreement,
    photon_energy_eV: float,
    marks: Sequence[LineMark],
    title: str,
    subtitle: str,
    legend: Mapping[str, str],
) -> Callable[[Figure], None]:
    """What puts both spectra and their difference on an empty figure."""
    energy = agreement.kinetic_energy_eV
    higher = np.maximum(agreement.one, agreement.other)
    scaled, unit = with_prefix(higher, "counts")
    factor = float(scaled.max()) / (float(higher.max()) or 1.0)
    colours = element_colours(marks, legend)

    def draw(figure: Figure) -> None:
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[4.2, 1.0])
        binding = photon_energy_eV - energy
        above.grid(False)
        above.plot(binding, factor * agreement.one, color=INK, linewidth=0.8, label=agreement.names[0])
        above.plot(binding, factor * agreement.other, color=AMBER, linewidth=0.9, label=agreement.names[1])
        above.set_xlim(float(binding[0]), float(binding[-1]))
        above.set_ylim(0, float(scaled.max()) * (1 + LABEL_ROOM) or 1.0)
        draw_marks(above, energy, scaled, photon_energy_eV, marks, colours)
        draw_scales(above, photon_energy_eV, f"Intensity ({unit})")
        above.set_xlabel("")
        above.legend(loc="best", fontsize=9)
        above.set_title(subtitle, loc="left", fontsize=9.5, color=SOFT, pad=8, parse_math=False)
        below.axhline(0.0, color=SOFT, linewidth=0.6)
        below.plot(binding, factor * agreement.difference, color=BLUE, linewidth=0.8)
        below.set_xlabel("Binding energy (eV)")
        below.set_ylabel("difference")
        draw_legend(figure, legend, colours)
        figure.suptitle(title, x=0.01, ha="left", fontsize=12.5, fontweight="bold", color=INK, parse_math=False)

    return draw
