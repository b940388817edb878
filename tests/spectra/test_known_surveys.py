"""A network judged on measured spectra of known composition: nothing is asked before every row has been read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.spectra.line_network import CALIBRATION, DATA, save_network, survey, write_card
from xpshpc.errors import UsageError
from xpshpc.spectra.elements import ELEMENTS
from xpshpc.spectra.known_surveys import judge_known_surveys, read_known_surveys
from xpshpc.spectra.model_card import find_model

pytestmark = pytest.mark.networks


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    save_network(folder, spread=True)
    write_card(folder, calibration=CALIBRATION)
    return folder


def judged(run: Path, table: Path) -> dict:
    card = find_model(run)
    told = judge_known_surveys(read_known_surveys(table, card), card).as_json()
    return json.loads(json.dumps(told))


def test_scores_are_those_of_what_analysis_says(run: Path, tmp_path: Path) -> None:
    for element in ("Cu", "Ni"):
        survey(tmp_path / f"{element}.csv", element)
    table = tmp_path / "known.csv"
    table.write_text("file,composition\nCu.csv,Cu\nNi.csv,O=60 Cr=40\n")
    told = judged(run, table)
    right, wrong = told["spectra"]
    said = right["composition_at_percent"]
    assert right["known_at_percent"] == {"Cu": 100.0} and wrong["known_at_percent"] == {"O": 60.0, "Cr": 40.0}
    assert right["accuracy"] == pytest.approx(said["Cu"] / 100, abs=1e-4)
    errors = np.array([said["Cu"] - 100, *(share for element, share in said.items() if element != "Cu")])
    assert right["rmse"] == pytest.approx(np.sqrt((errors**2).sum() / len(ELEMENTS)) / 100, rel=1e-2)
    assert (right["missed"], right["wrongly_named"]) == ([], [])
    said = wrong["composition_at_percent"]
    assert wrong["missed"] == [element for element in ("O", "Cr") if said.get(element, 0) < 1] and "Cr" not in said
    assert wrong["wrongly_named"] == ["Ni"] and "Ni" in wrong["outside"]
    assert told["element_set"] == {"correct": 0.5} and told["samples"] == 2
    assert told["accuracy"] == pytest.approx((right["accuracy"] + wrong["accuracy"]) / 2)
    stated = sum(len(one["uncertainty_at_percent"]) for one in told["spectra"])
    held = stated - sum(len(one["outside"]) for one in told["spectra"])
    assert told["coverage"] == {"stated": 0.9, "measured": held / stated, "n": stated}
    for one in told["spectra"]:
        for element, (low, high) in one["interval_at_percent"].items():
            known = one["known_at_percent"].get(element, 0.0)
            assert (element in one["outside"]) == (not low <= known <= high)


def test_without_a_calibration_no_coverage_is_told(tmp_path: Path) -> None:
    save_network(tmp_path)
    write_card(tmp_path, calibration=CALIBRATION)
    survey(tmp_path / "C.csv", "C")
    (tmp_path / "known.csv").write_text("file,composition\nC.csv,C\n")
    told = judged(tmp_path, tmp_path / "known.csv")
    assert told["coverage"] is None and told["spectra"][0]["outside"] == [] and told["accuracy"] > 0.9


BAD_ROWS = {
    "not a spectrum": ("file,composition\ngood.csv,Cu\nbad.csv,Cu\n", "bad.csv"),
    "another source": ("file,composition\ngood.csv,Cu\nother.csv,Cu\n", "other.csv"),
    "no such spectrum": ("file,name,composition\ngood.csv,,Cu\ngood.csv,survey 3,CuO\n", "good.csv"),
    "unknown to the network": ("file,composition\ngood.csv,Cu\nalso.csv,Bi2O3\n", "also.csv"),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_a_bad_row_stops_everything_before_tensorflow_is_loaded(run: Path, tmp_path: Path, case: str) -> None:
    for name in ("good.csv", "also.csv"):
        survey(tmp_path / name, "Cu")
    (tmp_path / "bad.csv").write_text("kinetic energy,counts\n1,2\n")
    text = "".join(f"{1253.6 - e:.2f},{500 + e % 7}\n" for e in np.arange(200.0, 1250.0, 1.0))
    (tmp_path / "other.csv").write_text("# hv=1253.6\n# binding energy,counts\n" + text)
    table = tmp_path / "known.csv"
    text, file = BAD_ROWS[case]
    table.write_text(text)
    program = (
        "import sys, pathlib, dataclasses\n"
        "from xpshpc.errors import UsageError\n"
        "from xpshpc.spectra.known_surveys import read_known_surveys\n"
        "from xpshpc.spectra.model_card import find_model\n"
        "card = dataclasses.replace(find_model(pathlib.Path(sys.argv[1])), elements=('O', 'Cu'))\n"
        "try:\n"
        "    read_known_surveys(pathlib.Path(sys.argv[2]), card)\n"
        "except UsageError as error:\n"
        "    print(error.where)\n"
        "print('loaded:', sorted({'tensorflow', 'keras'} & set(sys.modules)))\n"
    )
    arguments = [sys.executable, "-c", program, str(run), str(table)]
    where, loaded = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.splitlines()
    assert where.startswith(f"{table}, line 3") and file in where
    assert loaded == "loaded: []"


@pytest.mark.skipif(not DATA.is_dir(), reason=f"the measured surveys are not here ({DATA})")
def test_measured_metals_and_oxides_are_found_by_file_and_by_name(run: Path, tmp_path: Path) -> None:
    """The blocks of a VAMAS file and a table of one of them; the compositions are those of the reference samples."""
    table = tmp_path / "known.csv"
    table.write_text(
        "file;name;composition\n"
        f"{DATA / 'surveys/xpsdl_Cu_references_3_Cumetal.csv'};;Cu\n"
        f"{DATA / 'vamas/Cu_references.vms'};Cu metal, Survey;Cu\n"
        f"{DATA / 'vamas/Cu_references.vms'};CuO, Survey;CuO\n"
        f"{DATA / 'surveys/xpsdl_Ni_references_2_NiO.csv'};;Ni=50 O=50\n"
    )
    told = judged(run, table)
    metal, same, oxide, nickel = told["spectra"]
    assert metal["accuracy"] == pytest.approx(same["accuracy"], abs=1e-6) and metal["accuracy"] > 0.5
    assert oxide["known_at_percent"] == {"O": 50.0, "Cu": 50.0}
    assert nickel["missed"] == []
    with pytest.raises(UsageError, match="which one") as caught:
        table.write_text(f"file,composition\n{DATA / 'vamas/Cu_references.vms'},Cu\n")
        read_known_surveys(table, find_model(run))
    assert caught.value.try_ is not None and "CuO, Survey" in caught.value.try_
