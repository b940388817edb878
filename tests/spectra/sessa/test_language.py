"""SESSA's language: what is said is understood again, and nothing else can be slipped in."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpshpc.errors import UsageError
from xpshpc.spectra.sessa.grammar import FORMS, Kind, Value, say
from xpshpc.spectra.sessa.language import Command, Menu, NotUnderstood, understand

SESSIONS = Path(__file__).parents[4] / "shared" / "data" / "xps" / "sessa_reference"
ROOT = Menu()

numbers = st.floats(-1e5, 1e5).map(lambda value: float(f"{value:.8g}"))
VALUES: dict[Kind, st.SearchStrategy[Value]] = {
    Kind.NUMBER: numbers,
    Kind.COUNT: st.integers(0, 999),
    Kind.FLAG: st.booleans(),
    Kind.WORD: st.sampled_from(["MASS", "KINETIC", "GAUSS"]),
    Kind.RANGE: st.tuples(st.integers(50, 700), st.integers(701, 1486)).map(
        lambda pair: (float(pair[0]), float(pair[1]))
    ),
    Kind.MATERIAL: st.sampled_from(["/Si[SiO2]/O2/", "(/SI/O2/)81(/B2/O3/)13", "/C5/O/", "/Cu0.6666667/O0.3333333/"]),
    Kind.TEXT: st.text("abcXYZ 0123_./=\\-", min_size=1, max_size=30),
}


@st.composite
def commands(draw: st.DrawFn) -> Command:
    form = draw(st.sampled_from(FORMS))
    value = draw(VALUES[form.value]) if form.value else None
    names = draw(st.lists(st.sampled_from(sorted(form.keywords)), unique=True)) if form.keywords else []
    return Command(form.words, value, {name: draw(VALUES[form.keywords[name]]) for name in names})


@given(commands())
def test_what_is_said_is_understood(command: Command) -> None:
    assert understand(say(command.words, command.value, **command.keywords), ROOT) == command


@given(commands())
def test_case_does_not_matter_to_words(command: Command) -> None:
    whole = say(command.words, **command.keywords) if command.value is None else ""
    if whole:
        assert understand(whole.lower(), ROOT) == Command(
            command.words,
            None,
            {name: value.lower() if isinstance(value, str) else value for name, value in command.keywords.items()},
        )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("\\proj reset ", Command("PROJECT RESET")),
        ("\\sample set thickness 40 lay 1", Command("SAMPLE SET THICKNESS", 40.0, {"LAYER": 1})),
        ("\\model  simulate", Command("MODEL SIMULATE")),
        ("PROJECT LOAD SESSION \"t=00.ses\"", Command("PROJECT LOAD SESSION", "t=00.ses")),
        ('\\SPEC SET RANGE "400:1486" REGION 0', Command("SPECTROMETER SET RANGE", (400.0, 1486.0), {"REGION": 0})),
        ("\\", Menu()),
        ("\\SAMPLE PEAK", Menu(("SAMPLE", "PEAK"))),
        ("", None),
        ("   -- a remark", None),
    ],
)  # fmt: skip
def test_lines_of_real_scripts(line: str, expected: Command | Menu | None) -> None:
    assert understand(line, ROOT) == expected


def test_a_menu_is_looked_up_first_and_then_the_root() -> None:
    menu = understand("\\SAMPLE PEAK", ROOT)
    assert isinstance(menu, Menu)
    assert understand("delete peak 3", menu) == Command("SAMPLE PEAK DELETE", None, {"PEAK": 3})
    assert understand("MODEL SIMULATE", menu) == Command("MODEL SIMULATE")
    with pytest.raises(NotUnderstood):
        understand("\\delete peak 3", menu)


@pytest.mark.parametrize(
    "line",
    ["\\FROBNICATE", "\\SAMPLE SET THICKNESS many LAYER 1", "\\SAMPLE SET THICKNESS", "\\S SET THETA 3",
     "\\SAMPLE PEAK DELETE LAYER 2", "\\SPECTROMETER SET RANGE 400 REGION 1", "\\MODEL SET SE maybe",
     "\\SAMPLE SET DENSITY nan", "\\SAMPLE PEAK DELETE PEAK"],
)  # fmt: skip
def test_what_is_no_command_is_told(line: str) -> None:
    with pytest.raises(NotUnderstood):
        understand(line, ROOT)


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("MODEL SAVE SPECTRA", 'a" \n\\QUIT'),
        ("MODEL SAVE SPECTRA", "two\nlines"),
        ("SAMPLE SET MATERIAL", "/Cu/ LAYER 1\n\\QUIT"),
        ("SAMPLE SET THICKNESS", float("nan")),
        ("SAMPLE SET THICKNESS", float("inf")),
        ("SPECTROMETER SET RANGE", (500.0, 400.0)),
        ("MODEL SET SE", 1.0),
    ],
)
def test_nothing_but_the_command_is_ever_sent(words: str, value: Value) -> None:
    with pytest.raises(UsageError):
        say(words, value)


@given(st.text(max_size=40))
def test_a_quoted_text_stays_one_text(text: str) -> None:
    try:
        line = say("MODEL SAVE SPECTRA", text)
    except UsageError:
        assert not text.isprintable() or '"' in text
        return
    assert understand(line, ROOT) == Command("MODEL SAVE SPECTRA", text)


@pytest.mark.skipif(not SESSIONS.is_dir(), reason=f"no session files of SESSA in {SESSIONS}")
def test_every_line_of_the_session_files_is_understood() -> None:
    lines = [line for file in SESSIONS.glob("*.ses") for line in file.read_text().splitlines()]
    assert sum(isinstance(understand(line, ROOT), Command) for line in lines) > 100
