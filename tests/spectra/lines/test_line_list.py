"""The printed lines: the figures are the formula's, and tables give them back."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from xpshpc.spectra.elements import ELEMENT_INDEX
from xpshpc.spectra.lines.line_list import LineIntensity, lines_as_json, write_lines_csv
from xpshpc.spectra.matter.layered import parse_stack
from xpshpc.spectra.matter.materials import AVOGADRO_PER_A3, atomic_data
from xpshpc.spectra.settings import Instrument, Physics
from xpshpc.spectra.simulation.stack_simulator import StackSimulator

INSTRUMENT = Instrument(emission_angle_deg=30.0)


def listed(text: str, instrument: Instrument = INSTRUMENT) -> list[LineIntensity]:
    simulator = StackSimulator(instrument, Physics())
    stack = parse_stack(text)
    return simulator.list_lines(stack, simulator.emit(stack))


def test_every_figure_behind_an_intensity_is_printed() -> None:
    """I = N σ λ Q cos θ [1 − β_eff/4 (3 cos²ψ − 1)] of pure copper follows from the printed row alone."""
    copper = atomic_data()
    place = ELEMENT_INDEX["Cu"]
    density = next(layer.density_g_cm3 for layer in parse_stack("Cu").layers)
    atoms = AVOGADRO_PER_A3 * (density or 0.0) / copper.mass[place]
    cosine = np.cos(np.deg2rad(30.0))
    legendre = 3.0 * np.cos(np.deg2rad(INSTRUMENT.source_angle_deg)) ** 2 - 1.0
    for line in listed("Cu"):
        expected = atoms * line.cross_section_barn * line.imfp_A * line.escape_factor * cosine
        expected *= 1.0 - 0.25 * line.effective_asymmetry * legendre
        assert line.intensity == pytest.approx(expected, rel=1e-9)
        assert line.albedo == pytest.approx(line.imfp_A / (line.imfp_A + line.transport_mfp_A))
        assert line.attenuation_length_A == pytest.approx(line.imfp_A * (1.0 - 0.738 * line.albedo))
        assert line.effective_asymmetry == pytest.approx(line.asymmetry * (1.0 - line.albedo) / line.escape_factor)
        assert line.binding_energy_eV + line.kinetic_energy_eV == pytest.approx(1486.6)


def test_an_overlayer_attenuates_by_its_printed_length() -> None:
    """O 1s of an oxide under silicon loses e^{−d/(L cos θ)}, L of a line of silicon next to it in energy."""
    bare, covered = (
        next(line for line in listed(text) if (line.element, line.orbital) == ("O", "1s"))
        for text in ("SiO2", "Si | 20 Å; SiO2")
    )
    above, below = (
        next(line.attenuation_length_A for line in listed("Si") if line.orbital == name) for name in ("2s", "2p3/2")
    )
    length = 20.0 / (np.cos(np.deg2rad(30.0)) * np.log(bare.intensity / covered.intensity))
    slope = np.log(below / above) / np.log((1486.6 - 99.4) / (1486.6 - 149.7))
    assert length == pytest.approx(above * ((1486.6 - 531.0) / (1486.6 - 149.7)) ** slope, rel=0.02)


def test_the_strongest_line_comes_first_and_layers_count_from_the_surface() -> None:
    lines = listed("C5O | 20 Å; /Si[SiO2]/O2/ | 10 Å; Si")
    intensities = [line.intensity for line in lines]
    assert intensities == sorted(intensities, reverse=True)
    assert min(intensities) > 0.0
    assert {(line.layer, line.material) for line in lines} == {(1, "C5O"), (2, "/Si[SiO2]/O2/"), (3, "Si")}
    assert {line.state for line in lines if line.element == "Si" and line.layer == 2} == {"SiO2"}


def test_tables_give_the_lines_back(tmp_path: Path) -> None:
    lines = listed("C5O | 20 Å; Cu2O")
    path = tmp_path / "lines.csv"
    write_lines_csv(path, lines)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    objects = json.loads(json.dumps(lines_as_json(lines)))
    assert [LineIntensity(**each) for each in objects] == lines
    assert len(rows) == len(lines)
    for row, each in zip(rows, objects, strict=True):
        assert list(row) == list(each)
        for name, value in each.items():
            expected = pytest.approx(value, rel=1e-7) if isinstance(value, float) else value
            assert type(value)(row[name]) == expected
