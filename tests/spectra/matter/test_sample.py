"""Formulas: fractions sum to 1, notations agree, and every fault is shown at its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpshpc.errors import UsageError
from xpshpc.spectra.elements import ELEMENTS
from xpshpc.spectra.matter.sample import parse_formula, parse_material


@pytest.mark.parametrize(
    ("text", "amounts"),
    [
        ("Cu", {"Cu": 1}),
        ("Cu2O", {"Cu": 2, "O": 1}),
        ("Cu₂O", {"Cu": 2, "O": 1}),
        ("SiO2", {"Si": 1, "O": 2}),
        ("Fe0.5Ni0.5", {"Fe": 1, "Ni": 1}),
        ("Fe.5 Ni1.5", {"Fe": 1, "Ni": 3}),
        ("Co", {"Co": 1}),
        ("CO", {"C": 1, "O": 1}),
        ("Ca(OH)2", {"Ca": 1, "O": 2}),
        ("CuSO4·5H2O", {"Cu": 1, "S": 1, "O": 9}),
        ("CuSO4*5H2O", {"Cu": 1, "S": 1, "O": 9}),
        ("K4[Fe(CN)6]", {"K": 4, "Fe": 1, "C": 6, "N": 6}),
        ("Ca5(PO4)3F", {"Ca": 5, "P": 3, "O": 12, "F": 1}),
        ("2NaCl", {"Na": 1, "Cl": 1}),
        ("/C5/O/", {"C": 5, "O": 1}),
        ("/Si[SiO2]/O2/", {"Si": 1, "O": 2}),
        ("/SI/O2/", {"Si": 1, "O": 2}),
        ("(/Si/O2/)81(/B2/O3/)13", {"Si": 81, "B": 26, "O": 162 + 39}),
    ],
)
def test_formulas_give_their_atomic_fractions(text: str, amounts: dict[str, float]) -> None:
    fractions = parse_formula(text)
    assert fractions == pytest.approx({symbol: n / sum(amounts.values()) for symbol, n in amounts.items()})
    assert list(fractions) == [symbol for symbol in ELEMENTS if symbol in fractions]


amounts_of_elements = st.dictionaries(st.sampled_from(ELEMENTS), st.integers(1, 999), min_size=1, max_size=6)


@given(amounts=amounts_of_elements, factor=st.integers(2, 9))
def test_notations_and_multiples_agree(amounts: dict[str, int], factor: int) -> None:
    plain = "".join(f"{symbol}{n}" for symbol, n in amounts.items())
    expected = {symbol: n / sum(amounts.values()) for symbol, n in amounts.items()}
    sessa = "/".join(["", *(f"{symbol}{n}" for symbol, n in amounts.items()), ""])
    for text in (plain, sessa, f"({plain}){factor}", f"{factor}{plain}", f" {plain} ", sessa.upper(), sessa.lower()):
        assert parse_formula(text) == pytest.approx(expected)
        assert sum(parse_formula(text).values()) == pytest.approx(1)


def test_hydrogen_and_helium_are_left_out_with_a_remark() -> None:
    material = parse_material("C2H4He")
    assert material.fractions == {"C": 1.0}
    assert material.remarks == ("H and He left out: XPS does not see them",)
    assert parse_material("C").remarks == ()


@pytest.mark.parametrize(
    ("text", "what", "at"),
    [
        ("Cu2Xe3Xx2", "unknown element 'Xx' (did you mean 'Xe'?)", 7),
        ("Cx", "unknown element 'Cx' (did you mean 'C'?)", 1),
        ("Cu2o", "elements begin with a capital letter (did you mean 'O'?)", 4),
        ("cu2O", "elements begin with a capital letter (did you mean 'Cu'?)", 1),
        ("FePm", "Pm is not among the elements Li–Bi without Pm", 3),
        ("U3O8", "U is not among", 1),
        ("Cu0O", "an amount of zero", 3),
        ("Cu-1", "cannot be negative", 3),
        ("Cu1,5", "decimals are marked by a point", 4),
        ("Ca(OH", "'(' is never closed", 3),
        ("CaOH)2", "')' was never opened", 5),
        ("Ca(OH]2", "']' was never opened", 6),
        ("Ca()2", "an element is missing", 4),
        ("3", "an element is missing", 1),
        ("/3/", "an amount without an element", 2),
        ("NaCl·", "nothing follows the dot", 5),
        ("SiO2 | 25 Å; Si", "without layers", 6),
        ("Cu+", "'+' does not belong", 3),
        ("銅", "'銅' does not belong", 1),
        ("/Si[SiO2/", "'[' is never closed", 4),
    ],
)
def test_faults_are_shown_at_their_place(text: str, what: str, at: int) -> None:
    with pytest.raises(UsageError) as caught:
        parse_formula(text)
    first, shown, marker = caught.value.what.split("\n")
    assert what in first
    assert caught.value.where == f"sample, character {at}"
    assert marker.index("^") - shown.index(text) == at - 1
    assert "Cu2O" in caught.value.try_


@pytest.mark.parametrize("text", ["", "   ", "H2", "Cu" * 300])
def test_what_is_no_material_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_formula(text)


@given(st.text(max_size=30) | st.text("CuOHe()[]/.·*0123456789 -", max_size=250))
def test_any_text_is_a_material_or_a_usage_error(text: str) -> None:
    try:
        fractions = parse_formula(text)
    except UsageError:
        return
    assert sum(fractions.values()) == pytest.approx(1)
    assert all(0 < share <= 1 and symbol in ELEMENTS for symbol, share in fractions.items())


@pytest.mark.parametrize(
    ("text", "amounts"),
    [
        ("/Si[SiO2]/O2/", {("O", ""): 2, ("Si", "SiO2"): 1}),
        (
            "/Si[Si2O]10/Si[Si2O3]10/Si[SiO2]14/Si66/",
            {("Si", "Si2O"): 10, ("Si", "Si2O3"): 10, ("Si", "SiO2"): 14, ("Si", ""): 66},
        ),
        ("/SI7/SI[X]/NB[X]8/", {("Si", ""): 7, ("Si", "X"): 1, ("Nb", "X"): 8}),
        ("(/SI/NB/SI[X]/NB[x]2/)1/nb[X]/", {("Si", ""): 1, ("Si", "X"): 1, ("Nb", ""): 1, ("Nb", "X"): 3}),
        (
            "(/Si[SiO2]/O2/)81(/B2/O3/)13(/Al2/O3/)2",
            {("B", ""): 26, ("O", ""): 162 + 39 + 6, ("Al", ""): 4, ("Si", "SiO2"): 81},
        ),
        ("Cu2O", {("O", ""): 1, ("Cu", ""): 2}),
    ],
)
def test_tags_keep_the_states_of_an_element_apart(text: str, amounts: dict[tuple[str, str], float]) -> None:
    states = parse_material(text).states
    total = sum(amounts.values())
    assert [(state.element, state.tag) for state in states] == list(amounts)
    assert [state.fraction for state in states] == pytest.approx([n / total for n in amounts.values()])


@given(amounts=amounts_of_elements, tag=st.text("ABXx2", min_size=1, max_size=4))
def test_tags_change_no_composition(amounts: dict[str, int], tag: str) -> None:
    plain = "/".join(["", *(f"{symbol}{n}" for symbol, n in amounts.items()), ""])
    tagged = "/".join(["", *(f"{symbol}[{tag}]{n}" for symbol, n in amounts.items()), ""])
    assert parse_formula(tagged) == pytest.approx(parse_formula(plain))
    assert {state.tag for state in parse_material(tagged).states} == {tag}
