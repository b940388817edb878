"""The program that speaks SESSA's language: a console's manners, the session files of SESSA, the files it writes."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from xpshpc.spectra.sessa.emulator.faults import Faults
from xpshpc.spectra.sessa.emulator.program import Console
from xpshpc.spectra.sessa.output_files import read_parameters, read_peaks
from xpshpc.spectra.sessa.spectrum_files import RegionSpectrum, read_spc

REFERENCE = Path(__file__).parents[4] / "shared" / "data" / "xps" / "sessa_reference"
EMULATOR = Path(sys.executable).with_name("xpshpc-sessa")
STEPS = ("00", "08", "14", "17", "24")

needs_reference = pytest.mark.skipif(not REFERENCE.is_dir(), reason=f"no session files of SESSA in {REFERENCE}")


def play(*lines: str) -> tuple[Console, list[str]]:
    out = io.StringIO()
    console = Console(out)
    console.play(lines)
    return console, [line for line in out.getvalue().splitlines() if line != "working"]


def peaks_of(*lines: str) -> list[str]:
    said = play(*lines, "\\SAMPLE PEAK LIST")[1]
    return [" ".join(line.split()[1:3]) for line in said if line.split()[0].isdigit()]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_command_is_answered_and_errors_do_not_end_the_session() -> None:
    console, said = play(
        "\\PROJECT RESET",
        "\\NONSENSE",
        "-- remark",
        "",
        '\\MODEL SAVE SPECTRA "x"',
        "\\MODEL SET SE on",
        "\\MODEL SET SE true",
    )
    assert [line.partition(":")[0] for line in said] == [
        "project reset", "Done", "*** Error", "*** Error", "*** Error", "surface excitations on", "Done",
    ]  # fmt: skip
    assert console.errors == 3


def test_nothing_is_done_after_quit() -> None:
    assert play("QUIT", "\\PROJECT RESET")[1] == []


def test_a_failed_command_leaves_the_sample_as_it_was() -> None:
    good = ("\\SAMPLE SET MATERIAL /Cu/ LAYER 1", "\\SAMPLE ADD LAYER /C5/O/ THICKNESS 10 ABOVE 0")
    bad = ("\\SAMPLE SET MATERIAL /Xx/ LAYER 1", "\\SAMPLE SET THICKNESS -3 LAYER 1", "\\SAMPLE SET DENSITY 2 LAYER 3",
           "\\SAMPLE ADD LAYER /C/ ABOVE 9", "\\SAMPLE DELETE LAYER 0")  # fmt: skip
    console, _ = play(*good, *bad)
    assert console.errors == len(bad)
    assert console._project.layers == play(*good)[0]._project.layers


@pytest.mark.parametrize(
    "slip",
    [
        "\\SPECTROMETER SET RANGE 400:2e9 REGION 1",
        "\\SAMPLE PEAK SET CHEMSHIFT VALUE -1e9 PEAK 1",
        "\\SAMPLE SET DENSITY 2.33 LAYER 1",
        "\\SAMPLE SET EGAP 1e308 LAYER 1",
    ],
)
def test_slips_of_many_digits_are_errors(slip: str) -> None:
    """They would take all memory, or make a spectrum of nothing: 2.33 is a density of atoms for each cm³ here."""
    lines = ("\\SAMPLE SET MATERIAL /Si/ LAYER 1", "\\SPECTROMETER SET RANGE 1370:1400 REGION 1")
    console, said = play(*lines, slip, "\\MODEL SIMULATE")
    assert console.errors == 1 and "try:" not in " ".join(said)


def test_peaks_are_those_of_the_regions_and_numbers_close_up_when_one_is_deleted() -> None:
    setup = ("\\SAMPLE SET MATERIAL /Si[SiO2]/O2/ LAYER 1", "\\SPECTROMETER SET RANGE 1370:1398 REGION 1")
    assert peaks_of(*setup) == ["Si[SiO2] 2p1/2", "Si[SiO2] 2p3/2"]
    assert peaks_of(*setup, "\\SAMPLE PEAK DELETE PEAK 1") == ["Si[SiO2] 2p3/2"]
    assert peaks_of(*setup, "\\SPECTROMETER ADD REGION RANGE 940:960")[0] == "O 1s"


def test_a_shift_to_higher_binding_energy_lowers_the_kinetic_energy(here: Path) -> None:
    setup = ("\\SAMPLE SET MATERIAL /Al/ LAYER 1", "\\SPECTROMETER SET RANGE 1400:1425 REGION 1")
    shifted = [f"\\SAMPLE PEAK SET CHEMSHIFT VALUE 2.5 PEAK {number}" for number in (1, 2)]
    play(*setup, '\\PROJECT SAVE OUTPUT "a"', *shifted, '\\PROJECT SAVE OUTPUT "b"',
         "\\MODEL SIMULATE", '\\MODEL SAVE SPECTRA "b"', "\\SAMPLE RESET", setup[0], "\\MODEL SIMULATE",
         '\\MODEL SAVE SPECTRA "a"')  # fmt: skip
    before, after = read_peaks(here / "asam_peak.txt"), read_peaks(here / "bsam_peak.txt")
    assert [peak.orbital for peak in before] == ["2p1/2", "2p3/2"]
    for old, new in zip(before, after, strict=True):
        assert new.kinetic_energy_eV == pytest.approx(old.kinetic_energy_eV - 2.5, abs=1e-3)
    region = (1400.0, 1425.0)
    tops = [float(s.energy_eV[s.intensity.argmax()]) for s in (read_spc(here / f"{n}reg1.spc", region) for n in "ab")]
    assert tops[1] - tops[0] == pytest.approx(-2.5, abs=0.05)


def test_a_region_without_losses_holds_the_listed_intensities(here: Path) -> None:
    play("\\SOURCE SET PHOTONS ENERGY 1486.6", "\\SAMPLE SET MATERIAL /Al/ LAYER 1",
         "\\SPECTROMETER SET RANGE 1380:1440 REGION 1", "\\MODEL SIMULATE", '\\MODEL SAVE SPECTRA "all"',
         "\\MODEL SET NCOL 0 REGION 1",
         "\\MODEL SIMULATE", '\\MODEL SAVE SPECTRA "none"', '\\MODEL SAVE INTENSITIES "lines.txt"')  # fmt: skip
    full, zero = (read_spc(here / f"{name}reg1.spc", (1380.0, 1440.0)) for name in ("all", "none"))
    assert (full.intensity >= 0.999 * zero.intensity - 1e-6 * zero.intensity.max()).all()
    listed = np.array([line.split("\t")[3:] for line in (here / "lines.txt").read_text().splitlines()[1:]], dtype=float)
    inside = (listed[:, 0] > 1400.0) & (listed[:, 0] < 1425.0)
    assert area(zero) == pytest.approx(listed[inside, 1].sum(), rel=0.05)


def area(spectrum: RegionSpectrum) -> float:
    return float(spectrum.intensity.sum() * (spectrum.energy_eV[1] - spectrum.energy_eV[0]))


def test_the_interaction_parameters_of_gold(here: Path) -> None:
    """By the formula of Jablonski, Tanuma and Powell (2023) gold has 13.42 Å at 1000 eV, and more at 1400 eV."""
    play("\\PREFERENCES SET DENSITY_SCALE MASS", "\\SAMPLE SET MATERIAL /Au/ LAYER 1",
         "\\SAMPLE SET DENSITY 19.3 LAYER 1", "\\SPECTROMETER SET RANGE 1380:1410 REGION 1",
         '\\PROJECT SAVE OUTPUT "P"')  # fmt: skip
    peaks, rows = read_peaks(here / "Psam_peak.txt"), read_parameters(here / "Psam_par.txt")
    assert [peak.orbital for peak in peaks] == ["4f5/2", "4f7/2"]
    assert [row.peak_id for row in rows] == ["au4f5", "au4f7"]
    assert all(15.0 < row.imfp_A < 20.0 < row.trmfp_A for row in rows)


def test_sessions_load_one_another_beside_themselves_and_not_for_ever(here: Path) -> None:
    (here / "inner").mkdir()
    (here / "inner" / "a.ses").write_text('PROJECT LOAD SESSION "b.ses"\n')
    (here / "inner" / "b.ses").write_text("\\MODEL SET SE true\n")
    (here / "loop.ses").write_text('PROJECT LOAD SESSION "loop.ses"\n')
    _, said = play('PROJECT LOAD SESSION "inner\\a.ses"')
    assert said == ["surface excitations on", "Done", "Done", "Done"]
    assert play('PROJECT LOAD SESSION "loop.ses"')[0].errors == 1
    assert play('PROJECT LOAD SESSION "missing.ses"')[0].errors == 1


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The session files of the reference, played by the program; the folder, and what it said."""
    if not REFERENCE.is_dir():
        pytest.skip(f"no session files of SESSA in {REFERENCE}")
    folder = tmp_path_factory.mktemp("replay")
    for session in REFERENCE.glob("*.ses"):
        shutil.copy(session, folder)
    command = [str(EMULATOR), "-s", "refSpectra_Si0.1Ni0.9.ses"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


def test_the_session_files_of_sessa_are_replayed(replay: tuple[Path, str]) -> None:
    """The same files in the same form: energies and header are the real program's, but for its reference."""
    folder, said = replay
    assert "*** Error" not in said
    for name in (f"{line}-{step}.dat" for line in ("Si", "Nb") for step in STEPS):
        real, made = (path.read_bytes().split(b"\r\n") for path in (REFERENCE / name, folder / "out" / name))
        assert len(made) == len(real)
        for there, here in zip(real[:10], made[:10], strict=True):
            assert here == there or there.startswith((b"# Reference", b"# Remarks"))
        assert [row.split(b"\t")[0] for row in made[10:]] == [row.split(b"\t")[0] for row in real[10:]]
        assert [row.count(b"\t") for row in made[10:]] == [row.count(b"\t") for row in real[10:]]


def test_the_peaks_of_the_session_are_sessas(replay: tuple[Path, str]) -> None:
    """The session deletes one line of each of seven doublets by number, and names what it takes the others for."""
    _, said = replay
    kept = [line for line in said.splitlines() if line.startswith("*** Warning")]
    named = [line.partition("; peak ")[2].removesuffix(" keeps its own shape") for line in kept]
    silicon = [f"Si{state} 2p3/2" for state in ("[SIO2]", "", "[X]", "[SI2O3]", "[SI2O]")]
    assert named == [*silicon, "Nb 3d5/2", "Nb[X] 3d5/2"]


def test_a_script_of_faults_counts_over_all_processes(tmp_path: Path) -> None:
    script = tmp_path / "faults.toml"
    script.write_text(
        '[[fault]]\nsimulation = 2\nattempt = 2\nbehaviour = "error"\n[[fault]]\ncommand = 3\nbehaviour = "silent"\n'
    )
    struck = [Faults(script).at_simulation(sample) for sample in ("a", "b", "a", "b", "b")]
    assert [len(faults) for faults in struck] == [0, 0, 0, 1, 0]
    assert [len(Faults(script).at_command()) for _ in range(4)] == [0, 0, 1, 0]
