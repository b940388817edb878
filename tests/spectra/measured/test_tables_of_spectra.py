"""Text tables: any delimiter, decimal mark, encoding and heading that laboratories' exports have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xpshpc.errors import UsageError
from xpshpc.spectra.measured import MeasuredSpectrum, read_measured

ENERGY = 286.5 + 0.5 * np.arange(2400)
COUNTS = np.round(2000 + 1500 * np.sin(np.arange(2400) / 31) ** 2 * np.linspace(1, 0.1, 2400), 2)
HEADER = "kinetic energy (eV)"


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def table(delimiter: str, decimal: str, titles: tuple[str, ...], *columns: np.ndarray) -> str:
    rows = [delimiter.join(titles)] if titles else []
    rows += [delimiter.join(repr(float(x)).replace(".", decimal) for x in row) for row in zip(*columns, strict=True)]
    return "\n".join(rows) + "\n"


def only(path: Path, **told: object) -> MeasuredSpectrum:
    (found,) = read_measured(path, **told)  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
@pytest.mark.parametrize(
    ("delimiter", "decimal"),
    [(",", "."), (";", "."), (";", ","), ("\t", "."), ("\t", ","), (" ", "."), ("   ", ","), (", ", "."), ("; ", ",")],
)
def test_every_way_to_write_a_table_gives_the_same_numbers(
    tmp_path: Path, delimiter: str, decimal: str, encoding: str, newline: str
) -> None:
    titles = ("kinetic_energy_eV", "Zählrate") if delimiter.strip() else ()
    text = "# Prüfung, kinetic energy\n" + table(delimiter, decimal, titles, ENERGY, COUNTS)
    found = only(write(tmp_path / "s.csv", text.replace("\n", newline), encoding))
    np.testing.assert_array_equal(found.kinetic_energy_eV, ENERGY)
    np.testing.assert_array_equal(found.intensity, COUNTS)


@settings(max_examples=40)
@given(
    start=st.floats(100, 900),
    step=st.floats(0.05, 4.9),
    counts=st.lists(st.floats(0, 1e9), min_size=50, max_size=90).filter(lambda values: len(set(values)) > 1),
    dialect=st.sampled_from([(",", "."), (";", ","), ("\t", ","), ("\t", "."), (" ", "."), (" ", ",")]),
    falling=st.booleans(),
)
def test_round_trip_keeps_every_bit(
    tmp_path_factory: pytest.TempPathFactory,
    start: float,
    step: float,
    counts: list[float],
    dialect: tuple[str, str],
    falling: bool,
) -> None:
    energy = start + step * np.arange(len(counts))
    order = slice(None, None, -1 if falling else 1)
    text = "# kinetic energy\n" + table(*dialect, (), energy[order], np.array(counts)[order])
    found = only(write(tmp_path_factory.mktemp("table") / "s.txt", text))
    np.testing.assert_array_equal(found.kinetic_energy_eV, energy)
    np.testing.assert_array_equal(found.intensity, counts)


def test_whole_numbers_parted_by_commas_are_two_columns(tmp_path: Path) -> None:
    text = "kinetic energy,counts\n" + "".join(f"{300 + i},{1000 + i % 7}\n" for i in range(800))
    np.testing.assert_array_equal(only(write(tmp_path / "s.csv", text)).kinetic_energy_eV, 300.0 + np.arange(800))


def test_columns_are_taken_by_their_titles(tmp_path: Path) -> None:
    transmission = ENERGY**-0.5
    titles = ("index", "Binding Energy (eV)", "Background", "Transmission", "CPS")
    text = "hv = 1486.6\n" + table(
        ";", ".", titles, np.arange(2400.0), 1486.6 - ENERGY, COUNTS / 2, transmission, COUNTS
    )
    found = only(write(tmp_path / "s.csv", text))
    np.testing.assert_allclose(found.kinetic_energy_eV, ENERGY, rtol=1e-12)
    np.testing.assert_array_equal(found.intensity, COUNTS)
    np.testing.assert_array_equal(found.transmission, transmission)
    assert found.scale == "binding"
    assert found.remarks == ("columns not read: index, Background",)


def test_both_scales_side_by_side_tell_the_photon_energy(tmp_path: Path) -> None:
    energy = ENERGY[:1900]
    text = table("\t", ".", ("K.E.", "Counts", "B.E."), energy, COUNTS[:1900], np.round(1253.6 - energy, 2))
    found = only(write(tmp_path / "s.txt", text))
    assert found.scale == "kinetic"
    assert found.photon_energy_eV == pytest.approx(1253.6)


@pytest.mark.parametrize(
    ("said", "photon_energy", "work_function"),
    [
        ("# hv=1486.68 Thermo wf=4.2", 1486.68, 4.2),
        ("# Excitation Energy: 1253.6", 1253.6, None),
        ("Photon energy (eV);1486,7", 1486.7, None),
        ("# source Mg Kα, work function: 4,5 eV", 1253.6, 4.5),
        ("# Al K-alpha monochromated", 1486.6, None),
        ("# nothing", None, None),
    ],
)
def test_photon_energy_and_work_function_are_found_in_the_heading(
    tmp_path: Path, said: str, photon_energy: float | None, work_function: float | None
) -> None:
    energy = ENERGY[ENERGY < 1250]
    text = f"{said}\n" + table(";", ",", (HEADER, "counts"), energy, COUNTS[: len(energy)])
    found = only(write(tmp_path / "s.csv", text))
    assert (found.photon_energy_eV, found.work_function_eV) == (photon_energy, work_function)
    np.testing.assert_array_equal(found.kinetic_energy_eV, energy)


def test_regions_below_one_another_are_parted(tmp_path: Path) -> None:
    line = table(" ", ".", (), np.arange(950, 975, 0.25), COUNTS[:100])
    survey = table(" ", ".", (), ENERGY, COUNTS)
    head = "# Region: {}\n# Energy Axis: Kinetic Energy\n# Excitation Energy: 1486.61\n\n"
    text = head.format("O1s") + line + head.format("Survey") + survey + head.format("Survey") + survey
    found = read_measured(write(tmp_path / "s.xy", text))
    assert [one.name for one in found] == ["Survey #1", "Survey #2"]
    for one in found:
        np.testing.assert_array_equal(one.intensity, COUNTS)


def test_comment_and_blank_lines_within_a_spectrum_do_not_part_it(tmp_path: Path) -> None:
    rows = table(",", ".", (HEADER, "counts"), ENERGY, COUNTS).split("\n")
    text = "\n".join([*rows[:300], "# checked", "", *rows[300:]])
    np.testing.assert_array_equal(only(write(tmp_path / "s.csv", text)).intensity, COUNTS)


def test_heading_that_begins_with_a_number_is_a_heading(tmp_path: Path) -> None:
    for head in ("3 scans of a kinetic energy survey\n", "2400\nkinetic energy (eV)  counts\n", "2024-11-21 Kinetic\n"):
        text = head + table(" ", ".", (), ENERGY, COUNTS)
        np.testing.assert_array_equal(only(write(tmp_path / "s.xy", text)).intensity, COUNTS)


def test_user_wins_over_the_file_and_is_told(tmp_path: Path) -> None:
    text = "# hv=1486.6\n" + table(",", ".", (HEADER, "counts"), ENERGY, COUNTS)
    found = only(write(tmp_path / "s.csv", text), scale="binding", photon_energy_eV=2000.0)
    np.testing.assert_allclose(found.kinetic_energy_eV, (2000.0 - ENERGY)[::-1])
    np.testing.assert_array_equal(found.intensity, COUNTS[::-1])
    assert len(found.remarks) == 2


def test_fermi_level_tells_the_scale_where_words_do_not(tmp_path: Path) -> None:
    kinetic = np.arange(300.0, 1496.0, 1.0)
    counts = np.where(kinetic < 1484, 5000 - 3 * kinetic, 3.0)
    by_kinetic = write(tmp_path / "k.xy", "# hv=1486.6\n" + table(" ", ".", (), kinetic, counts))
    by_binding = write(tmp_path / "b.xy", "# hv=1486.6\n" + table(" ", ".", (), (1486.6 - kinetic), counts))
    for path, scale in ((by_kinetic, "kinetic"), (by_binding, "binding")):
        found = only(path)
        assert found.scale == scale
        assert any(scale in remark for remark in found.remarks)
        np.testing.assert_allclose(found.kinetic_energy_eV, kinetic, rtol=1e-12)


def refused(path: Path, **told: object) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read_measured(path, **told)  # type: ignore[arg-type]
    assert str(path) in caught.value.where or caught.value.where.startswith("--")
    return caught.value


def test_unknown_scale_or_photon_energy_is_asked_for(tmp_path: Path) -> None:
    silent = write(tmp_path / "s.xy", table(" ", ".", (), ENERGY, COUNTS))
    error = refused(silent)
    assert "--scale kinetic" in error.try_
    assert "--photon-energy 1486.6" in error.try_
    binding = write(tmp_path / "b.xy", table(",", ".", ("binding energy", "counts"), 1486.6 - ENERGY, COUNTS))
    assert "--photon-energy 1486.6" in refused(binding).try_
    assert only(silent, scale="kinetic").scale == "kinetic"
    assert refused(silent, scale="sideways").where == "--scale"
    assert refused(silent, photon_energy_eV=-3.0).where == "--photon-energy"
    assert refused(silent, photon_energy_eV=float("nan")).where == "--photon-energy"


def test_scale_that_contradicts_the_photon_energy_is_refused(tmp_path: Path) -> None:
    kinetic = write(tmp_path / "s.xy", "# hv=1253.6\n" + table(",", ".", (HEADER, "counts"), ENERGY, COUNTS))
    assert "past the photon energy" in refused(kinetic).what
    assert "down to" in refused(kinetic, scale="binding").what


ROWS = [f"{e:g},{c:g}" for e, c in zip(ENERGY, COUNTS, strict=True)]


@pytest.mark.parametrize(
    ("rows", "what", "where"),
    [
        ([*ROWS[:100], "336.5,nan", *ROWS[101:]], "intensity is nan", "line 102"),
        ([*ROWS[:100], "inf,3", *ROWS[101:]], "energy is inf", "line 102"),
        ([*ROWS[:100], "336.5,-4", *ROWS[101:]], "negative", "line 102"),
        ([*ROWS[:100], "336.5,abc", *ROWS[101:]], "'abc' is not a number", "line 102"),
        ([*ROWS[:100], "336.5,", *ROWS[101:]], "one number in a line", "line 102"),
        ([*ROWS[:100], "336.5,7,7", *ROWS[101:]], "3 columns", "line 102"),
        (["286.5,--", *ROWS[1:]], "'--' is not a number", "line 2"),
        ([*ROWS[:-1], "1486,"], "one number in a line", "line 2401"),
        ([*ROWS[:100], "pump stopped", *ROWS[101:]], "words within the spectrum", "line 102"),
        ([*ROWS[:100], "300,5", *ROWS[101:]], "turns round", "line 102"),
        ([*ROWS[:100], ROWS[99], *ROWS[101:]], "repeats", "line 102"),
        ([*ROWS[:100], *ROWS[150:]], "nothing was measured between 336 and 361.5", "line 102"),
        (ROWS[:49], "49 points are too few", "s.csv"),
        ([f"{e:g},7" for e in ENERGY], "7 everywhere", "s.csv"),
        ([f"{c:g}" for c in COUNTS], "one number in a line", "line 2"),
        (["Dear colleague,", "see attachment"], "no rows of numbers", "line 1"),
    ],
)
@pytest.mark.parametrize("falling", [False, True])
def test_what_is_no_spectrum_is_refused_by_line(
    tmp_path: Path, rows: list[str], what: str, where: str, falling: bool
) -> None:
    lines = [f"{HEADER},counts", *(rows[::-1] if falling else rows)]
    error = refused(write(tmp_path / "s.csv", "\n".join(lines)))
    assert what in error.what.replace("between 361.5 and 336", "between 336 and 361.5")
    assert error.try_
    if not falling:
        assert where in error.where


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "empty"),
        (b"  \n\t\r\n", "empty"),
        (bytes(range(256)) * 20, "binary"),
        (b"PK\x03\x04rest", "spreadsheet"),
        (b"SOFH\nPlatform", "PHI"),
        (b"\xff\xfe\x00", "binary"),
        (b"# only\n# comments\n", "no rows of numbers"),
        (b"<html><body>404</body></html>", "no rows of numbers"),
        (b'{"energy": [1, 2, 3]}', "no rows of numbers"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, data: bytes, what: str) -> None:
    path = tmp_path / "s.csv"
    path.write_bytes(data)
    assert what in refused(path).what


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "absent.csv").what
    assert "cannot be read" in refused(tmp_path).what


@settings(max_examples=150)
@given(data=st.one_of(st.binary(max_size=400), st.text(max_size=400).map(lambda text: text.encode("utf-8", "replace"))))
def test_no_bytes_whatever_break_the_reader(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "s"
    path.write_bytes(data)
    with pytest.raises(UsageError):
        read_measured(path)


@settings(max_examples=60)
@given(place=st.integers(0, 2399), junk=st.text(max_size=20), insert=st.booleans())
def test_one_strange_line_is_read_over_or_refused(
    tmp_path_factory: pytest.TempPathFactory, place: int, junk: str, insert: bool
) -> None:
    """Whatever stands in one line: the numbers of all other lines are read as they are, or the file is refused."""
    lines = [*ROWS[:place], junk, *ROWS[place + (not insert) :]]
    path = tmp_path_factory.mktemp("junk") / "s.csv"
    path.write_text("\n".join([f"{HEADER},counts", *lines]), encoding="utf-8")
    try:
        (found,) = read_measured(path)
    except UsageError:
        return
    rows = dict(zip(ENERGY, COUNTS, strict=True))
    strange = [e for e, c in zip(found.kinetic_energy_eV, found.intensity, strict=True) if rows.get(e) != c]
    assert len(strange) <= 1
    assert len(found.intensity) >= 2399
