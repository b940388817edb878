"""`xpshpc simulate` shows one spectrum, in numbers, lines and a figure."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.test_errors import xpshpc


def test_json_holds_the_spectrum_and_everything_behind_its_lines(tmp_path: Path):
    told = xpshpc("simulate", "Cu2O", "--overlayer", "12", "--json", folder=tmp_path)
    assert told.returncode == 0, told.stderr
    answer = json.loads(told.stdout)
    assert len(answer["kinetic_energy_eV"]) == len(answer["intensity"]) == 2048
    keys = {
        "element", "orbital", "kinetic_energy_eV", "binding_energy_eV", "cross_section_barn", "asymmetry", "imfp_A",
        "transport_mfp_A", "intensity",
    }  # fmt: skip
    assert all(keys <= set(line) for line in answer["lines"])
    strongest = answer["lines"][0]
    assert (strongest["element"], strongest["orbital"]) == ("Cu", "2p3/2")
    top = answer["kinetic_energy_eV"][int(np.argmax(answer["intensity"]))]
    assert top == pytest.approx(strongest["kinetic_energy_eV"], abs=1.0)
    assert {line["layer"] for line in answer["lines"]} == {"sample", "overlayer"}


def test_files_are_written_and_the_table_reads_back_as_a_spectrum(tmp_path: Path):
    from xpshpc.spectra.measured import read_measured

    told = xpshpc("simulate", "SiO2", "--plot", "x.png", "--output", "x.csv", "--noise", folder=tmp_path)
    assert told.returncode == 0, told.stderr
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    (spectrum,) = read_measured(tmp_path / "x.csv")
    assert spectrum.photon_energy_eV == pytest.approx(1486.6)
    assert len(spectrum.intensity) == 2048 and (spectrum.intensity == np.floor(spectrum.intensity)).all()


def test_the_same_noise_for_the_same_seed(tmp_path: Path):
    spectra = [
        json.loads(xpshpc("simulate", "Ag", "--noise", "--seed", seed, "--json", folder=tmp_path).stdout)["intensity"]
        for seed in ("1", "1", "2")
    ]
    assert spectra[0] == spectra[1] != spectra[2]


def test_settings_reach_the_instrument(tmp_path: Path):
    told = xpshpc(
        "simulate", "Mg", "--set", "spectra.instrument.source=MgKa",
        "--set", "spectra.instrument.window_eV=[300, 1253]", "--json", folder=tmp_path,
    )  # fmt: skip
    answer = json.loads(told.stdout)
    assert answer["photon_energy_eV"] == pytest.approx(1253.6)
    assert answer["kinetic_energy_eV"][0] == 300.0
