"""What a console session has set up: source, geometry, regions, layers, peaks, and what has been simulated."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import acos, cos, degrees, inf, radians, sin

from xpshpc.spectra.matter.layers import State
from xpshpc.spectra.sessa.spectrum_files import RegionSpectrum

PeakKey = tuple[str, str, str]
"""Element, chemical state ("" for none), orbital: what a peak is, whatever its number in the list."""


@dataclass(frozen=True)
class Region:
    """Kinetic energies of a spectrum (eV); with `zero_loss` only electrons that have lost nothing."""

    low_eV: float = 400.0
    high_eV: float = 1486.0
    zero_loss: bool = False


@dataclass(frozen=True)
class Direction:
    """A direction: polar angle to the normal, and azimuth, in degrees."""

    theta: float = 0.0
    phi: float = 0.0

    def __str__(self) -> str:
        return f"theta {self.theta:g}, phi {self.phi:g}"

    def angle_to(self, other: Direction) -> float:
        """Degrees between two directions."""
        cosine = cos(radians(self.theta)) * cos(radians(other.theta)) + sin(radians(self.theta)) * sin(
            radians(other.theta)
        ) * cos(radians(self.phi - other.phi))
        return degrees(acos(min(1.0, max(-1.0, cosine))))


@dataclass(frozen=True)
class SampleLayer:
    """A layer as it was described. `density` is in the preferences' scale, None to estimate it; `loss_material`: whose
    loss function it takes, None for its own."""

    material: str
    states: tuple[State, ...]
    thickness_A: float = inf
    density: float | None = None
    band_gap_eV: float = 0.0
    loss_material: str | None = None


@dataclass(frozen=True)
class PeakEdit:
    """What has been changed of a peak. `gauss_sigma_eV` replaces its own shape."""

    deleted: bool = False
    shift_eV: float = 0.0
    gaussian: bool = False
    gauss_sigma_eV: float | None = None


@dataclass
class Project:
    """The state of a session. `known_states` holds each element and state in the order in which they first came up,
    which is the order of the peak list within an element. `spectra` belong to the last simulation."""

    source: str = "AlKa"
    source_direction: Direction = Direction(54.7, 0.0)
    analyser_direction: Direction = Direction(0.0, 180.0)
    sample_tilt: Direction = Direction()
    aperture_deg: float = 0.0
    mass_density: bool = False
    straight_lines: bool = False
    surface_excitations: bool = False
    outputs: dict[str, bool] = field(
        default_factory=lambda: dict.fromkeys(("SAMPLE", "EXPERIMENT", "PARAMETERS"), True)
    )
    regions: list[Region] = field(default_factory=lambda: [Region()])
    layers: list[SampleLayer] = field(default_factory=list)
    known_states: list[tuple[str, str]] = field(default_factory=list)
    edits: dict[PeakKey, PeakEdit] = field(default_factory=dict)
    spectra: list[RegionSpectrum] | None = None
    plotted: RegionSpectrum | None = None

    def known(self, states: tuple[State, ...]) -> tuple[State, ...]:
        """The states of a material, remembered if they are new, and spelt as they first were: case does not matter."""
        spelt = {(element, tag.casefold()): tag for element, tag in self.known_states}
        respelt = tuple(
            replace(state, tag=spelt.get((state.element, state.tag.casefold()), state.tag)) for state in states
        )
        for state in respelt:
            if (state.element, state.tag) not in self.known_states:
                self.known_states.append((state.element, state.tag))
        return respelt

    def edit(self, key: PeakKey, **changes: object) -> None:
        """Changes a peak."""
        self.edits[key] = replace(self.edits.get(key, PeakEdit()), **changes)  # type: ignore[arg-type]

    def reset_sample(self) -> None:
        """Forgets the layers and everything about their peaks."""
        self.layers, self.known_states, self.edits = [], [], {}
        self.spectra = self.plotted = None

    def reset(self) -> None:
        """Back to the beginning."""
        for name, value in vars(Project()).items():
            setattr(self, name, value)

    def fingerprint(self) -> str:
        """Names what would be simulated now: equal for equal samples seen by equal instruments."""
        settled: Mapping[str, object] = {
            name: value for name, value in vars(self).items() if name not in ("spectra", "plotted", "outputs")
        }
        return hashlib.sha256(repr(sorted(settled.items())).encode()).hexdigest()
