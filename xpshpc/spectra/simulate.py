"""One spectrum of a sample that a user names."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.run_directory import write_atomically
from xpshpc.spectra.embedded import EmbeddedSource, nominal_batch
from xpshpc.spectra.line_list import LineIntensity, list_lines
from xpshpc.spectra.sample import parse_material
from xpshpc.spectra.settings import SpectraSettings
from xpshpc.spectra.sources import XraySource


@dataclass(frozen=True)
class SimulatedSpectrum:
    """A spectrum (counts at kinetic energies in eV, both (channels,)) and the lines in it, the strongest first."""

    sample: str
    fractions: dict[str, float]
    overlayer_A: float
    source: XraySource
    kinetic_energy_eV: NDArray[np.float64]
    intensity: NDArray[np.float64]
    lines: tuple[LineIntensity, ...]
    remarks: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "sample": self.sample,
            "composition_at_percent": {symbol: 100.0 * share for symbol, share in self.fractions.items()},
            "overlayer_A": self.overlayer_A,
            "photon_energy_eV": self.source.photon_energy_eV,
            "kinetic_energy_eV": self.kinetic_energy_eV.tolist(),
            "intensity": self.intensity.tolist(),
            "lines": [asdict(line) for line in self.lines],
            "remarks": list(self.remarks),
        }

    def write_csv(self, path: Path) -> None:
        """Writes the spectrum as a table that `read_measured` reads back."""
        rows = zip(self.kinetic_energy_eV.tolist(), self.intensity.tolist(), strict=True)
        head = f"# simulated {self.sample}, overlayer {self.overlayer_A:g} Å, hv={self.source.photon_energy_eV}\n"
        text = head + "kinetic_energy_eV,counts\n" + "".join(f"{energy:.8g},{counts:.8g}\n" for energy, counts in rows)
        write_atomically(path, text.encode())

    def plot(self, path: Path) -> None:
        """Draws the spectrum with its strongest lines marked; the suffix chooses PNG, SVG or PDF."""
        from xpshpc.spectra.line_marks import choose_marks
        from xpshpc.spectra.lines import line_table
        from xpshpc.spectra.spectrum_plot import plot_spectrum

        elements = list(dict.fromkeys(line.element for line in self.lines))
        low, high = float(self.kinetic_energy_eV[0]), float(self.kinetic_energy_eV[-1])
        legend = {symbol: f"{symbol} {100.0 * share:.1f} at.%" for symbol, share in self.fractions.items()}
        for element in elements:
            legend.setdefault(element, f"{element} (overlayer)")
        plot_spectrum(
            path,
            self.kinetic_energy_eV,
            self.intensity,
            self.source.photon_energy_eV,
            choose_marks(line_table(self.source.name), elements, low, high),
            f"{self.sample}, simulated",
            f"{self.overlayer_A:g} Å overlayer" if self.overlayer_A else "",
            legend=legend,
        )


def simulate_sample(
    sample: str,
    settings: SpectraSettings,
    *,
    overlayer_A: float = 0.0,
    density_g_cm3: float | None = None,
    noise_seed: int | None = None,
) -> SimulatedSpectrum:
    """Simulates a sample ("Cu2O") with the middle of the instrument's ranges; `noise_seed` adds counting noise.

    Raises UsageError for what is no formula, and for a density that is not positive.
    """
    if density_g_cm3 is not None and not density_g_cm3 > 0.0:
        raise UsageError(f"a density of {density_g_cm3:g} g/cm³", where="--density", try_="--density 6.0")
    material = parse_material(sample)
    noisy = settings.instrument.model_copy(update={"noise": noise_seed is not None, "counts": "float32"})
    source = EmbeddedSource(settings.model_copy(update={"instrument": noisy}), noise_seed or 0)
    simulator = source.simulator
    batch = nominal_batch(settings, simulator, material.fractions, overlayer_A=overlayer_A, density_g_cm3=density_g_cm3)
    return SimulatedSpectrum(
        sample,
        material.fractions,
        overlayer_A,
        simulator.table.source,
        simulator.kinetic_energy_eV,
        source.measure(batch)[0].astype(np.float64),
        tuple(list_lines(simulator, batch)),
        material.remarks,
    )
