"""One spectrum of a sample that a user describes: by the embedded simulator line by line, by SESSA, or by both."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from math import inf, isinf
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.run_directory import write_atomically
from xpshpc.spectra.comparison_plot import Agreement, compare
from xpshpc.spectra.layers import Layer, Stack, State
from xpshpc.spectra.line_list import LineIntensity, write_lines_csv
from xpshpc.spectra.nominal import NominalInstrument, nominal_instrument
from xpshpc.spectra.settings import SpectraSettings
from xpshpc.spectra.sources import XraySource, xray_sources

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
            "lines": [asdict(line) for line in self.lines],
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
            text = json.dumps([asdict(line) for line in self.lines], indent=1, ensure_ascii=False, allow_nan=False)
            write_atomically(path, text.encode())
        else:
            write_lines_csv(path, self.lines)

    def plot(self, path: Path) -> None:
        """Draws the spectrum, or both and their difference, with the strongest lines marked: PNG, SVG or PDF."""
        from xpshpc.spectra.comparison_plot import plot_comparison
        from xpshpc.spectra.line_marks import choose_marks
        from xpshpc.spectra.lines import line_table
        from xpshpc.spectra.spectrum_plot import plot_spectrum

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


def simulate_sample(
    sample: str,
    settings: SpectraSettings,
    *,
    overlayer_A: float = 0.0,
    density_g_cm3: float | None = None,
    noise_seed: int | None = None,
    engine: Engine = "embedded",
    sessa: Mapping[str, Any] | None = None,
) -> SimulatedSpectrum:
    """Simulates a sample ("Cu2O", "SiO2 | 25 Å; Si", or a TOML file) with the middle of the instrument's ranges.

    `overlayer_A` of the job's overlayer lie on top of it; `density_g_cm3` is for a sample of one material; `noise_seed`
    adds counting noise; `sessa` holds the options of SESSA as [generate.sessa] does. The lines are the embedded
    simulator's, whichever engine is asked.

    Raises UsageError for what describes no sample, a density that is not positive, and a SESSA that is not there.
    """
    instrument = nominal_instrument(settings.instrument)
    stack = _cover(_with_density(read_sample(sample), density_g_cm3), settings, overlayer_A)
    electrons, lines = _emit(stack, settings, instrument)
    counts = {}
    if engine != "sessa":
        counts["embedded"] = instrument.count(electrons, noise_seed)
    if engine != "embedded":
        counts["SESSA"] = instrument.count(_ask_sessa(stack, settings, instrument, sessa or {}), noise_seed)
    shown = next(iter(counts.values()))
    axis = settings.instrument.energy_axis()
    return SimulatedSpectrum(
        sample,
        engine,
        stack,
        overlayer_A,
        xray_sources()[settings.instrument.source],
        instrument,
        axis,
        shown,
        lines,
        compare(("embedded", "SESSA"), axis, counts["embedded"], counts["SESSA"]) if len(counts) > 1 else None,
    )


def read_sample(sample: str) -> Stack:
    """The stack that a user names: a TOML file, layers, or a formula. Raises UsageError for what is neither."""
    from xpshpc.spectra.layered import parse_stack, read_stack

    if sample.endswith(".toml"):
        return read_stack(Path(sample))
    return parse_stack(sample)


def _with_density(stack: Stack, density_g_cm3: float | None) -> Stack:
    if density_g_cm3 is None:
        return stack
    if not 0.0 < density_g_cm3 < inf:
        raise UsageError(f"a density of {density_g_cm3:g} g/cm³", where="--density", try_="--density 6.0")
    if len(stack.layers) > 1:
        raise UsageError(
            "each of several layers has a density of its own",
            where="--density",
            try_=f'"{stack.layers[0].formula} | 25 Å | {density_g_cm3:g} g/cm3; …"',
        )
    return Stack((replace(stack.layers[0], density_g_cm3=density_g_cm3),))


def _cover(stack: Stack, settings: SpectraSettings, overlayer_A: float) -> Stack:
    from xpshpc.spectra.sample import parse_formula

    if overlayer_A <= 0.0:
        return stack
    samples = settings.samples
    states = tuple(State(element, share) for element, share in parse_formula(samples.overlayer).items())
    film = Layer(samples.overlayer, states, overlayer_A, density_g_cm3=samples.overlayer_density_g_cm3)
    return Stack((film, *stack.layers), stack.remarks)


def _emit(
    stack: Stack, settings: SpectraSettings, instrument: NominalInstrument
) -> tuple[NDArray[np.float64], tuple[LineIntensity, ...]]:
    """Electrons that reach each channel, (channels,), and the window's lines at the energies where they stand there."""
    from xpshpc.spectra.stack_simulator import StackSimulator

    simulator = StackSimulator(settings.instrument, settings.physics)
    emission = simulator.emit(stack)
    axis = settings.instrument.energy_axis() + instrument.shift_eV
    width, scale = instrument.analyser_fwhm_eV, instrument.background_scale
    electrons = simulator.draw(stack, emission, axis, analyser_fwhm_eV=width)
    if scale != 1.0:
        without = simulator.draw(stack, emission, axis, analyser_fwhm_eV=width, losses="none")
        electrons = without + scale * (electrons - without)
    low, high = settings.instrument.window_eV
    moved = (
        replace(
            line,
            kinetic_energy_eV=line.kinetic_energy_eV - instrument.shift_eV,
            binding_energy_eV=line.binding_energy_eV + instrument.charging_shift_eV,
        )
        for line in simulator.list_lines(stack, emission)
    )
    seen = (line for line in moved if low <= line.kinetic_energy_eV < high)
    return electrons, tuple(sorted(seen, key=lambda line: -line.intensity))


def _ask_sessa(
    stack: Stack, settings: SpectraSettings, instrument: NominalInstrument, options: Mapping[str, Any]
) -> NDArray[np.float64]:
    """The same by SESSA, started for this one spectrum; raises UsageError for settings that it has not."""
    from xpshpc.spectra.sessa.dialogue import layers_of_stack
    from xpshpc.spectra.sessa.grammar import REGION_POINTS
    from xpshpc.spectra.sessa.options import read_options
    from xpshpc.spectra.sessa.program import SessaProgram

    if settings.instrument.channels != REGION_POINTS or instrument.background_scale != 1.0:
        raise UsageError(
            f"SESSA writes {REGION_POINTS} channels, and its background has no scale",
            where="spectra.instrument",
            try_=f"channels = {REGION_POINTS}, background_scale = [1.0, 1.0]",
        )
    layers = tuple(
        replace(layer, shifts_eV={atom: shift + instrument.shift_eV for atom, shift in layer.shifts_eV.items()})
        for layer in layers_of_stack(stack)
    )
    program = SessaProgram(read_options(options), settings.instrument, settings.physics)
    try:
        return instrument.resolve(program.spectrum(0, layers, lambda _: None))
    finally:
        program.close()


def _describe(layer: Layer) -> dict[str, Any]:
    return {
        "material": layer.formula,
        "composition_at_percent": {symbol: 100.0 * share for symbol, share in layer.fractions().items()},
        "thickness_A": None if isinf(layer.thickness_A) else layer.thickness_A,
        "density_g_cm3": layer.density_g_cm3,
        "band_gap_eV": layer.band_gap_eV,
    }
