"""Measured surveys beside simulated ones: what is known is stated, what is not is fitted, and what remains is shown."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.optimize import least_squares, nnls

from xpshpc.config import Section
from xpshpc.spectra.figures.comparison_plot import Agreement
from xpshpc.spectra.figures.line_marks import LineMark
from xpshpc.spectra.lines.line_table import LineKind
from xpshpc.spectra.lines.sources import xray_sources
from xpshpc.spectra.matter.layered import parse_stack
from xpshpc.spectra.matter.layers import Stack
from xpshpc.spectra.measured import MeasuredSpectrum, read_measured
from xpshpc.spectra.settings import Instrument, Physics
from xpshpc.spectra.simulation.stack_emission import StackEmission
from xpshpc.spectra.simulation.stack_simulator import StackSimulator

SOURCE = "AlKa-mono"
"""The surveys show no Kα3,4: see `satellite_share`."""

CASES_FILE = Path(__file__).with_name("surveys.toml")
_THICKNESS = re.compile(r"\{(\w+)\}")
_STEP_EV = 0.25
_MARGIN_EV = 12.0


@dataclass(frozen=True)
class Range:
    """Where a parameter's search begins, its bounds, and the step of its finite difference."""

    start: float
    low: float
    high: float
    step: float


_RANGES = {
    "overlayer": Range(8.0, 0.0, 60.0, 0.2),
    "film": Range(20.0, 0.0, 300.0, 0.2),
    "shift_eV": Range(0.0, -8.0, 8.0, 0.02),
    "exponent": Range(0.0, -2.5, 2.5, 0.01),
}


class Case(Section):
    """A measured survey and what is said of its sample (surveys.toml says more)."""

    title: str
    file: str
    layers: str
    line: str
    line_eV: float
    fwhm_eV: float
    shifts: dict[str, tuple[float, float]] = Field(default_factory=dict)

    @property
    def thicknesses(self) -> tuple[str, ...]:
        """Names of the thicknesses that are fitted."""
        return tuple(_THICKNESS.findall(self.layers))

    def stack(self, thicknesses: Mapping[str, float]) -> Stack:
        """The sample with these thicknesses, Å."""
        return parse_stack(self.layers.format(**{name: f"{value:.6f}" for name, value in thicknesses.items()}))


def read_cases(path: Path = CASES_FILE) -> tuple[Case, ...]:
    """The surveys that are compared."""
    return tuple(Case.model_validate(case) for case in tomllib.loads(path.read_text(encoding="utf-8"))["case"])


@dataclass(frozen=True)
class SurveyFit:
    """A measured survey, the nearest simulated one, and the parameters that make it so.

    `shift_eV`: of all lines to higher binding energy; `exponent`: n of a transmission E^-n; `dark_share`: constant part
    of the strongest channel; `background_scale`: factor of the inelastic background; `satellites`: see
    `satellite_share`.
    """

    case: Case
    agreement: Agreement
    thicknesses_A: Mapping[str, float]
    shift_eV: float
    exponent: float
    background_scale: float
    dark_share: float
    satellites: tuple[float, float]
    elements: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def photon_energy_eV(self) -> float:
        return xray_sources()[SOURCE].photon_energy_eV

    @property
    def sample(self) -> str:
        """The layers with the thicknesses found."""
        return self.case.layers.format(**{name: f"{value:.1f}" for name, value in self.thicknesses_A.items()})

    def moved(self, mark: LineMark) -> LineMark:
        """A mark of the line table where the line stands in this survey."""
        photo, auger = self.case.shifts.get(mark.element, (0.0, 0.0))
        shift = self.shift_eV + (auger if mark.orbital.isalpha() else photo)
        return replace(mark, kinetic_energy_eV=mark.kinetic_energy_eV - shift)

    def describe(self) -> str:
        """The fit in one line."""
        return (
            f"rms {100 * self.agreement.rms_of_strongest:.2f} % of the strongest channel, "
            f"{100 * self.agreement.rms_of_mean:.1f} % of the mean; {self.sample}; shift {self.shift_eV:+.2f} eV, "
            f"transmission E^{-self.exponent:.2f}, FWHM {self.case.fwhm_eV:.1f} eV, background × "
            f"{self.background_scale:.2f}, dark {100 * self.dark_share:.1f} %"
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "survey": self.case.file,
            "sample": self.sample,
            "analyser_fwhm_eV": self.case.fwhm_eV,
            "chemical_shifts_eV": {element: list(pair) for element, pair in self.case.shifts.items()},
            "rms_of_strongest": self.agreement.rms_of_strongest,
            "rms_of_mean": self.agreement.rms_of_mean,
            "thicknesses_A": dict(self.thicknesses_A),
            **{name: getattr(self, name) for name in ("shift_eV", "exponent", "background_scale", "dark_share")},
            "satellite_share": self.satellites[0],
            "satellite_error": self.satellites[1],
            "remarks": list(self.remarks),
        }


def fit_survey(case: Case, folder: Path, physics: Physics | None = None) -> SurveyFit:
    """Simulates a case and fits it to its survey: thicknesses, shift, transmission, and three amounts.

    The amounts (electrons without loss, with losses, dark counts) enter linearly and need no start.
    """
    (survey,) = read_measured(folder / case.file)
    seen = _Survey(case, survey, physics or Physics())
    names = (*case.thicknesses, "shift_eV", "exponent")
    ranges = [_RANGES[name] for name in names]
    steps = np.array([each.step for each in ranges])

    def residuals(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return seen.fit(dict(zip(names, values.tolist(), strict=True)))[0] - seen.counts

    def slopes(values: NDArray[np.float64]) -> NDArray[np.float64]:
        here = residuals(values)
        return np.stack([(residuals(values + step) - here) / step.sum() for step in np.diag(steps)], axis=1)

    start = {name: _RANGES[name].start for name in names}
    found = least_squares(
        residuals,
        list({**start, "shift_eV": seen.best_shift(start)}.values()),
        jac=slopes,
        bounds=([each.low for each in ranges], [each.high for each in ranges]),
        x_scale=steps,
        xtol=1e-4,
        ftol=1e-5,
    )
    best: dict[str, float] = dict(zip(names, found.x.tolist(), strict=True))
    thicknesses = {name: best.pop(name) for name in case.thicknesses}
    stack = case.stack(thicknesses)
    model, (without, losses, dark) = seen.fit({**thicknesses, **best})
    return SurveyFit(
        case,
        Agreement(("measured", "simulated"), seen.energy_eV, seen.counts, model, 1.0),
        thicknesses,
        background_scale=losses / without if without else float("nan"),
        dark_share=dark / float(seen.counts.max()),
        satellites=satellite_share(survey, case.line_eV),
        elements=tuple(dict.fromkeys(element for layer in reversed(stack.layers) for element in layer.fractions())),
        remarks=stack.remarks,
        **best,
    )


def satellite_share(survey: MeasuredSpectrum, line_eV: float) -> tuple[float, float]:
    """Mean intensity where Kα3,4 of a bare anode would stand, as a share of the line's height, and its error.

    The window 8.7–12.5 eV below the line is compared with a straight line through both its sides (5.5–7.5 eV and
    16–34 eV below). Al Kα3,4 (6.4 % at 9.8 eV, 3.2 % at 11.8 eV) would put some 4 % there.
    """
    assert survey.photon_energy_eV is not None
    binding = survey.photon_energy_eV - survey.kinetic_energy_eV
    near = np.flatnonzero(np.abs(binding - line_eV) < 4.0)
    top = int(near[np.argmax(survey.intensity[near])])
    below = binding[top] - binding
    window = (below > 8.7) & (below < 12.5)
    sides = ((below > 5.5) & (below < 7.5)) | ((below > 16.0) & (below < 34.0))
    straight = np.polyfit(below[sides], survey.intensity[sides], 1)
    height = float(survey.intensity[top] - np.polyval(straight, 0.0))
    rest = survey.intensity - np.polyval(straight, below)
    error = float(np.std(rest[sides]) / np.sqrt(window.sum()))
    return float(rest[window].mean()) / height, error / height


class _Survey:
    """One survey on even steps, and the simulator that is laid beside it."""

    def __init__(self, case: Case, survey: MeasuredSpectrum, physics: Physics) -> None:
        photon = xray_sources()[SOURCE].photon_energy_eV
        low, high = survey.window_eV
        inside = (survey.kinetic_energy_eV < photon - 1.0) & (survey.kinetic_energy_eV <= high)
        self.energy_eV: NDArray[np.float64] = survey.kinetic_energy_eV[inside]
        self.counts: NDArray[np.float64] = survey.intensity[inside]
        self._fine_eV = np.arange(low - _MARGIN_EV, photon + _MARGIN_EV, _STEP_EV)
        self._case = case
        self._simulator = StackSimulator(Instrument(source=SOURCE, window_eV=(low, photon)), physics)
        self._electrons = lru_cache(maxsize=8)(self._draw)

    def fit(self, values: Mapping[str, float]) -> tuple[NDArray[np.float64], tuple[float, float, float]]:
        """The model for these parameters with its best amounts (without loss, with losses, dark counts)."""
        drawn = self._electrons(*(values[name] for name in self._case.thicknesses))
        axis = self.energy_eV + values["shift_eV"]
        transmission = (self.energy_eV / self.energy_eV[-1]) ** -values["exponent"]
        parts = np.stack([np.interp(axis, self._fine_eV, part) * transmission for part in drawn])
        parts = np.stack([*parts, np.ones_like(axis)], axis=1)
        heights = parts.max(axis=0)
        amounts, _ = nnls(parts / heights, self.counts)
        amounts /= heights
        return parts @ amounts, (float(amounts[0]), float(amounts[1]), float(amounts[2]))

    def best_shift(self, start: Mapping[str, float]) -> float:
        """The shift at which the steps of simulated and measured spectrum go best together."""
        shifts = np.arange(-6.0, 6.01, 0.25)
        slopes = np.gradient(self.counts)
        likeness = [float(slopes @ np.gradient(self.fit({**start, "shift_eV": float(shift)})[0])) for shift in shifts]
        return float(shifts[int(np.argmax(likeness))])

    def _draw(self, *thicknesses: float) -> NDArray[np.float64]:
        """Electrons per eV that left without a loss, and with losses, (2, fine energies)."""
        stack = self._case.stack(dict(zip(self._case.thicknesses, thicknesses, strict=True)))
        emission = self._moved(stack, self._simulator.emit(stack))
        draw = self._simulator.draw
        every = draw(stack, emission, self._fine_eV, analyser_fwhm_eV=self._case.fwhm_eV)
        without = draw(stack, emission, self._fine_eV, analyser_fwhm_eV=self._case.fwhm_eV, losses="none")
        return np.stack([without, np.maximum(every - without, 0.0)])

    def _moved(self, stack: Stack, emission: StackEmission) -> StackEmission:
        """The lines below the overlayer where the compound has them."""
        auger = self._simulator.table.kind[emission.line] == LineKind.AUGER
        shifts = np.zeros(len(emission))
        for place, layer in enumerate(stack.layers[1:], start=1):
            for number, state in enumerate(layer.states):
                photo, other = self._case.shifts.get(state.element, (0.0, 0.0))
                chosen = (emission.layer == place) & (emission.state == number)
                shifts[chosen] = np.where(auger[chosen], other, photo)
        return emission.shifted(-shifts)
