"""The batch simulator beside the exact one, which takes each line by itself."""

from __future__ import annotations

import numpy as np
import pytest

from tests.spectra.simulation.nominal_samples import expect, quiet, simulate, simulator_of, substrate
from xpshpc.spectra.lines.line_table import LineTable
from xpshpc.spectra.matter.layers import Layer, Stack, State
from xpshpc.spectra.matter.sample import parse_formula
from xpshpc.spectra.simulation.stack_simulator import StackSimulator


@pytest.mark.parametrize(
    ("formula", "density", "gap", "thickness", "fwhm", "physics", "instrument"),
    [
        ("Cu", 8.96, 0.0, 0.0, 0.5, {}, {}),
        ("Cu", 8.96, 0.0, 12.0, 1.2, {}, {}),
        ("Al", 2.70, 0.0, 12.0, 1.2, {}, {}),
        ("SiO2", 2.20, 8.9, 12.0, 0.8, {}, {}),
        ("Fe2O3", 5.24, 2.1, 5.0, 0.7, {}, {"work_function_eV": 4.3}),
        ("Au", 19.3, 0.0, 40.0, 1.0, {}, {}),
        ("Cu2O", 6.0, 2.1, 25.0, 0.8, {"surface_excitations": True}, {}),
        ("Cu2O", 6.0, 2.1, 25.0, 0.8, {"elastic_scattering": False, "imfp": "TPP-2M"}, {}),
        ("Cu2O", 6.0, 2.1, 25.0, 0.8, {"loss_functions": "universal", "shake_up": False}, {}),
        ("Ti", 4.5, 0.0, 8.0, 1.0, {"metal_asymmetry": False}, {}),
        ("Cu2O", 6.0, 2.1, 25.0, 0.8, {}, {"source": "MgKa", "window_eV": [300.0, 1253.0], "emission_angle_deg": 45.0}),
    ],
)  # fmt: skip
def test_spectra_are_those_of_the_exact_simulator(formula, density, gap, thickness, fwhm, physics, instrument):
    """Every channel within 2.5 % of the strongest (lines' places are rounded), the rms within 0.25 %."""
    job = quiet(physics, analyser_fwhm_eV=[0.5, 1.5], **instrument)
    axis, width = job.instrument.energy_axis() + job.instrument.work_function_eV, job.instrument.channel_eV
    found = simulate(job, formula, thickness, density, band_gap_eV=gap, analyser_fwhm_eV=fwhm)
    film = parse_formula("C5O")
    over = Layer("C5O", tuple(State(symbol, share) for symbol, share in film.items()), thickness, 1.56)
    stack = Stack((*([over] if thickness else []), substrate(formula, density, gap)))
    exact = StackSimulator(job.instrument, job.physics)
    parts = 6
    points = (axis[:, None] + width * ((np.arange(parts) + 0.5) / parts - 0.5)).ravel()
    drawn = exact.draw(stack, exact.emit(stack), points, analyser_fwhm_eV=fwhm).reshape(-1, parts).mean(axis=1)
    difference = found / found.sum() * drawn.sum() - drawn
    assert np.abs(difference).max() < 0.025 * drawn.max()
    assert np.sqrt(np.mean(difference**2)) < 2.5e-3 * drawn.max()


@pytest.mark.parametrize("formula", ["Cu", "Fe2O3", "SrTiO3", "Ti"])
@pytest.mark.parametrize(("thickness", "angle"), [(20.0, 54.7356), (0.0, 90.0), (20.0, 90.0), (20.0, 0.0)])
def test_lines_have_the_intensities_of_the_exact_simulator(formula, thickness, angle):
    """To 3e-4 for every line: curves are read between their nodes."""
    job = quiet({"surface_excitations": True}, source_angle_deg=angle)
    found = expect(job, formula, thickness, 5.0)
    film = parse_formula("C5O")
    over = Layer("C5O", tuple(State(symbol, share) for symbol, share in film.items()), thickness, 1.56)
    exact = StackSimulator(job.instrument, job.physics)
    emission = exact.emit(Stack((over, substrate(formula, 5.0))))
    below = np.flatnonzero((emission.layer == 1) & (emission.intensity > 0))

    def identity(table: LineTable, line: int) -> tuple[str, int, float]:
        return table.orbital[line], table.element[line], table.kinetic_energy_eV[line]

    known = {identity(exact.table, emission.line[k]): k for k in below}
    table = simulator_of(job.model_dump_json()).table
    expected = emission.intensity[[known[identity(table, line)] for line in found.lines.line]]
    ratio = found.lines.intensity / expected
    np.testing.assert_allclose(ratio, np.median(ratio), rtol=3e-4)
