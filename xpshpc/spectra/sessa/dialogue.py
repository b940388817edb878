"""What is said to SESSA: the instrument once, then each sample with its layers and the shifts of its peaks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path

from xpshpc.errors import UsageError
from xpshpc.spectra.lines.sources import xray_sources
from xpshpc.spectra.matter.batch import SampleBatch
from xpshpc.spectra.matter.layered import batch_stack
from xpshpc.spectra.matter.layers import Stack, State
from xpshpc.spectra.sessa.grammar import DENSITY_SCALE, HIGHER_BINDING, say
from xpshpc.spectra.sessa.output_files import Peak, named
from xpshpc.spectra.settings import Instrument, Physics, Samples

_THINNEST_A = 1e-3
_NAMED_SOURCES = {"AlKa": "SOURCE SET ALKA", "MgKa": "SOURCE SET MGKA"}
_OPPOSITE = 180.0


@dataclass(frozen=True)
class SessaLayer:
    """A layer as SESSA takes it, by (element, state): atomic fractions, and shifts to higher binding energy."""

    fractions: Mapping[tuple[str, str], float]
    shifts_eV: Mapping[tuple[str, str], float]
    density_g_cm3: float | None
    band_gap_eV: float
    thickness_A: float = inf

    @property
    def material(self) -> str:
        """In SESSA's notation: /Cu0.6666667/O0.3333333/."""
        return "/" + "".join(f"{named(*atom)}{_decimal(share)}/" for atom, share in self.fractions.items())


def layers_of_sample(samples: Samples, batch: SampleBatch, work_function_eV: float) -> tuple[SessaLayer, ...]:
    """The layers, from the surface down, of a batch of one sample; `samples` says what the overlayer is made of.

    Charging and the analyser's work function move all lines alike, so they are a part of each shift.
    """
    return layers_of_stack(batch_stack(samples, batch), work_function_eV)


def layers_of_stack(stack: Stack, common_shift_eV: float = 0.0) -> tuple[SessaLayer, ...]:
    """The layers of a stack, all lines moved by `common_shift_eV` to higher binding energy.

    SESSA has one peak for all atoms of one element and state: those that are shifted apart in different layers get
    states of their own. A density that is not given is left to SESSA, and a film thinner than 0.001 Å is left out.
    """
    layers = [layer for layer in stack.layers if layer.thickness_A >= _THINNEST_A]
    shifts: dict[tuple[str, str], set[float]] = {}
    for layer in layers:
        for state in layer.states:
            shifts.setdefault((state.element, state.tag.casefold()), set()).add(state.shift_eV)

    def named_apart(state: State, number: int) -> tuple[str, str]:
        alike = len(shifts[state.element, state.tag.casefold()]) == 1
        return state.element, state.tag if alike else f"{state.tag}L{number}"

    return tuple(
        SessaLayer(
            {named_apart(state, number): state.fraction for state in layer.states},
            {named_apart(state, number): state.shift_eV + common_shift_eV for state in layer.states},
            layer.density_g_cm3,
            layer.band_gap_eV,
            layer.thickness_A,
        )
        for number, layer in enumerate(layers, start=1)
    )


def instrument_commands(instrument: Instrument, physics: Physics) -> list[str]:
    """What a fresh process is told once. Raises UsageError for an X-ray source below the sample's surface."""
    photon = xray_sources()[instrument.source].photon_energy_eV
    emission = instrument.emission_angle_deg
    incidence = instrument.source_angle_deg - emission
    if abs(incidence) >= 90.0:
        raise UsageError(
            f"X-rays at {abs(incidence):g}° to the surface normal would come from below",
            where="spectra.instrument.source_angle_deg",
            try_="an angle to the analyser at which they reach the surface",
        )
    turn: dict[str, float] = {} if emission == 0.0 else {"PHI": _OPPOSITE if incidence > 0.0 else 0.0}
    source = _NAMED_SOURCES.get(instrument.source)
    said = [
        say("PROJECT RESET"),
        say("PREFERENCES SET DENSITY_SCALE", DENSITY_SCALE),
        say("PREFERENCES SET ENERGY_SCALE", "KINETIC"),
        say("PREFERENCES SET OUTPUT", SAMPLE=True),
        say(source) if source else say("SOURCE SET PHOTONS", ENERGY=photon),
        say("GEOMETRY SET SOURCE", THETA=abs(incidence), **turn, GEOMETRY=1),
        say("GEOMETRY SET ANALYZER", THETA=emission, **dict.fromkeys(turn, 0.0), GEOMETRY=1),
    ]
    if instrument.acceptance_half_angle_deg > 0.0:
        said.append(say("GEOMETRY SET APERTURE", UTHETA=instrument.acceptance_half_angle_deg, GEOMETRY=1))
    return [
        *said,
        say("SPECTROMETER SET RANGE", instrument.window_eV, REGION=1),
        say("MODEL SET SLA", not physics.elastic_scattering),
        say("MODEL SET SE", physics.surface_excitations),
    ]


def sample_commands(layers: tuple[SessaLayer, ...]) -> list[str]:
    """Describes a sample in place of the last one; layers from the surface down, the last one the substrate."""
    said = [say("SAMPLE RESET"), say("SAMPLE SET MATERIAL", layers[-1].material, LAYER=1)]
    for layer in reversed(layers[:-1]):
        said.append(say("SAMPLE ADD LAYER", layer.material, THICKNESS=layer.thickness_A, ABOVE=0))
    for number, layer in enumerate(layers, start=1):
        if layer.density_g_cm3 is not None:
            said.append(say("SAMPLE SET DENSITY", layer.density_g_cm3, LAYER=number))
        said.append(say("SAMPLE SET EGAP", layer.band_gap_eV, LAYER=number))
    return said


def shift_commands(peaks: Iterable[Peak], layers: tuple[SessaLayer, ...]) -> list[str]:
    """Moves each peak of the list by the shift of its element and state. Letters of either case are the same state.

    Raises UsageError for a peak of an element or state that the sample does not have.
    """
    shifts = {
        (element, state.upper()): shift for layer in layers for (element, state), shift in layer.shifts_eV.items()
    }
    said = []
    for peak in peaks:
        shift = shifts.get((peak.element, peak.state.upper()))
        if shift is None:
            raise UsageError(f"peak {peak.number} is of {named(peak.element, peak.state)}, which the sample has not")
        if shift != 0.0:
            said.append(say("SAMPLE PEAK SET CHEMSHIFT", VALUE=HIGHER_BINDING * shift, PEAK=peak.number))
    return said


def output_command(prefix: Path) -> str:
    """Writes `<prefix>sam_peak.txt` and its like."""
    return say("PROJECT SAVE OUTPUT", str(prefix))


def spectrum_commands(prefix: Path) -> list[str]:
    """Simulates, and writes `<prefix>reg1.spc`."""
    return [say("MODEL SIMULATE"), say("MODEL SAVE SPECTRA", str(prefix))]


def _decimal(share: float) -> str:
    return f"{share:.7f}".rstrip("0").rstrip(".")
