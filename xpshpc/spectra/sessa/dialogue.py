"""What is said to SESSA: the instrument once, then each sample with its layers and the shifts of its peaks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path

from xpshpc.errors import UsageError
from xpshpc.spectra.batch import SampleBatch
from xpshpc.spectra.elements import ELEMENTS
from xpshpc.spectra.layers import Stack
from xpshpc.spectra.sessa.grammar import DENSITY_SCALE, HIGHER_BINDING, say
from xpshpc.spectra.sessa.output_files import Peak, named
from xpshpc.spectra.settings import Instrument, Physics
from xpshpc.spectra.sources import xray_sources

FILM = "film"
"""The chemical state of the overlayer's atoms, so that their peaks are told apart from the same elements' below."""

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


def layers_of_sample(
    batch: SampleBatch, overlayer: Mapping[str, float], overlayer_density_g_cm3: float, work_function_eV: float
) -> tuple[SessaLayer, ...]:
    """The layers, from the surface down, of a batch of one sample.

    `overlayer`: atomic fractions of its elements. Charging and the analyser's work function move all lines alike, so
    they are a part of each shift. A film thinner than 0.001 Å is left out.
    """
    common = float(batch.charging_shift_eV[0]) + work_function_eV
    below: dict[tuple[str, str], float] = {}
    shifts: dict[tuple[str, str], float] = {}
    for place, share, shift in zip(batch.elements[0], batch.fractions[0], batch.shifts[0], strict=True):
        if share > 0.0:
            atom = (ELEMENTS[place], "")
            below[atom] = below.get(atom, 0.0) + float(share)
            shifts[atom] = float(shift) + common
    substrate = SessaLayer(below, shifts, float(batch.density_g_cm3[0]), float(batch.band_gap_eV[0]))
    thickness = float(batch.overlayer_A[0])
    if thickness < _THINNEST_A:
        return (substrate,)
    moved = zip(overlayer, batch.overlayer_shifts[0], strict=True)
    film = SessaLayer(
        {(symbol, FILM): share for symbol, share in overlayer.items()},
        {(symbol, FILM): float(shift) + common for symbol, shift in moved},
        overlayer_density_g_cm3,
        0.0,
        thickness,
    )
    return (film, substrate)


def layers_of_stack(stack: Stack) -> tuple[SessaLayer, ...]:
    """The layers of a described stack. A density that is not given is left to SESSA."""
    return tuple(
        SessaLayer(
            {(state.element, state.tag): state.fraction for state in layer.states},
            {(state.element, state.tag): state.shift_eV for state in layer.states},
            layer.density_g_cm3,
            layer.band_gap_eV,
            layer.thickness_A,
        )
        for layer in stack.layers
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
