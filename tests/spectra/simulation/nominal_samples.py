"""Single samples and their expected spectra, for tests of the simulators."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from xpshpc.spectra.elements import ELEMENT_INDEX
from xpshpc.spectra.matter.batch import SampleBatch
from xpshpc.spectra.matter.layers import Layer, State
from xpshpc.spectra.matter.materials import mix
from xpshpc.spectra.matter.sample import parse_formula
from xpshpc.spectra.settings import SpectraSettings
from xpshpc.spectra.simulation.simulator import Expectation, Simulator
from xpshpc.spectra.transport.loss_functions import LOSS_FUNCTIONS, natural_loss


def nominal_batch(
    settings: SpectraSettings,
    simulator: Simulator,
    fractions: dict[str, float],
    *,
    overlayer_A: float,
    density_g_cm3: float | None = None,
) -> SampleBatch:
    """One sample of a given composition without shifts, measured with the middle of the instrument's ranges."""
    instrument = settings.instrument
    count = len(fractions)

    def middle(bounds: tuple[float, float]) -> np.ndarray:
        return np.array([0.5 * (bounds[0] + bounds[1])])

    elements = np.array([[ELEMENT_INDEX[symbol] for symbol in fractions]], dtype=np.intp)
    shares = np.array([list(fractions.values())])
    return SampleBatch(
        index=np.zeros(1, dtype=np.int64),
        elements=elements,
        fractions=shares,
        shifts=np.zeros((1, count)),
        overlayer_A=np.array([overlayer_A]),
        overlayer_shifts=np.zeros((1, len(simulator.overlayer_elements))),
        peak_counts=np.array([instrument.peak_counts[1]]),
        analyser_fwhm_eV=middle(instrument.analyser_fwhm_eV),
        transmission_exponent=middle(instrument.transmission_exponent),
        detector_background=middle(instrument.detector_background),
        density_g_cm3=mix(elements, shares, density=density_g_cm3).density,
        band_gap_eV=np.zeros(1),
        loss=np.zeros(1, dtype=np.intp),
        charging_shift_eV=middle(instrument.charging_shift_eV),
        background_scale=middle(instrument.background_scale),
    )


@cache
def simulator_of(job: str) -> Simulator:
    settings = SpectraSettings.model_validate_json(job)
    return Simulator(settings.samples, settings.instrument, settings.physics)


def expect(
    job: SpectraSettings,
    formula: str,
    overlayer_A: float,
    density: float | None = None,
    loss: str | None = None,
    **device: float,
) -> Expectation:
    """The expectation of one sample with its natural loss function; `device` replaces figures of the measurement."""
    simulator = simulator_of(job.model_dump_json())
    fractions = parse_formula(formula)
    batch = nominal_batch(job, simulator, fractions, overlayer_A=overlayer_A, density_g_cm3=density)
    place = LOSS_FUNCTIONS.index(loss or natural_loss(fractions))
    changed = {name: np.array([value]) for name, value in device.items()}
    return simulator.expected(replace(batch, loss=np.array([place]), **changed))


def simulate(job: SpectraSettings, formula: str, overlayer_A: float, *args: float, **device: float) -> np.ndarray:
    return expect(job, formula, overlayer_A, *args, **device).counts[0]


def quiet(physics: dict | None = None, samples: dict | None = None, **instrument) -> SpectraSettings:
    """Settings without transmission, detector background and spread in resolution."""
    fixed = {"transmission_exponent": [0, 0], "detector_background": [0, 0], "analyser_fwhm_eV": [1, 1]}
    return SpectraSettings.model_validate(
        {"instrument": {**fixed, **instrument}, "physics": physics or {}, "samples": samples or {}}
    )


def substrate(formula: str, density: float, gap: float = 0.0) -> Layer:
    fractions = parse_formula(formula)
    states = tuple(State(symbol, share) for symbol, share in fractions.items())
    return Layer(formula, states, density_g_cm3=density, band_gap_eV=gap, loss=natural_loss(fractions))
