"""The areas of SESSA's own spectra of a Nb/Si sputter profile, and those of the same stacks simulated here.

The sessions describe seventeen layers once and then, for each of five steps of the profile, their thicknesses. Each
step gave a spectrum of Si 2p and one of Nb 3d. The shapes of the lines came from files that are not known, so areas
above a straight line are compared, each relative to the step t = 14: what the comparison tests is how intensity depends
on depth, and neither cross-sections nor shapes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from xpshpc.spectra.matter.layered import parse_stack
from xpshpc.spectra.matter.layers import Stack
from xpshpc.spectra.settings import Instrument, Physics
from xpshpc.spectra.simulation.stack_simulator import StackSimulator

STEPS = ("00", "08", "14", "17", "24")
REFERENCE = "14"
LINES = {"Nb": "3d", "Si": "2p"}
_SAMPLE = "refSpectra_Si0.1Ni0.9.ses"
_MATERIAL = re.compile(r"\\SAMPLE SET MATERIAL (\S+) LAYER 1", re.IGNORECASE)
_LAYER = re.compile(r"\\SAMPLE ADD LAYER (\S+)\s+THICKNESS (\S+) ABOVE 0", re.IGNORECASE)
_THICKNESS = re.compile(r"\\sample set thickness (\S+) lay (\d+)", re.IGNORECASE)
_INSTRUMENT = Instrument(
    source="AlKa",
    window_eV=(1200.0, 1486.0),
    emission_angle_deg=45.0,
    source_angle_deg=0.0,
    acceptance_half_angle_deg=20.0,
)
"""Source and analyser at 45° to the surface normal and of one azimuth, 20° of half aperture."""


@dataclass(frozen=True)
class ProfileComparison:
    """Areas relative to t = 14 by element, in the order of STEPS, and attenuation lengths (Å) of Nb 3d in Si."""

    imfp: str
    ours: Mapping[str, tuple[float, ...]]
    theirs: Mapping[str, tuple[float, ...]]
    our_length_A: float
    their_length_A: float

    @property
    def worst(self) -> float:
        """Largest relative deviation of an area."""
        return max(
            abs(one / other - 1.0)
            for element in self.ours
            for one, other in zip(self.ours[element], self.theirs[element], strict=True)
        )


def compare_profile(folder: Path, physics: Physics) -> ProfileComparison:
    """Both sets of areas, from SESSA's session files and spectra in `folder`."""
    ours = {element: tuple(our_area(folder, step, element, physics) for step in STEPS) for element in LINES}
    theirs = {element: tuple(sessa_area(folder / f"{element}-{step}.dat") for step in STEPS) for element in LINES}
    return ProfileComparison(
        physics.imfp, _relative(ours), _relative(theirs), _length(folder, ours["Nb"]), _length(folder, theirs["Nb"])
    )


def read_step(folder: Path, step: str) -> Stack:
    """The stack of one step of the profile, as the session files describe it."""
    text = (folder / _SAMPLE).read_text(encoding="latin-1")
    materials = [*(found[1] for found in _LAYER.finditer(text))][::-1]
    substrate = _MATERIAL.search(text)
    assert substrate is not None
    thickness = [float(found[2]) for found in _LAYER.finditer(text)][::-1]
    for value, layer in _THICKNESS.findall((folder / f"t={step}.ses").read_text(encoding="latin-1")):
        thickness[int(layer) - 1] = float(value)
    layers = [f"{material} | {depth:g} Å" for material, depth in zip(materials, thickness, strict=True)]
    return parse_stack("; ".join([*layers, substrate[1]]))


def our_area(folder: Path, step: str, element: str, physics: Physics) -> float:
    """Electrons of the element's line that leave without a loss, all layers and states together."""
    stack = read_step(folder, step)
    simulator = StackSimulator(_INSTRUMENT, physics)
    lines = simulator.list_lines(stack, simulator.emit(stack))
    return sum(line.intensity for line in lines if line.element == element and line.orbital.startswith(LINES[element]))


def sessa_area(path: Path) -> float:
    """Area of a spectrum above the straight line between its ends."""
    rows = np.genfromtxt(path, comments="#", usecols=(0, 1))
    energy, intensity = rows[~np.isnan(rows).any(axis=1)].T
    straight = np.interp(energy, energy[[0, -1]], intensity[[0, -1]])
    return float(np.trapezoid(intensity - straight, energy))


def _relative(areas: Mapping[str, tuple[float, ...]]) -> dict[str, tuple[float, ...]]:
    place = STEPS.index(REFERENCE)
    return {element: tuple(value / values[place] for value in values) for element, values in areas.items()}


def _length(folder: Path, areas: tuple[float, ...]) -> float:
    """From t = 14 to t = 17 nothing changes above the niobium but the thickness of one silicon layer."""
    before, after = (read_step(folder, step).layers[3].thickness_A for step in ("14", "17"))
    ratio = areas[STEPS.index("17")] / areas[STEPS.index("14")]
    return (before - after) / math.cos(math.radians(_INSTRUMENT.emission_angle_deg)) / math.log(ratio)
