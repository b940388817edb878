"""From measured file to composition, through a real Keras network whose answers are known beforehand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.spectra.analyze import analyze
from xpshpc.spectra.elements import ELEMENT_INDEX, ELEMENTS
from xpshpc.spectra.model_card import find_model

DATA = Path(__file__).parents[3] / "shared" / "data" / "xps"
AXIS = 400.0 + np.arange(2048) * (1486.0 - 400.0) / 2048
MAIN_LINES = {"Cu": 553.9, "Ni": 632.5, "O": 955.6, "C": 1201.8}
"""Kinetic energies of Cu 2p3/2, Ni 2p3/2, O 1s and C 1s under Al Kα, eV."""

THICKNESS_A = 7.25


def line_filter(energy: float) -> NDArray[np.float64]:
    """Weights that see a step of intensity at a line and nothing of a smooth background."""
    line = (np.abs(AXIS - energy) < 3.0).astype(float)
    beside = (np.abs(AXIS - energy - 12.0) < 3.0).astype(float)
    return line / line.sum() - beside / beside.sum()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory with a network that weighs four lines against one another; the thickness is a constant."""
    import keras

    kernel = np.zeros((2048, len(ELEMENTS)))
    bias = np.full(len(ELEMENTS), -60.0)
    for element, energy in MAIN_LINES.items():
        kernel[:, ELEMENT_INDEX[element]] = 12.0 * line_filter(energy)
        bias[ELEMENT_INDEX[element]] = 0.0
    entry = keras.Input((2048,))
    shares = keras.layers.Dense(len(ELEMENTS), activation="softmax", name="composition")
    depth = keras.layers.Dense(1, name="overlayer_thickness")
    network = keras.Model(entry, {"composition": shares(entry), "overlayer_thickness": depth(entry)})
    shares.set_weights([kernel, bias])
    depth.set_weights([np.zeros((2048, 1)), np.array([THICKNESS_A])])
    folder = tmp_path_factory.mktemp("run")
    (folder / "train").mkdir()
    network.save(folder / "train" / "model.keras")
    write_card(folder)
    return folder


def write_card(run: Path, **changed: object) -> None:
    card = {
        "kinetic_energy_eV": AXIS.tolist(),
        "elements": list(ELEMENTS),
        "photon_energy_eV": 1486.6,
        "science": "xps",
    }
    (run / "train" / "model.json").write_text(json.dumps({**card, **changed}))


def survey(path: Path, element: str, *, head: str = "# hv=1486.6\n# kinetic energy,counts\n", low: float = 380) -> Path:
    energy = np.arange(low, 1490.0, 0.4)
    counts = 4000 * np.exp(-(((energy - MAIN_LINES[element]) / 1.5) ** 2)) + 600
    path.write_text(head + "".join(f"{e:.2f},{c:.3f}\n" for e, c in zip(energy, counts, strict=True)))
    return path


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
