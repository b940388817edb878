"""From measured file to composition, through a real Keras network whose answers are known beforehand."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.spectra.line_network import (
    AXIS,
    CALIBRATION,
    DATA,
    MAIN_LINES,
    SPREAD,
    THICKNESS_A,
    model_hash,
    save_network,
    survey,
    write_card,
)
from xpshpc.errors import UsageError
from xpshpc.spectra.analyze import analyze
from xpshpc.spectra.elements import ELEMENTS
from xpshpc.spectra.model_card import find_model

pytestmark = pytest.mark.networks


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a network that claims nothing of its errors, as its card."""
    folder = tmp_path_factory.mktemp("run")
    save_network(folder)
    write_card(folder)
    return folder


@pytest.fixture
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose network tells its errors, and whose card tells what that is worth."""
    folder = tmp_path_factory.mktemp("calibrated")
    save_network(folder, spread=True, sees_area=True)
    write_card(folder, sha256=model_hash(folder), calibration=CALIBRATION, task={"input": "area"})
    return folder


def test_line_in_the_file_becomes_the_element_in_the_answer(run: Path, tmp_path: Path) -> None:
    files = [survey(tmp_path / f"{element}.csv", element) for element in MAIN_LINES]
    analysis = analyze(files, run, plot_directory=tmp_path / "figures")
    assert analysis.model == run / "train" / "model.keras"
    assert [one.file for one in analysis.spectra] == files
    for one, element in zip(analysis.spectra, MAIN_LINES, strict=True):
        shares = list(one.composition_at_percent.values())
        assert next(iter(one.composition_at_percent)) == element
        assert shares[0] > 90
        assert shares == sorted(shares, reverse=True)
        assert min(shares) >= 0.1
        assert sum(shares) + one.rest_at_percent == pytest.approx(100, abs=0.3)
        assert one.overlayer_A == pytest.approx(THICKNESS_A, abs=0.01)
        assert one.plot is not None
        assert f"{element} {shares[0]:.1f} at.%" in one.plot.read_text()
    assert len({one.plot for one in analysis.spectra}) == len(files)
    assert json.loads(json.dumps(analysis.as_json()))["spectra"][0]["composition_at_percent"]["Cu"] > 90


def test_an_interval_is_the_calibrated_multiple_of_what_the_network_expects(calibrated: Path, tmp_path: Path) -> None:
    analysis = analyze([survey(tmp_path / "s.csv", "Cu"), survey(tmp_path / "t.csv", "O")], calibrated)
    for one in analysis.spectra:
        found = one.composition_at_percent
        assert set(one.uncertainty_at_percent) == {element for element, share in found.items() if share >= 0.5}
        for element, half in one.uncertainty_at_percent.items():
            factor = CALIBRATION["factors"][np.searchsorted([0.1, 0.5, 2, 10, 40], found[element])][2]
            exact = 100 * factor * (SPREAD + CALIBRATION["floor"])
            assert exact - 1e-5 <= half <= exact + 0.01 + 1e-5
            low, high = one.interval_at_percent[element]
            assert low == pytest.approx(max(found[element] - half, 0), abs=0.006)
            assert high == pytest.approx(min(found[element] + half, 100), abs=0.006)
    told = json.loads(json.dumps(analysis.as_json()))
    assert told["spectra"][0]["uncertainty_at_percent"]["Cu"] == pytest.approx(3.54, abs=0.011)
    assert told["coverage"] == {"stated": 0.9, "measured": None}


def test_the_network_sees_spectra_as_its_card_says(calibrated: Path, tmp_path: Path) -> None:
    """This one answers the mean of its input, which is 1 for spectra that are divided by their area."""
    (one,) = analyze([survey(tmp_path / "s.csv", "Ni")], calibrated).spectra
    assert one.overlayer_A == pytest.approx(1.0, abs=0.005)
    write_card(calibrated)
    (other,) = analyze([survey(tmp_path / "s.csv", "Ni")], calibrated).spectra
    assert other.overlayer_A < 0.5


def test_nothing_is_claimed_without_a_spread_or_a_calibration(run: Path, calibrated: Path, tmp_path: Path) -> None:
    file = survey(tmp_path / "s.csv", "Cu")
    write_card(calibrated, task={"input": "area"})
    write_card(run, calibration=CALIBRATION)
    try:
        for folder in (run, calibrated):
            analysis = analyze([file], folder)
            assert analysis.coverage is None
            assert analysis.spectra[0].as_json()["uncertainty_at_percent"] == {}
    finally:
        write_card(run)


def test_the_measured_coverage_is_that_of_this_very_model(calibrated: Path, tmp_path: Path) -> None:
    file = survey(tmp_path / "s.csv", "Cu")
    (calibrated / "evaluate").mkdir()

    def evaluated(model: str, named: list[float | None]) -> float | None:
        metrics = {
            "question": {"model_sha256": model},
            "calibration": {"levels": [0.5, 0.68, 0.9, 0.95], "coverage": {"named": named}},
        }
        (calibrated / "evaluate" / "metrics.json").write_text(json.dumps(metrics))
        coverage = analyze([file], calibrated).coverage
        assert coverage is not None and coverage.stated == 0.9
        return coverage.measured

    assert evaluated(model_hash(calibrated), [0.51, 0.69, 0.897, 0.96]) == 0.897
    assert evaluated("0" * 64, [0.51, 0.69, 0.897, 0.96]) is None
    assert evaluated(model_hash(calibrated), [None] * 4) is None


def test_the_table_has_a_line_for_each_element(calibrated: Path, tmp_path: Path) -> None:
    files = [survey(tmp_path / f"{element}, first.csv", element) for element in ("Cu", "C")]
    analysis = analyze(files, calibrated)
    analysis.write_csv(tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="", encoding="utf-8") as table:
        lines = list(csv.DictReader(table))
    assert len(lines) == sum(len(one.composition_at_percent) for one in analysis.spectra)
    for line in lines:
        one = next(one for one in analysis.spectra if str(one.file) == line["file"])
        assert float(line["at_percent"]) == one.composition_at_percent[line["element"]]
        half = one.uncertainty_at_percent.get(line["element"])
        assert line["uncertainty_at_percent"] == ("" if half is None else str(half))
        assert (line["low_at_percent"] == "") == (half is None)


def test_binding_and_kinetic_file_of_one_spectrum_get_one_answer(run: Path, tmp_path: Path) -> None:
    kinetic = survey(tmp_path / "kinetic.csv", "Ni")
    rows = [line.split(",") for line in kinetic.read_text().split("\n")[2:-1]]
    text = "".join(f"{1486.6 - float(e):.2f};{float(c):.3f}\n".replace(".", ",") for e, c in rows)
    binding = tmp_path / "binding.txt"
    binding.write_text(text)
    (one,) = analyze([kinetic], run / "train" / "model.keras").spectra
    (other,) = analyze([binding], run, scale="binding", photon_energy_eV=1486.6).spectra
    assert one.composition_at_percent == pytest.approx(other.composition_at_percent, abs=0.02)


def test_charge_shift_puts_a_moved_line_back(run: Path, tmp_path: Path) -> None:
    moved = survey(tmp_path / "moved.csv", "Cu")
    rows = [line.split(",") for line in moved.read_text().split("\n")[2:-1]]
    text = "".join(f"{float(e) - 8:.2f},{c}\n" for e, c in rows)
    moved.write_text("# kinetic energy,counts\n" + text)
    (lost,) = analyze([moved], run).spectra
    (found,) = analyze([moved], run, charge_shift_eV=-8.0).spectra
    assert found.composition_at_percent["Cu"] > 90 > lost.composition_at_percent["Cu"]
    assert any("-8 eV" in remark for remark in found.remarks)
    assert any("photon energy not stated" in remark for remark in found.remarks)


def test_files_of_one_name_get_figures_of_their_own(run: Path, tmp_path: Path) -> None:
    files = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        files.append(survey(tmp_path / folder / "survey ../x.csv".replace("../", ""), "Cu"))
    analysis = analyze(files, run, plot_directory=tmp_path / "figures", plot_suffix=".png")
    plots = [one.plot for one in analysis.spectra]
    assert len(set(plots)) == 2
    assert all(plot is not None and plot.parent == tmp_path / "figures" and plot.is_file() for plot in plots)


REFUSALS = {
    "another source": ("# hv=1253.6\n# binding energy,counts\n", 380.0, "1253.6 eV photons"),
    "window": ("# hv=1486.6\n# kinetic energy,counts\n", 500.0, "of it is missing"),
    "scale": ("", 380.0, "nothing tells whether"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_one_bad_file_stops_everything_before_tensorflow_is_loaded(run: Path, tmp_path: Path, case: str) -> None:
    head, low, what = REFUSALS[case]
    good, bad = survey(tmp_path / "good.csv", "Cu"), survey(tmp_path / "bad.csv", "Cu", head=head, low=low)
    if case == "another source":
        bad.write_text(head + "".join(f"{1253.6 - e:.2f},{500 + e % 7}\n" for e in np.arange(200.0, 1250.0, 1.0)))
    program = (
        "import sys, pathlib\n"
        "from xpshpc.errors import UsageError\n"
        "from xpshpc.spectra.analyze import analyze\n"
        "good, bad, run, plots = map(pathlib.Path, sys.argv[1:])\n"
        "try:\n"
        "    analyze([good, bad], run, plot_directory=plots)\n"
        "except UsageError as error:\n"
        "    print(error)\n"
        "print('loaded:', sorted({'tensorflow', 'keras', 'matplotlib'} & set(sys.modules)))\n"
    )
    plots = tmp_path / "figures"
    arguments = [sys.executable, "-c", program, str(good), str(bad), str(run), str(plots)]
    answer = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout
    assert what in answer
    assert str(bad) in answer
    assert "loaded: []" in answer
    assert not plots.exists()


def refused(run: Path, file: Path) -> UsageError:
    with pytest.raises(UsageError) as caught:
        analyze([file], run)
    return caught.value


def test_model_that_is_missing_or_does_not_fit_is_refused(run: Path, tmp_path: Path) -> None:
    file = survey(tmp_path / "s.csv", "Cu")
    card = run / "train" / "model.json"
    assert "no trained model" in refused(tmp_path, file).what
    assert "no Keras model" in refused(file, file).what
    saved = card.read_text()
    try:
        for changed, what in (
            ({"kinetic_energy_eV": (AXIS / 2).tolist()}, "of it is missing"),
            ({"kinetic_energy_eV": AXIS[:1000].tolist()}, "channels"),
            ({"kinetic_energy_eV": AXIS[::-1].tolist()}, "not ascending"),
            ({"kinetic_energy_eV": "400:1486"}, "damaged"),
            ({"elements": ELEMENTS[:-1]}, "names 80 elements, its card 79"),
            ({"elements": ["Xx", *ELEMENTS[1:]]}, "elements are wrong"),
            ({"photon_energy_eV": 1253.6}, "1253.6 eV"),
            ({"task": {"input": "upside_down"}}, "task is wrong"),
            ({"calibration": {**CALIBRATION, "factors": [[1.0]]}}, "calibration is damaged"),
        ):
            write_card(run, **changed)
            assert what in refused(run, file).what, changed
        card.write_text("{")
        assert "damaged" in refused(run, file).what
        card.unlink()
        assert "card is missing" in refused(run, file).what
    finally:
        card.write_text(saved)
    assert find_model(run).elements == ELEMENTS


def test_damaged_network_is_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    whole = (run / "train" / "model.keras").read_bytes()
    middle = len(whole) // 2
    (tmp_path / "train" / "model.keras").write_bytes(whole[:middle] + b"\xff" * 500 + whole[middle + 500 :])
    write_card(tmp_path)
    error = refused(tmp_path, survey(tmp_path / "s.csv", "Cu"))
    assert "damaged" in error.what
    assert error.try_
    (tmp_path / "train" / "model.keras").write_bytes(whole)
    write_card(tmp_path, sha256="0" * 64)
    assert "not the model that its card" in refused(tmp_path, tmp_path / "s.csv").what


def test_no_files_and_senseless_shift_are_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no measured file"):
        analyze([], run)
    for shift in (float("nan"), 4000.0):
        with pytest.raises(UsageError, match="no charge shift"):
            analyze([survey(tmp_path / "s.csv", "Cu")], run, charge_shift_eV=shift)


@pytest.mark.skipif(not DATA.is_dir(), reason=f"the measured surveys are not here ({DATA})")
def test_measured_metals_are_told_apart(run: Path) -> None:
    surveys = ["surveys/xpsdl_Cu_references_3_Cumetal.csv", "vamas/Cu_references.vms"]
    copper = analyze([DATA / name for name in surveys], run).spectra
    assert [one.name for one in copper] == ["xpsdl_Cu_references_3_Cumetal", "Cu metal, Survey", "CuO, Survey"]
    assert all(next(iter(one.composition_at_percent)) == "Cu" for one in copper[:2])
    assert copper[0].composition_at_percent == copper[1].composition_at_percent
    assert any("18.9 eV above" in remark for remark in copper[0].remarks)
    (oxide,) = analyze([DATA / "surveys/xpsdl_Ni_references_2_NiO.csv"], run).spectra
    assert set(oxide.composition_at_percent) >= {"Ni", "O"}
    assert oxide.composition_at_percent.get("Cu", 0) < 5
