"""A spectrum as the field draws it: binding energy from high to low below, kinetic energy above, lines by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.drawing import INK, SOFT, draw_file, draw_svg
from xpshpc.errors import UsageError
from xpshpc.run_directory import write_atomically
from xpshpc.spectra.figures.line_marks import LineMark

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".svg", ".png", ".pdf")
WIDTH_IN, HEIGHT_IN = 10.0, 5.2
COLOURS = ("#c0392b", "#1f6fb2", "#2e8b57", "#8e44ad", "#d17a00", "#008b8b", "#b03a75", "#6b6b00", "#5d4037", "#37618e")
LEGEND_COLUMNS = 7
LONGEST_TITLE = 56
LABEL_ROOM = 0.30
"""Share of the highest intensity that the names of the lines take above it."""

LABEL_SPACING = 0.019
"""Least distance of two names, as a share of the axis: the height of their letters."""


@dataclass(frozen=True)
class PlacedMark:
    """A mark with where its line stands and where its name is written, both as shares of the axis, left to right."""

    mark: LineMark
    at: float
    name_at: float


def plot_spectrum(
    path: Path,
    kinetic_energy_eV: NDArray[np.float64],
    intensity: NDArray[np.float64],
    photon_energy_eV: float,
    marks: Sequence[LineMark],
    title: str,
    subtitle: str = "",
    *,
    legend: Mapping[str, str] | None = None,
    intensity_unit: str = "counts",
) -> None:
    """Writes the figure of a spectrum as SVG, PNG or PDF, by the file's suffix.

    `marks` come in the order of their importance: where there is no room for all names, the last are left out.
    `legend` gives a text for each element, in order. Raises UsageError for another suffix.
    """
    form = check_format(path)
    draw = _prepared(kinetic_energy_eV, intensity, photon_energy_eV, marks, title, subtitle, legend, intensity_unit)
    write_atomically(path, draw_file(draw, form, width_in=WIDTH_IN, height_in=HEIGHT_IN))


def check_format(path: Path) -> str:
    """The kind of image that a file's suffix asks for; raises UsageError for one that cannot be drawn."""
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise UsageError(
            f"cannot draw {suffix or 'a file without a suffix'}", where=str(path), try_=f"one of {', '.join(FORMATS)}"
        )
    return suffix[1:]


def spectrum_svg(
    kinetic_energy_eV: NDArray[np.float64],
    intensity: NDArray[np.float64],
    photon_energy_eV: float,
    marks: Sequence[LineMark],
    title: str,
    subtitle: str = "",
    *,
    legend: Mapping[str, str] | None = None,
    intensity_unit: str = "counts",
) -> str:
    """The figure of `plot_spectrum` as an `<svg>` element that can stand in a page."""
    draw = _prepared(kinetic_energy_eV, intensity, photon_energy_eV, marks, title, subtitle, legend, intensity_unit)
    return draw_svg(draw, width_in=WIDTH_IN, height_in=HEIGHT_IN)


def place_marks(
    marks: Sequence[LineMark], low_eV: float, high_eV: float, spacing: float = LABEL_SPACING
) -> list[PlacedMark]:
    """Writes each name as near to its line as the neighbours allow, none over another, in the lines' order.

    Positions are shares of the axis from the lowest kinetic energy (0) to the highest (1). Marks outside the window and
    those for which there is no room are left out, the last given first.
    """
    inside = [mark for mark in marks if low_eV <= mark.kinetic_energy_eV <= high_eV]
    kept = sorted(inside[: int(1 / spacing)], key=lambda mark: mark.kinetic_energy_eV)
    wanted = np.array([(mark.kinetic_energy_eV - low_eV) / (high_eV - low_eV) for mark in kept])
    names = _spread(wanted, spacing)
    return [PlacedMark(mark, float(at), float(name)) for mark, at, name in zip(kept, wanted, names, strict=True)]


def _spread(wanted: NDArray[np.float64], spacing: float) -> NDArray[np.float64]:
    """Nearest positions (least squares) to ascending ones with a least distance between neighbours, all in 0–1.

    Less the spacing this is isotonic regression: neighbours in each other's way are pooled around their common mean.
    """
    groups: list[list[float]] = []
    for place, position in enumerate(wanted):
        groups.append([position - place * spacing])
        while len(groups) > 1 and np.mean(groups[-2]) >= np.mean(groups[-1]):
            last = groups.pop()
            groups[-1].extend(last)
    start = np.array([mean for group in groups for mean in [float(np.mean(group))] * len(group)])
    room = 1.0 - spacing * max(len(wanted) - 1, 0)
    spread: NDArray[np.float64] = np.clip(start, 0.0, max(room, 0.0)) + spacing * np.arange(len(wanted))
    return spread


def _prepared(
    kinetic_energy_eV: NDArray[np.float64],
    intensity: NDArray[np.float64],
    photon_energy_eV: float,
    marks: Sequence[LineMark],
    title: str,
    subtitle: str,
    legend: Mapping[str, str] | None,
    intensity_unit: str,
) -> Callable[[Figure], None]:
    """What puts the spectrum on an empty figure."""
    scaled, unit = with_prefix(intensity, intensity_unit)
    colours = element_colours(marks, legend or {})
    shown = title if len(title) <= LONGEST_TITLE else f"{title[: LONGEST_TITLE - 1]}…"

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.grid(False)
        binding = photon_energy_eV - kinetic_energy_eV
        axes.plot(binding, scaled, color=INK, linewidth=0.8)
        axes.set_xlim(float(binding[0]), float(binding[-1]))
        axes.set_ylim(0, float(np.max(scaled)) * (1 + LABEL_ROOM) or 1.0)
        draw_marks(axes, kinetic_energy_eV, scaled, photon_energy_eV, marks, colours)
        draw_scales(axes, photon_energy_eV, f"Intensity ({unit})")
        draw_legend(figure, legend or {}, colours)
        figure.suptitle(shown, x=0.01, ha="left", fontsize=12.5, fontweight="bold", color=INK, parse_math=False)
        axes.set_title(subtitle, loc="left", fontsize=9.5, color=SOFT, pad=8, parse_math=False)

    return draw


def with_prefix(intensity: NDArray[np.float64], unit: str) -> tuple[NDArray[np.float64], str]:
    """Intensities in a power of ten of the unit where they would need long numbers."""
    top = float(np.max(intensity))
    if top <= 0 or 0.01 <= top < 1e5:
        return intensity, unit
    power = int(np.floor(np.log10(top)))
    return intensity / 10.0**power, rf"$10^{{{power}}}$ {unit}"


def element_colours(marks: Sequence[LineMark], legend: Mapping[str, str]) -> dict[str, str]:
    """A colour for each element, those of the legend first."""
    elements = dict.fromkeys([*legend, *(mark.element for mark in marks)])
    return {element: COLOURS[place % len(COLOURS)] for place, element in enumerate(elements)}


def draw_marks(
    axes: Axes,
    kinetic_energy_eV: NDArray[np.float64],
    intensity: NDArray[np.float64],
    photon_energy_eV: float,
    marks: Sequence[LineMark],
    colours: Mapping[str, str],
) -> None:
    """Draws lines' names above a spectrum on a binding-energy axis, and what joins each to its line."""
    low, high = float(kinetic_energy_eV[0]), float(kinetic_energy_eV[-1])
    top = float(np.max(intensity)) or 1.0
    for placed in place_marks(marks, low, high):
        colour = colours[placed.mark.element]
        line = photon_energy_eV - placed.mark.kinetic_energy_eV
        name = photon_energy_eV - (low + placed.name_at * (high - low))
        near = np.abs(kinetic_energy_eV - placed.mark.kinetic_energy_eV) <= 4.0
        foot = float(np.max(intensity[near], initial=0.0))
        axes.plot(
            [line, line, name],
            [foot + 0.012 * top, max(1.02 * top, foot + 0.012 * top), 1.065 * top],
            color=colour,
            linewidth=0.7,
            alpha=0.65,
            solid_capstyle="round",
        )
        text = f"{placed.mark.element} {_typeset(placed.mark.orbital)}"
        axes.text(name, 1.075 * top, text, rotation=90, ha="center", va="bottom", fontsize=8.5, color=colour)


def _typeset(orbital: str) -> str:
    """A spin–orbit quantum number as an index: 2p3/2 → 2p with 3/2 below."""
    return re.sub(r"(\d/\d)$", r"$_{\1}$", orbital)


def draw_scales(axes: Axes, photon_energy_eV: float, intensity_label: str) -> None:
    """Labels the axes: binding energy below, the same as kinetic energy above."""
    from matplotlib.ticker import AutoMinorLocator, MaxNLocator

    axes.set_xlabel("Binding energy (eV)")
    axes.set_ylabel(intensity_label)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=12, steps=[1, 2, 5, 10]))
    axes.xaxis.set_minor_locator(AutoMinorLocator())

    def turn(energy: Any) -> Any:
        return photon_energy_eV - energy

    above = axes.secondary_xaxis("top", functions=(turn, turn))
    above.set_xlabel(f"Kinetic energy (eV), Fermi level, hν = {photon_energy_eV:g} eV", fontsize=8.5, color=SOFT)
    above.tick_params(labelsize=8.5, colors=SOFT)
    above.xaxis.set_major_locator(MaxNLocator(nbins=12, steps=[1, 2, 5, 10]))


def draw_legend(figure: Figure, legend: Mapping[str, str], colours: Mapping[str, str]) -> None:
    """Writes a text for each element below the figure."""
    if not legend:
        return
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=colours[element], linewidth=3, label=text) for element, text in legend.items()]
    columns = min(len(handles), LEGEND_COLUMNS)
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=columns,
        frameon=False,
        fontsize=9.5,
        handlelength=1.0,
        handletextpad=0.5,
        columnspacing=1.4,
        borderaxespad=0.3,
    )
