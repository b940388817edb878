"""A simulated spectrum with all that is told of it: as JSON, as tables, as a figure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isinf
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xpshpc.run_directory import write_atomically
from xpshpc.spectra.detection.nominal import NominalInstrument
from xpshpc.spectra.figures.comparison_plot import Agreement
from xpshpc.spectra.lines.line_list import LineIntensity, lines_as_json, write_lines_csv
from xpshpc.spectra.lines.sources import XraySource
from xpshpc.spectra.matter.layers import Layer, Stack

Engine = Literal["embedded", "sessa", "both"]


@dataclass(frozen=True)
class SimulatedSpectrum:
    """A spectrum (counts at kinetic energies in eV, both (channels,)) and the lines in it, the strongest first.

    `agreement` holds both spectra where both engines were asked; `intensity` is then the embedded simulator's.
    """

    sample: str
    engine: Engine
    stack: Stack
    overlayer_A: float
    source: XraySource
    instrument: NominalInstrument
    kinetic_energy_eV: NDArray[np.float64]
    intensity: NDArray[np.float64]
    lines: tuple[LineIntensity, ...]
    agreement: Agreement | None = None

    @property
    def binding_energy_eV(self) -> NDArray[np.float64]:
        """hν − KE − the analyser's work function, (channels,)."""
        return self._scale_eV - self.kinetic_energy_eV

    @property
    def _scale_eV(self) -> float:
        return self.source.photon_energy_eV - self.instrument.settings.work_function_eV

    @property
    def fractions(self) -> Mapping[str, float]:
        """Atomic fractions of the substrate."""
        return self.stack.layers[-1].fractions()

    def as_json(self) -> dict[str, Any]:
        answer: dict[str, Any] = {
            "sample": self.sample,
            "engine": self.engine,
            "composition_at_percent": {symbol: 100.0 * share for symbol, share in self.fractions.items()},
            "layers": [_describe(layer) for layer in self.stack.layers],
            "overlayer_A": self.overlayer_A,
            "photon_energy_eV": self.source.photon_energy_eV,
            "kinetic_energy_eV": self.kinetic_energy_eV.tolist(),
            "binding_energy_eV": self.binding_energy_eV.tolist(),
            "intensity": self.intensity.tolist(),
            "lines": lines_as_json(self.lines),
            "remarks": list(self.stack.remarks),
        }
        if self.agreement is not None:
            answer["comparison"] = {
                "sessa_intensity": self.agreement.other.tolist(),
                "scale": self.agreement.scale,
                "rms_counts": self.agreement.rms,
                "rms_of_strongest": self.agreement.rms_of_strongest,
            }
        return answer

    def write_csv(self, path: Path) -> None:
        """Writes the spectrum, on both scales, as a table that `read_measured` reads back."""
        columns = ["kinetic_energy_eV", "counts", "binding_energy_eV"]
        values = [self.kinetic_energy_eV, self.intensity, self.binding_energy_eV]
        if self.agreement is not None:
            columns.append("sessa_counts")
            values.append(self.agreement.other)
        text = f"# simulated ({self.engine}) {self.sample}, hv={self.source.photon_energy_eV}\n" + ",".join(columns)
        rows = (",".join(f"{value:.8g}" for value in row) for row in zip(*values, strict=True))
        write_atomically(path, "\n".join([text, *rows, ""]).encode())

    def write_lines(self, path: Path) -> None:
        """Writes the lines with every quantity behind their intensity, as CSV or, by the file's suffix, JSON."""
        if path.suffix == ".json":
            text = json.dumps(lines_as_json(self.lines), indent=1, ensure_ascii=False, allow_nan=False)
            write_atomically(path, text.encode())
        else:
            write_lines_csv(path, self.lines)

    def plot(self, path: Path) -> None:
        """Draws the spectrum, or both and their difference, with the strongest lines marked: PNG, SVG or PDF."""
        from xpshpc.spectra.figures.comparison_plot import plot_comparison
        from xpshpc.spectra.figures.line_marks import choose_marks
        from xpshpc.spectra.figures.spectrum_plot import plot_spectrum
        from xpshpc.spectra.lines.line_table import line_table

        elements = list(dict.fromkeys(line.element for line in self.lines))
        low, high = float(self.kinetic_energy_eV[0]), float(self.kinetic_energy_eV[-1])
        legend = {symbol: f"{symbol} {100.0 * share:.1f} at.%" for symbol, share in self.fractions.items()}
        for element in elements:
            legend.setdefault(element, f"{element} (above)")
        shift, photon = self.instrument.shift_eV, self._scale_eV
        marks = [
            replace(mark, kinetic_energy_eV=mark.kinetic_energy_eV - shift)
            for mark in choose_marks(line_table(self.source.name), elements, low + shift, high + shift)
        ]
        told = f"{self.overlayer_A:g} Å overlayer" if self.overlayer_A else ""
        if self.agreement is None:
            energies, counts = self.kinetic_energy_eV, self.intensity
            plot_spectrum(path, energies, counts, photon, marks, f"{self.sample}, simulated", told, legend=legend)
            return
        rms = f"root mean square of the difference: {100.0 * self.agreement.rms_of_strongest:.2f} % of the strongest"
        subtitle = f"{told}; {rms}" if told else rms
        title = f"{self.sample}, two simulators"
        plot_comparison(path, self.agreement, photon, marks, title, subtitle, legend=legend)


def _describe(layer: Layer) -> dict[str, Any]:
    return {
        "material": layer.formula,
        "composition_at_percent": {symbol: 100.0 * share for symbol, share in layer.fractions().items()},
        "thickness_A": None if isinf(layer.thickness_A) else layer.thickness_A,
        "density_g_cm3": layer.density_g_cm3,
        "band_gap_eV": layer.band_gap_eV,
    }
