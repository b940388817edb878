"""Beside real SESSA: a sputter profile of Nb between Si and oxides, ten spectra that version 2.0 wrote.

The sessions set Al Kα, source and analyser both at 45° and with the same azimuth, so that they look along one line
(ψ = 0), an aperture of 20°, and leave one line of each doublet. That version had the TPP-2M formula, so it is taken
here. The spectra hold SESSA's own inelastic background; a straight line between the ends of the region is taken off,
and with it or without, the ratios below are the same to 1 %.

What can be compared, relative to t=14 and within 5 %: steps that differ by layers of Si alone, whose density is known.
SESSA's densities of the mixtures /Si7/Si[X]/Nb[X]8/ and /Si[X]0.1/Nb[X]0.9/ and of the first layer's four states of Si
are in none of its files; with volumes that add up, Nb comes out 13 % low at t=00, 9 % low at t=08 and 8 % high at t=24,
Si at t=00 26 % high. That the asymmetry fades faster than the line does matters here: without it Nb would be 25 % low,
18 % low and 16 % high, and the attenuation length 3.5 % short instead of 0.4 %.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from xpshpc.spectra.elements import ELEMENTS
from xpshpc.spectra.matter.layers import Layer, Stack
from xpshpc.spectra.matter.sample import parse_material
from xpshpc.spectra.settings import Instrument, Physics
from xpshpc.spectra.simulation.stack_simulator import StackSimulator

REFERENCE = Path(__file__).parents[4] / "shared" / "data" / "xps" / "sessa_reference"
pytestmark = pytest.mark.skipif(not REFERENCE.is_dir(), reason=f"the reference spectra are not here ({REFERENCE})")

FIRST_LAYER = "/SI[SIO2]29/SI[SI2O3]4/SI[SI2O]0.1/SI33/"
LINES = {"Nb": "3d5/2", "Si": "2p3/2"}
MEASURED_LENGTH_A = 27.06
PHYSICS = Physics(imfp="TPP-2M")
INSTRUMENT = Instrument(
    window_eV=(1200.0, 1486.0), emission_angle_deg=45.0, source_angle_deg=0.0, acceptance_half_angle_deg=20.0
)


def stack_of(step: str, first_density_g_cm3: float | None = None) -> Stack:
    """The sample of a session: materials of the first script, uppermost last, thicknesses of the step's."""
    layers: list[tuple[str, float]] = []
    for line in (REFERENCE / "refSpectra_Si0.1Ni0.9.ses").read_text().splitlines():
        if found := re.match(r"\\SAMPLE SET MATERIAL (\S+) LAYER 1", line):
            layers = [(found[1], np.inf)]
        elif found := re.match(r"\\SAMPLE ADD LAYER (\S+)\s+THICKNESS (\S+) ABOVE 0", line):
            layers.insert(0, (found[1], float(found[2])))
    for line in (REFERENCE / f"t={step}.ses").read_text().splitlines():
        if found := re.match(r"\\sample set thickness (\S+) lay (\d+)", line):
            layers[int(found[2]) - 1] = (layers[int(found[2]) - 1][0], float(found[1]))
    return Stack(
        tuple(
            Layer(
                material, parse_material(material).states, d, first_density_g_cm3 if material == FIRST_LAYER else None
            )
            for material, d in layers
        )
    )


def sessa_area(element: str, step: str, low_eV: float = 0.0) -> float:
    """Area of a line above a straight line; above `low_eV` alone, all of it."""
    energy, counts = np.loadtxt(REFERENCE / f"{element}-{step}.dat").T
    if low_eV:
        return float(np.trapezoid(np.where(energy > low_eV, counts, 0.0), energy))
    return float(np.trapezoid(counts - np.interp(energy, energy[[0, -1]], counts[[0, -1]]), energy))


def simulated(
    element: str, step: str, first_density_g_cm3: float | None = None, *, tag: str | None = None, cone: float = 20.0
) -> float:
    """Intensity of the element's line, of all its states or of one."""
    instrument = INSTRUMENT.model_copy(update={"acceptance_half_angle_deg": cone})
    simulator = StackSimulator(instrument, PHYSICS)
    stack = stack_of(step, first_density_g_cm3)
    lines = simulator.list_lines(stack, simulator.emit(stack))
    return sum(
        line.intensity
        for line in lines
        if (line.element, line.orbital) == (element, LINES[element]) and tag in (None, line.state)
    )


def test_the_sessions_describe_seventeen_layers() -> None:
    stack = stack_of("14")
    assert [layer.thickness_A for layer in stack.layers if layer.thickness_A > 1.0] == [
        25,
        20,
        65,
        5,
        10,
        15,
        200,
        np.inf,
    ]
    assert {symbol for layer in stack.layers for symbol in layer.fractions()} <= set(ELEMENTS)


@pytest.mark.parametrize(("element", "step"), [("Si", "08"), ("Si", "17"), ("Si", "24"), ("Nb", "17")])
def test_line_areas_relative_to_the_third_step(element: str, step: str) -> None:
    """SESSA: Si 1.072, 0.842, 0.841, Nb 2.190. Here 1.072, 0.870, 0.877, 2.196."""
    expected = sessa_area(element, step) / sessa_area(element, "14")
    assert simulated(element, step) / simulated(element, "14") == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("cone", [0.0, 20.0])
def test_niobium_fades_under_silicon(cone: float) -> None:
    """25 → 10 Å of Si between t=14 and t=17, read as exp(−d/(L cos 45°)): 27.31 Å along the axis, 26.96 in the cone."""
    ratio = simulated("Nb", "17", cone=cone) / simulated("Nb", "14", cone=cone)
    length = 15.0 / (np.cos(np.deg2rad(45.0)) * np.log(ratio))
    assert length == pytest.approx(MEASURED_LENGTH_A, rel=0.03)
    areas = sessa_area("Nb", "17") / sessa_area("Nb", "14")
    assert 15.0 / (np.cos(np.deg2rad(45.0)) * np.log(areas)) == pytest.approx(MEASURED_LENGTH_A, rel=3e-3)


def test_one_density_of_the_first_layer_explains_all_of_the_first_step() -> None:
    """1.51 g/cm³, found from Si's elemental peak alone (above 1386.2 eV), gives Si of all states and Nb below it.

    SESSA's value can be read in no file; the law is that one must do for three figures, here to 5 and 8 %.
    """
    expected = sessa_area("Si", "00", 1386.2) / sessa_area("Si", "14", 1386.2)
    densities = np.linspace(1.0, 2.4, 15)
    peaks = [simulated("Si", "00", float(density), tag="") for density in densities]
    density = float(np.interp(expected * simulated("Si", "14", tag=""), peaks, densities))
    assert 1.0 < density < 2.4
    for element in ("Si", "Nb"):
        areas = sessa_area(element, "00") / sessa_area(element, "14")
        assert simulated(element, "00", density) / simulated(element, "14") == pytest.approx(areas, rel=0.09)
