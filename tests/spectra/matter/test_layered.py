"""Descriptions of layers: text and file say the same, and every fault is shown at its place."""

from __future__ import annotations

from math import inf
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpshpc.errors import UsageError
from xpshpc.plan.seeds import Streams
from xpshpc.spectra.elements import ELEMENT_INDEX
from xpshpc.spectra.matter.batch import draw_batch
from xpshpc.spectra.matter.compounds import compounds
from xpshpc.spectra.matter.layered import batch_stack, parse_stack, read_stack
from xpshpc.spectra.matter.layers import check_stack
from xpshpc.spectra.matter.sample import parse_formula
from xpshpc.spectra.settings import Instrument, Samples
from xpshpc.spectra.transport.loss_functions import LOSS_FUNCTIONS


def test_layers_are_read_from_the_surface_down() -> None:
    stack = parse_stack("SiO2 | 25 Å; Al | 2 nm; Si")
    assert [(layer.formula, layer.thickness_A) for layer in stack.layers] == [("SiO2", 25.0), ("Al", 20.0), ("Si", inf)]
    assert stack.layers[0].fractions() == pytest.approx({"O": 2 / 3, "Si": 1 / 3})


@pytest.mark.parametrize("thickness", ["25 Å", "25Å", "25 \u212b", "25A", "2.5 nm", "2.5nm", "25. Å", "2.5e1 A"])
def test_thickness_has_several_spellings(thickness: str) -> None:
    assert parse_stack(f"SiO2|{thickness};Si").layers[0].thickness_A == pytest.approx(25.0)


@given(st.permutations(["25 Å", "2.35 g/cm3", "gap 8.0 eV", "loss al", "Si[SiO2] 4.1 eV", "o -0.3 eV"]))
def test_fields_stand_in_any_order(fields: list[str]) -> None:
    layer = parse_stack(" | ".join(["/Si[SiO2]/O2/", *fields]) + "; Si").layers[0]
    assert (layer.thickness_A, layer.density_g_cm3, layer.band_gap_eV, layer.loss) == (25.0, 2.35, 8.0, "Al")
    assert {(state.element, state.tag): state.shift_eV for state in layer.states} == {
        ("Si", "SiO2"): 4.1,
        ("O", ""): -0.3,
    }


def test_text_and_file_say_the_same(tmp_path: Path) -> None:
    path = tmp_path / "sample.toml"
    path.write_text(
        """
        [[layer]]
        material = "/Si[SiO2]/O2/"
        thickness_A = 25.0
        density_g_cm3 = 2.35
        band_gap_eV = 8.0
        loss = "Al"
        shifts = {"Si[SiO2]" = 4.1}

        [[layer]]
        material = "Fe3Mo2"
        thickness_A = 10

        [[layer]]
        material = "Si"
        """
    )
    text = "/Si[SiO2]/O2/ | 25 Å | 2.35 g/cm3 | gap 8 eV | loss Al | Si[SiO2] 4.1 eV; Fe3Mo2 | 1 nm; Si"
    assert read_stack(path) == parse_stack(text)


@pytest.mark.parametrize("compound", compounds()[::9], ids=lambda compound: compound.name)
def test_known_compounds_bring_their_figures(compound) -> None:
    layer = parse_stack(compound.formula).layers[0]
    known = next(each for each in compounds() if each.formula == compound.formula)
    assert (layer.density_g_cm3, layer.band_gap_eV) == (known.density_g_cm3, known.band_gap_eV)
    given_more = parse_stack(f"{compound.formula} | 1.25 g/cm3 | gap 0.5 eV").layers[0]
    assert (given_more.density_g_cm3, given_more.band_gap_eV) == (1.25, 0.5)


def test_an_estimated_density_is_remarked_on() -> None:
    stack = parse_stack("Fe3Mo2; Si".replace(";", " | 10 Å;"))
    assert stack.remarks == ("density of Fe3Mo2 estimated from the atoms' volumes: 8.97 g/cm3",)
    assert stack.layers[0].density_g_cm3 == pytest.approx(8.97, rel=1e-3)
    assert parse_stack("Fe3Mo2 | 9 g/cm3").remarks == ()
    assert parse_stack("Cu").remarks == ()


def test_hydrogen_tells_polymers_from_graphite() -> None:
    graphite, polyethylene = parse_stack("C").layers[0], parse_stack("C2H4").layers[0]
    assert graphite.density_g_cm3 > 2.0 > 1.0 > (polyethylene.density_g_cm3 or 0.0)
    assert parse_stack("C2H4 | 5 Å; CH2O").remarks[0] == "H left out: XPS does not see it"


@pytest.mark.parametrize(
    ("text", "what", "layer", "at"),
    [
        ("SiO2 | 25; Si", "'25' is not understood", 1, 8),
        ("SiO2 | 2,5 nm; Si", "'2,5 nm' is not understood", 1, 8),
        ("SiO2; Si", "a thickness is missing", 1, 5),
        ("SiO2 | 2.2 g/cm3; Si", "a thickness is missing", 1, 17),
        ("SiO2 | 25 Å", "has no thickness", None, 8),
        ("SiO2 | 25 Å; Si | 3 nm", "has no thickness", 2, 19),
        ("SiO2 | 25 Å;", "a layer without a material", 2, 13),
        ("| 25 Å; Si", "a layer without a material", 1, 1),
        ("SiO2 | 25 Å; Xx2", "unknown element 'Xx'", 2, 14),
        ("SiO2 | 25 Å | 26 Å; Si", "a second thickness", 1, 15),
        ("SiO2 | 25 Å | 0 g/cm3; Si", "a density of zero", 1, 15),
        ("SiO2 | 25 Å | loss Silicon; Si", "unknown loss function 'Silicon'", 1, 15),
        ("SiO2 | 25 Å | Cu 1 eV; Si", "no state 'Cu' to shift; there are O, Si", 1, 15),
        ("/Si[a]/O2/ | 25 Å | Si 1 eV; Si", "there are O, Si[a]", 1, 21),
        ("SiO2 | ; Si", "nothing after |", 1, 8),
        ("SiO2 | -3 Å; Si", "'-3 Å' is not understood", 1, 8),
    ],
)
def test_faults_name_the_layer_and_are_shown_at_their_place(text: str, what: str, layer: int | None, at: int) -> None:
    with pytest.raises(UsageError) as caught:
        parse_stack(text)
    first, shown, marker = caught.value.what.split("\n")
    assert what in first
    owner = "sample" if layer is None else f"sample, layer {layer}"
    assert caught.value.where == f"{owner}, character {at}"
    assert marker.index("^") - shown.index(text) == at - 1
    assert "SiO2 | 25 Å; Si" in caught.value.try_


@pytest.mark.parametrize(
    ("text", "what", "where"),
    [
        (
            '[[layer]]\nmaterial = "Si"\nthicknes_A = 3',
            "thicknes_A: unknown key (did you mean 'thickness_A'?)",
            ", layer 1",
        ),
        ('[[layers]]\nmaterial = "Si"', "layers: unknown key (did you mean 'layer'?)", ""),
        ('[[layer]]\nmaterial = "Si"\n[[layer]]\nmaterial = "Cu"', "a thickness is missing", ", layer 1"),
        ('[[layer]]\nmaterial = "Si"\nthickness_A = 3', "has no thickness", ", layer 1"),
        ('[[layer]]\nmaterial = "Si"\nthickness_A = -3', "thickness_A: Input should be greater", ", layer 1"),
        ('[[layer]]\nmaterial = "Si"\ndensity_g_cm3 = inf', "density_g_cm3: Input should be a finite", ", layer 1"),
        ('[[layer]]\nmaterial = "Si"\nloss = "Sj"', "unknown loss function 'Sj'", ", layer 1"),
        ('[[layer]]\nmaterial = "Si"\nshifts = {O = 1.0}', "no state 'O' to shift; there are Si", ", layer 1"),
        ('[[layer]]\nmaterial = "Si"\nshifts = {Si = nan}', "shifts.Si: Input should be a finite number", ", layer 1"),
        ('[[layer]]\nmaterial = "Sj"', "unknown element 'Sj'", ", layer 1, character 1"),
        (
            '[[layer]]\nmaterial = "Cu"\nthickness_A = 3\n[[layer]]\nmaterial = 4\nloss = 5',
            "material: Input should be a valid string\n  loss: Input should be a valid string",
            ", layer 2",
        ),
        ("layer = 3", "layer: Input should be a valid list", ""),
        ("layer = [3]", "Input should be a valid dictionary", ", layer 1"),
        ("[[layer", "is no TOML", ""),
        ("", "layer", ""),
    ],
)
def test_faults_of_a_file_name_it_and_the_layer(tmp_path: Path, text: str, what: str, where: str) -> None:
    path = tmp_path / "sample.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_stack(path)
    assert what in caught.value.what
    assert caught.value.where == f"{path}{where}"
    assert caught.value.try_


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_stack(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("SiO2 | 25 Å | 1e400 g/cm3; Si", "layer 1: a density of inf"),
        ("SiO2 | 25 Å; Si | 1e-9 g/cm3", "layer 2: a density of 1e-09"),
        ("Si | gap 400 eV", "layer 1: a band gap of 400 eV"),
        ("Si | Si -2000 eV", "layer 1: Si is shifted by -2000 eV"),
        ("Si | 1e999 Å; Al", "layer 1: a layer without end"),
    ],
)
def test_figures_that_no_solid_has_are_refused(text: str, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        check_stack(parse_stack(text))


@given(st.text(max_size=40) | st.text("SiO2Cu|;Å /[]nm.5gcap eV", max_size=60))
def test_any_text_is_a_stack_or_a_usage_error(text: str) -> None:
    try:
        stack = parse_stack(text)
    except UsageError:
        return
    assert stack.layers[-1].thickness_A == inf
    for layer in stack.layers:
        assert sum(layer.fractions().values()) == pytest.approx(1.0)
        assert layer.density_g_cm3 is not None
        assert layer.density_g_cm3 > 0.0


def test_a_sample_of_a_data_set_is_a_stack() -> None:
    samples, instrument = Samples(), Instrument(charging_shift_eV=(1.0, 3.0))
    film = parse_formula(samples.overlayer)
    for index in range(5):
        batch = draw_batch(samples, instrument, len(film), Streams(4), np.array([index]))
        cover, below = batch_stack(samples, batch).layers
        assert cover.fractions() == pytest.approx(film)
        assert cover.thickness_A == batch.overlayer_A[0]
        assert below.density_g_cm3 == batch.density_g_cm3[0]
        assert below.loss == LOSS_FUNCTIONS[batch.loss[0]]
        for state in below.states:
            place = int(np.flatnonzero(batch.elements[0] == ELEMENT_INDEX[state.element])[0])
            assert state.fraction == batch.fractions[0, place]
            assert state.shift_eV == pytest.approx(batch.shifts[0, place] + batch.charging_shift_eV[0])
