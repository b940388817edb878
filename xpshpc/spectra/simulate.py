"""One spectrum of a sample that a user describes: by the embedded simulator line by line, by SESSA, or by both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import isinf
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import EnvironmentFault, UsageError
from xpshpc.source import SampleError
from xpshpc.spectra.detection.nominal import NominalInstrument, nominal_instrument
from xpshpc.spectra.figures.comparison_plot import compare
from xpshpc.spectra.lines.line_list import LineIntensity
from xpshpc.spectra.lines.sources import xray_sources
from xpshpc.spectra.matter.layers import DENSITIES_G_CM3, Layer, Stack, State
from xpshpc.spectra.settings import SpectraSettings
from xpshpc.spectra.simulated_spectrum import Engine, SimulatedSpectrum


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

    Raises UsageError for what describes no sample, a density that is none, and a SESSA that is not there, and
    EnvironmentFault for one that fails.
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
    from xpshpc.spectra.matter.layered import parse_stack, read_stack

    if sample.endswith(".toml"):
        return read_stack(Path(sample))
    return parse_stack(sample)


def _with_density(stack: Stack, density_g_cm3: float | None) -> Stack:
    if density_g_cm3 is None:
        return stack
    low, high = DENSITIES_G_CM3
    if not low <= density_g_cm3 <= high:
        raise UsageError(
            f"a density of {density_g_cm3:g} g/cm³: it must lie between {low:g} and {high:g}",
            where="--density",
            try_="--density 6.0",
        )
    if len(stack.layers) > 1:
        raise UsageError(
            "each of several layers has a density of its own",
            where="--density",
            try_=f'"{stack.layers[0].formula} | 25 Å | {density_g_cm3:g} g/cm3; …"',
        )
    return Stack((replace(stack.layers[0], density_g_cm3=density_g_cm3),))


def _cover(stack: Stack, settings: SpectraSettings, overlayer_A: float) -> Stack:
    from xpshpc.spectra.matter.sample import parse_formula

    if overlayer_A <= 0.0:
        return stack
    if isinf(overlayer_A):
        raise UsageError("an overlayer without end hides the sample", where="--overlayer", try_="--overlayer 12")
    samples = settings.samples
    states = tuple(State(element, share) for element, share in parse_formula(samples.overlayer).items())
    film = Layer(samples.overlayer, states, overlayer_A, density_g_cm3=samples.overlayer_density_g_cm3)
    return Stack((film, *stack.layers), stack.remarks)


def _emit(
    stack: Stack, settings: SpectraSettings, instrument: NominalInstrument
) -> tuple[NDArray[np.float64], tuple[LineIntensity, ...]]:
    """Electrons that reach each channel, (channels,), and the window's lines at the energies where they stand there."""
    from xpshpc.spectra.simulation.stack_simulator import StackSimulator

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
    """The same by SESSA, started for this one spectrum.

    Raises UsageError for settings that it has not, and EnvironmentFault if it fails.
    """
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
    layers = layers_of_stack(stack, instrument.shift_eV)
    program = SessaProgram(read_options(options), settings.instrument, settings.physics)
    try:
        return instrument.resolve(program.spectrum(0, layers, lambda _: None))
    except SampleError as failure:
        raise EnvironmentFault(failure.why, where="--engine", try_="xpshpc simulate … --engine embedded") from None
    finally:
        program.close()
