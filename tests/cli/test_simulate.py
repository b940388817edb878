"""`xpshpc simulate` shows one spectrum, in numbers, lines and a figure; layers, files, and two simulators at once."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.cli.test_errors import xpshpc

pytestmark = pytest.mark.programs

SESSA = Path(sys.executable).with_name("xpshpc-sessa")


def test_json_holds_the_spectrum_and_everything_behind_its_lines(tmp_path: Path):
    told = xpshpc("simulate", "Cu2O", "--overlayer", "12", "--json", folder=tmp_path)
    assert told.returncode == 0, told.stderr
    answer = json.loads(told.stdout)
    assert len(answer["kinetic_energy_eV"]) == len(answer["intensity"]) == len(answer["binding_energy_eV"]) == 2048
    keys = {
        "element", "orbital", "kinetic_energy_eV", "binding_energy_eV", "cross_section_barn", "asymmetry", "imfp_A",
        "transport_mfp_A", "intensity", "state", "layer", "material", "effective_asymmetry", "attenuation_length_A",
        "albedo", "escape_factor",
    }  # fmt: skip
    assert all(keys <= set(line) for line in answer["lines"])
    assert [line["intensity"] for line in answer["lines"]] == sorted(
        (line["intensity"] for line in answer["lines"]), reverse=True
    )
    strongest = next(line for line in answer["lines"] if line["orbital"][0].isdigit())
    assert (strongest["element"], strongest["orbital"]) == ("Cu", "2p3/2")
    top = answer["kinetic_energy_eV"][int(np.argmax(answer["intensity"]))]
    assert min(abs(line["kinetic_energy_eV"] - top) for line in answer["lines"][:3]) < 1.0
    assert {(line["layer"], line["material"]) for line in answer["lines"]} == {(1, "C5O"), (2, "Cu2O")}
    assert [layer["thickness_A"] for layer in answer["layers"]] == [12.0, None]
    assert answer["composition_at_percent"] == pytest.approx({"Cu": 200 / 3, "O": 100 / 3})


def test_layers_may_be_written_in_one_line_or_in_a_file(tmp_path: Path):
    (tmp_path / "oxide.toml").write_text(
        '[[layer]]\nmaterial = "SiO2"\nthickness_A = 25\n[[layer]]\nmaterial = "Si"\n', encoding="utf-8"
    )
    one, other = (
        json.loads(xpshpc("simulate", sample, "--json", folder=tmp_path).stdout)
        for sample in ("SiO2 | 25 Å; Si", "oxide.toml")
    )
    assert one["intensity"] == other["intensity"] and one["lines"] == other["lines"]
    assert {line["layer"] for line in one["lines"] if line["element"] == "Si"} == {1, 2}
    assert {line["layer"] for line in one["lines"] if line["element"] == "O"} == {1}


def test_files_are_written_and_the_table_reads_back_as_a_spectrum(tmp_path: Path):
    from xpshpc.spectra.measured import read_measured

    told = xpshpc(
        "simulate", "SiO2", "--plot", "x.png", "--output", "x.csv", "--noise", "--lines-output", "lines.csv",
        folder=tmp_path,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    (spectrum,) = read_measured(tmp_path / "x.csv")
    assert spectrum.photon_energy_eV == pytest.approx(1486.6)
    assert len(spectrum.intensity) == 2048 and (spectrum.intensity == np.floor(spectrum.intensity)).all()
    binding = np.loadtxt(tmp_path / "x.csv", delimiter=",", skiprows=2, usecols=2)
    np.testing.assert_allclose(binding, 1486.6 - spectrum.kinetic_energy_eV, atol=1e-4)
    with (tmp_path / "lines.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    strongest = max(rows, key=lambda row: float(row["intensity"]))
    assert (strongest["element"], strongest["orbital"]) == ("O", "1s")
    assert float(strongest["albedo"]) < 0.3 < float(strongest["escape_factor"]) < 1.0


def test_exported_lines_are_those_of_the_answer(tmp_path: Path):
    told = xpshpc("simulate", "Au", "--json", "--lines-output", "lines.json", folder=tmp_path)
    assert json.loads((tmp_path / "lines.json").read_bytes()) == json.loads(told.stdout)["lines"]


def test_every_quantity_behind_a_line_is_printed(tmp_path: Path):
    printed = xpshpc("simulate", "/Si[SiO2]/O2/ | 20 Å; Si", "--lines", folder=tmp_path).stdout
    header = next(line for line in printed.splitlines() if line.split()[:2] == ["line", "layer"])
    for title in ("KE eV", "BE eV", "σ barn", "β", "βeff", "λ Å", "λtr Å", "L Å", "Q", "intensity"):
        assert title in header
    assert "Si[SiO2] 2p3/2" in printed


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


def test_both_simulators_over_each_other(tmp_path: Path):
    """Behind the program that speaks SESSA's language stands the same physics, so both nearly agree: also on silicon
    that stands at two energies."""
    told = xpshpc(
        "simulate", "SiO2 | 25 Å | Si 4 eV; Si", "--engine", "both", "--sessa", SESSA, "--plot", "both.png",
        "--output", "x.csv", "--json", folder=tmp_path,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    answer = json.loads(told.stdout)
    compared = answer["comparison"]
    assert compared["rms_of_strongest"] < 0.02 and compared["scale"] == pytest.approx(1.0, abs=0.05)
    difference = np.array(compared["sessa_intensity"]) - np.array(answer["intensity"])
    assert compared["rms_counts"] == pytest.approx(np.sqrt(np.mean(difference**2)))
    assert (tmp_path / "both.png").read_bytes().startswith(b"\x89PNG")
    assert "sessa_counts" in (tmp_path / "x.csv").read_text(encoding="utf-8")


def test_a_sessa_that_fails_is_a_fault_of_the_machine(tmp_path: Path):
    program = tmp_path / "unlicensed"
    program.write_text('#!/bin/sh\nwhile read line; do echo "*** Error: no licence"; done\n')
    program.chmod(0o755)
    sessa = ["--engine", "sessa", "--sessa", "./unlicensed", "--set", "generate.source=sessa"]
    display = ["--set", "generate.sessa.display=none", "--set", "generate.sessa.executable=unlicensed"]
    told = xpshpc("simulate", "Cu", *sessa, *display, "--json", folder=tmp_path)
    assert told.returncode == 5 and "Traceback" not in told.stderr
    assert "no licence" in json.loads(told.stdout)["error"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["SiO2 | 25 Å; Si", "--density", "2.2"], "density of its own"),
        (["none.toml"], "none.toml"),
        (["SiO2 | thick; Si"], "thick"),
        (["Cu", "--engine", "sesam"], "unknown engine"),
        (["Cu", "--engine", "sessa"], "--sessa"),
        (["Cu", "--engine", "sessa", "--sessa", "/none/sessa"], "/none/sessa"),
        (["Cu", "--lines-output", "x.txt"], ".txt"),
    ],
)
def test_what_cannot_be_simulated_is_one_message(tmp_path: Path, arguments: list[str], says: str):
    told = xpshpc("simulate", *arguments, folder=tmp_path)
    assert told.returncode == 2 and "Traceback" not in told.stderr
    assert says in told.stderr
    assert list(tmp_path.iterdir()) == []
