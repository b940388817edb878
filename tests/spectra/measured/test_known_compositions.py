"""A table of known compositions: what may stand in it, and which line is named where it cannot be taken."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpshpc.errors import UsageError
from xpshpc.spectra.measured.known_compositions import read_composition, read_known_compositions


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deep").mkdir()
    for name in ("a.csv", "b, c.csv", "deep/d.vms"):
        (tmp_path / name).touch()
    return tmp_path


def write(folder: Path, text: str) -> Path:
    table = folder / "known.csv"
    table.write_text(text, encoding="utf-8")
    return table


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_rows_are_taken_in_order_from_the_table_s_own_folder(folder: Path, delimiter: str) -> None:
    rows = [
        ("# measured", "in May"),
        ("composition", "file", "name"),
        ("Cu2O", "a.csv", ""),
        ("Fe=70 Ni=30", '"b, c.csv"', "a block"),
        ("SiO2", "deep/d.vms", '"Si, oxide"'),
    ]
    table = write(folder, "\n\n".join(delimiter.join(row) for row in rows) + "\n")
    found = read_known_compositions(table)
    assert [(one.file, one.name) for one in found] == [
        (folder / "a.csv", ""),
        (folder / "b, c.csv", "a block"),
        (folder / "deep/d.vms", "Si, oxide"),
    ]
    assert found[0].fractions == pytest.approx({"O": 1 / 3, "Cu": 2 / 3})
    assert found[1].fractions == pytest.approx({"Fe": 0.7, "Ni": 0.3})
    assert found[2].place == f"{table}, line 9"


@given(st.dictionaries(st.sampled_from(["C", "O", "Si", "Fe", "Cu", "Bi"]), st.integers(1, 60), min_size=1))
def test_fractions_sum_to_one_in_the_proportions_that_are_written(amounts: dict[str, int]) -> None:
    total = sum(amounts.values())
    formula = read_composition("".join(f"{element}{amount}" for element, amount in amounts.items()))
    percent = read_composition(" ".join(f"{element}={100 * n / total:.4f}" for element, n in amounts.items()))
    for fractions in (formula, percent):
        assert sum(fractions.values()) == pytest.approx(1)
        assert fractions == pytest.approx({element: n / total for element, n in amounts.items()}, abs=1e-4)


def test_hydrogen_is_not_counted_and_absent_elements_are_not_there() -> None:
    assert read_composition("Ca(OH)2") == pytest.approx({"O": 2 / 3, "Ca": 1 / 3})
    assert read_composition("Cu=66.6, O=33.3; Zn=0") == pytest.approx({"Cu": 2 / 3, "O": 1 / 3})


BAD_TABLES = {
    "# nothing\n": (None, "the table is empty"),
    "file,composition\n": (None, "no rows"),
    "file,compositon\na.csv,Cu\n": (1, "unknown column 'compositon' .did you mean 'composition'"),
    "file\na.csv\n": (1, "column 'composition' is missing"),
    "file,file,composition\n": (1, "stands twice"),
    "file,composition\na.csv,Cu\ngone.csv,Cu\n": (3, "no such file"),
    "file,composition\n,Cu\n": (2, "no file is named"),
    "file,composition\na.csv,Cu,O\n": (2, "3 cells under 2 columns"),
    'file,composition\n"a.csv,Cu\n': (2, "cannot be taken apart"),
    "file,composition\na.csv,Cx2O\n": (2, "Cx"),
    "file,composition\na.csv,\n": (2, "empty"),
    "file,composition\na.csv,Cu=50 O=30\n": (2, "add up to 80"),
    "file,composition\na.csv,Cu=50 O\n": (2, "'O' is not ELEMENT=AT.%"),
    "file,composition\na.csv,Cu=50 Cu=50\n": (2, "Cu stands twice"),
    "file,composition\na.csv,H=50 O=50\n": (2, "does not see H"),
    "file,composition\na.csv,Qq=50 O=50\n": (2, "unknown element 'Qq'"),
    "file,composition\n\na.csv,Cu\na.csv,CuO\n": (4, "the same spectrum as in .*line 3"),
}


@pytest.mark.parametrize("text", BAD_TABLES)
def test_a_bad_table_is_refused_by_its_line(folder: Path, text: str) -> None:
    line, what = BAD_TABLES[text]
    table = write(folder, text)
    with pytest.raises(UsageError, match=what) as caught:
        read_known_compositions(table)
    where = str(table) if line is None else f"{table}, line {line}"
    assert caught.value.where.startswith(where)
    if "a.csv,C" in text and "composition" in caught.value.where:
        assert "a.csv" in caught.value.where
