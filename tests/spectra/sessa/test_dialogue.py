"""What SESSA is told of a sample: every atom, every shift, and only what its language holds."""

from __future__ import annotations

import numpy as np
import pytest

from xpshpc.errors import UsageError
from xpshpc.spectra.embedded import EmbeddedSource
from xpshpc.spectra.matter.layered import parse_stack
from xpshpc.spectra.matter.sample import parse_formula
from xpshpc.spectra.sessa.dialogue import (
    instrument_commands,
    layers_of_sample,
    layers_of_stack,
    sample_commands,
    shift_commands,
)
from xpshpc.spectra.sessa.emulator.project import Direction
from xpshpc.spectra.sessa.language import Command, Menu, understand
from xpshpc.spectra.sessa.output_files import Peak
from xpshpc.spectra.settings import Instrument, Physics, SpectraSettings

SETTINGS = SpectraSettings()


def understood(lines: list[str]) -> list[Command]:
    commands = [understand(line, Menu()) for line in lines]
    assert all(isinstance(command, Command) for command in commands)
    return [command for command in commands if isinstance(command, Command)]


@pytest.fixture(scope="module")
def source() -> EmbeddedSource:
    return EmbeddedSource(SETTINGS, 5)


@pytest.mark.parametrize("index", range(20))
def test_a_drawn_sample_is_told_whole(source: EmbeddedSource, index: int) -> None:
    """The materials name the drawn atoms in their shares, to 1e-6; densities and thickness follow."""
    sample = source.draw(np.array([index], dtype=np.int64))
    film = parse_formula(SETTINGS.samples.overlayer)
    layers = layers_of_sample(SETTINGS.samples, sample, 0.0)
    reset, bottom, top, *figures = understood(sample_commands(layers))
    assert reset == Command("SAMPLE RESET")
    told = parse_formula(str(bottom.value))
    drawn = layers[1].fractions
    assert {symbol for symbol, _ in drawn} == set(told)
    for (symbol, _), share in drawn.items():
        assert told[symbol] == pytest.approx(share, abs=1e-6)
    assert parse_formula(str(top.value)) == pytest.approx(film, abs=1e-6)
    assert top.keywords == {"THICKNESS": pytest.approx(sample.overlayer_A[0], rel=1e-7), "ABOVE": 0}
    densities = [command for command in figures if command.words == "SAMPLE SET DENSITY"]
    assert [command.keywords["LAYER"] for command in densities] == [1, 2]
    assert densities[1].value == pytest.approx(sample.density_g_cm3[0], rel=1e-7)


def test_a_film_and_what_lies_below_are_shifted_apart() -> None:
    layers = layers_of_stack(parse_stack("CO | 10 Å | O 0.25 eV; CuO | O -2 eV"))
    (film_state,) = {state for element, state in layers[0].fractions if element == "O"}
    (own_state,) = {state for element, state in layers[1].fractions if element == "O"}
    assert film_state != own_state
    peaks = [Peak(1, "Cu", "", "2p3/2", 553.0), Peak(2, "O", own_state, "1s", 955.0)]
    peaks.append(Peak(3, "O", film_state.upper(), "1s", 955.0))
    told = understood(shift_commands(peaks, layers))
    assert [command.keywords for command in told] == [{"VALUE": -2.0, "PEAK": 2}, {"VALUE": 0.25, "PEAK": 3}]
    with pytest.raises(UsageError, match=r"peak 1 is of Fe"):
        shift_commands([Peak(1, "Fe", "", "2p3/2", 780.0)], layers)


def test_states_with_the_same_shift_are_one_peak_in_every_layer() -> None:
    top, bottom = layers_of_stack(parse_stack("SiO2 | 10 Å | O 1 eV; /Si[a]/O/ | Si[a] 3 eV | O 1 eV"), 0.5)
    assert set(top.fractions) == {("Si", ""), ("O", "")} and set(bottom.fractions) == {("Si", "a"), ("O", "")}
    assert top.shifts_eV["O", ""] == bottom.shifts_eV["O", ""] == pytest.approx(1.5)
    assert bottom.shifts_eV["Si", "a"] == pytest.approx(3.5)


def test_a_layer_without_thickness_is_not_told() -> None:
    """SESSA takes no thickness of zero."""
    assert len(layers_of_stack(parse_stack("SiO2 | 0 Å; Si"))) == 1


def test_charging_and_work_function_move_every_line(source: EmbeddedSource) -> None:
    instrument = SETTINGS.instrument.model_copy(update={"charging_shift_eV": (1.5, 1.5)})
    charged = EmbeddedSource(SETTINGS.model_copy(update={"instrument": instrument}), 5)
    sample = charged.draw(np.array([3], dtype=np.int64))
    plain = source.draw(np.array([3], dtype=np.int64))
    for moved, still in zip(
        layers_of_sample(SETTINGS.samples, sample, 4.5), layers_of_sample(SETTINGS.samples, plain, 0.0), strict=True
    ):
        for atom, shift in moved.shifts_eV.items():
            assert shift == pytest.approx(still.shifts_eV[atom] + 6.0)


@pytest.mark.parametrize("emission", [0.0, 30.0, 54.7, 70.0])
@pytest.mark.parametrize("between", [20.0, 54.7, 80.0])
def test_the_directions_that_are_sent_have_the_angle_between_them(emission: float, between: float) -> None:
    instrument = Instrument(emission_angle_deg=emission, source_angle_deg=between)
    commands = {command.words: command.keywords for command in understood(instrument_commands(instrument, Physics()))}

    def direction(name: str) -> Direction:
        keywords = commands[f"GEOMETRY SET {name}"]
        return Direction(float(keywords["THETA"]), float(keywords.get("PHI", 0.0)))  # type: ignore[arg-type]

    assert direction("ANALYZER").theta == pytest.approx(emission)
    assert direction("SOURCE").angle_to(direction("ANALYZER")) == pytest.approx(between, abs=1e-4)
