"""Samples made of layers, as they are described: in a line of text, in a TOML file, or as a sample of a data set."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import Field, ValidationError

from xpshpc.config import Section, nearest, tell_faults
from xpshpc.errors import UsageError
from xpshpc.spectra.elements import ELEMENTS
from xpshpc.spectra.matter.batch import SampleBatch
from xpshpc.spectra.matter.layer_description import LayerDescription, described_stack, find_loss, find_state, states_of
from xpshpc.spectra.matter.layers import Layer, Stack, State
from xpshpc.spectra.matter.sample import Passage, parse_formula, read_material
from xpshpc.spectra.settings import Samples
from xpshpc.spectra.transport.loss_functions import LOSS_FUNCTIONS

_A_PER_NM = 10.0
_EXAMPLES = 'write it as "SiO2 | 25 Å; Si": layers from the surface down, parted by ; the last one without a thickness'
_FILE_EXAMPLE = (
    'for each layer, the uppermost first: [[layer]], material = "SiO2", thickness_A = 25.0 (none for the last)'
)
_FIELDS = "a layer's fields are 25 Å or 2.5 nm, 2.2 g/cm3, gap 8.9 eV, loss SiO2, Si 0.3 eV (a shift)"

_NUMBER = r"(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
_THICKNESS = re.compile(_NUMBER + r"\s*(?P<unit>Å|\u212b|A|nm)")
_DENSITY = re.compile(_NUMBER + r"\s*g/cm(?:3|³|\^3)")
_BAND_GAP = re.compile(r"gap\s+" + _NUMBER + r"\s*eV")
_LOSS = re.compile(r"loss\s+(?P<name>\S+)")
_SHIFT = re.compile(r"(?P<state>[A-Za-z]{1,2}(?:\[[^\]]*\])?)\s+(?P<sign>[+−-]?)\s*" + _NUMBER + r"\s*eV")


class LayerTable(Section):
    """One [[layer]] of a file; the uppermost comes first, the last one is the substrate and has no thickness."""

    material: str
    thickness_A: Annotated[float, Field(ge=0)] | None = None
    density_g_cm3: Annotated[float, Field(gt=0)] | None = None
    band_gap_eV: Annotated[float, Field(ge=0)] | None = None
    loss: str | None = None
    shifts: dict[str, float] = Field(default_factory=dict)


class StackFile(Section):
    """A file that describes a sample; each layer is a `LayerTable`, looked at by itself."""

    layer: list[Any] = Field(min_length=1)


_Table = TypeVar("_Table", LayerTable, StackFile)


def parse_stack(text: str) -> Stack:
    """Reads layers from the surface down: "SiO2 | 25 Å; Si".

    Fields follow a layer's formula after |, in any order: thickness (Å, A or nm), density ("2.2 g/cm3"), band gap ("gap
    8.9 eV"), loss function ("loss SiO2"), and shifts of a state's lines towards higher binding energy ("Si[SiO2] 4.1
    eV"). The last layer is the substrate and has no thickness. A known compound brings its density and band gap along;
    else the density is estimated from the atoms' volumes, with a remark. Raises UsageError that names the layer and
    marks the place.
    """
    if not text.strip():
        raise UsageError("the sample is empty", where="sample", try_=_EXAMPLES)
    described: list[LayerDescription] = []
    start = 0
    parts = text.split(";")
    for number, part in enumerate(parts, start=1):
        owner = "sample" if len(parts) == 1 else f"sample, layer {number}"
        passage = Passage(text, start, start + len(part), owner, _EXAMPLES)
        described.append(_read_layer(passage, last=number == len(parts)))
        start += len(part) + 1
    return described_stack(described)


def read_stack(path: Path) -> Stack:
    """Reads the same from a TOML file, one [[layer]] for each, with the keys of `LayerTable`.

    Raises UsageError for a file that cannot be read, an unknown key, and all that `parse_stack` refuses.
    """
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot be read ({error.strerror})", where=str(path), try_=_FILE_EXAMPLE) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"is no TOML: {error}", where=str(path), try_=_FILE_EXAMPLE) from None
    layers = _validated(StackFile, told, str(path)).layer
    described = []
    for number, layer in enumerate(layers, start=1):
        where = f"{path}, layer {number}"
        table = _validated(LayerTable, layer, where)
        material = read_material(Passage(table.material, 0, len(table.material), where))
        shifts = {}
        for name, shift in table.shifts.items():
            atom = find_state(material, name)
            if atom is None:
                what = f"no state {name!r} to shift{states_of(material)}"
                raise UsageError(what, where=where, try_=f'shifts = {{"{material.states[0].element}" = 1.5}}')
            shifts[atom] = shift
        last = number == len(layers)
        if last != (table.thickness_A is None):
            what = "the last layer is the substrate and has no thickness" if last else "a thickness is missing"
            raise UsageError(what, where=where, try_="take thickness_A away" if last else "thickness_A = 25.0")
        loss = None if table.loss is None else find_loss(table.loss)
        if table.loss is not None and loss is None:
            what = f"unknown loss function {table.loss!r}{nearest(table.loss, LOSS_FUNCTIONS)}"
            raise UsageError(what, where=where, try_=f"loss = one of {', '.join(LOSS_FUNCTIONS)}")
        formula = table.material.strip()
        described.append(
            LayerDescription(formula, material, table.thickness_A, table.density_g_cm3, table.band_gap_eV, loss, shifts)
        )
    return described_stack(described)


def batch_stack(samples: Samples, batch: SampleBatch) -> Stack:
    """The layers of a batch of one homogeneous sample: itself, under its overlayer if it has one.

    The charging shift is put into the states' shifts. `samples` says what the overlayer is made of.
    """
    charging = float(batch.charging_shift_eV[0])
    used = np.flatnonzero(batch.fractions[0] > 0.0)
    symbols = [ELEMENTS[place] for place in batch.elements[0, used]]
    below = Layer(
        "".join(symbols),
        tuple(
            State(symbol, float(share), shift_eV=float(shift) + charging)
            for symbol, share, shift in zip(symbols, batch.fractions[0, used], batch.shifts[0, used], strict=True)
        ),
        density_g_cm3=float(batch.density_g_cm3[0]),
        band_gap_eV=float(batch.band_gap_eV[0]),
        loss=LOSS_FUNCTIONS[batch.loss[0]],
    )
    thickness = float(batch.overlayer_A[0])
    if thickness <= 0.0:
        return Stack((below,))
    shares = parse_formula(samples.overlayer)
    states = tuple(
        State(symbol, share, shift_eV=float(shift) + charging)
        for (symbol, share), shift in zip(shares.items(), batch.overlayer_shifts[0], strict=True)
    )
    film = Layer(samples.overlayer, states, thickness, samples.overlayer_density_g_cm3)
    return Stack((film, below))


def _read_layer(passage: Passage, *, last: bool) -> LayerDescription:
    formula, *fields = passage.text.split("|")
    if not formula.strip():
        raise passage.fault("a layer without a material", len(passage.text) - len(passage.text.lstrip()))
    material = read_material(replace(passage, end=passage.start + len(formula)))
    described = LayerDescription(formula.strip(), material)
    said: set[str] = set()
    at = len(formula) + 1
    for text in fields:
        here = replace(passage, start=passage.start + at, end=passage.start + at + len(text))
        kind, described = _read_field(described, here)
        if kind in said:
            raise _field_fault(here, f"a second {kind}")
        if kind == "thickness" and last:
            raise _field_fault(here, "the last layer is the substrate and has no thickness: add what lies below")
        said.add(kind)
        at += len(text) + 1
    if not last and "thickness" not in said:
        raise passage.fault("a thickness is missing here", len(passage.text.rstrip()))
    return described


def _read_field(described: LayerDescription, passage: Passage) -> tuple[str, LayerDescription]:
    """What kind of field this is, and the description with it."""
    text = passage.text.strip()
    if found := _THICKNESS.fullmatch(text):
        scale = _A_PER_NM if found["unit"] == "nm" else 1.0
        return "thickness", replace(described, thickness_A=scale * float(found["number"]))
    if found := _DENSITY.fullmatch(text):
        if float(found["number"]) == 0.0:
            raise _field_fault(passage, "a density of zero")
        return "density", replace(described, density_g_cm3=float(found["number"]))
    if found := _BAND_GAP.fullmatch(text):
        return "band gap", replace(described, band_gap_eV=float(found["number"]))
    if found := _LOSS.fullmatch(text):
        name = find_loss(found["name"])
        if name is None:
            hint = nearest(found["name"], LOSS_FUNCTIONS)
            raise _field_fault(passage, f"unknown loss function {found['name']!r}{hint}")
        return "loss function", replace(described, loss=name)
    if found := _SHIFT.fullmatch(text):
        atom = find_state(described.material, found["state"])
        if atom is None:
            raise _field_fault(passage, f"no state {found['state']!r} to shift{states_of(described.material)}")
        shift = float(found["number"]) * (-1.0 if found["sign"] in ("-", "−") else 1.0)
        return f"shift of {found['state']}", replace(described, shifts={**described.shifts, atom: shift})
    raise _field_fault(passage, f"{text!r} is not understood: {_FIELDS}" if text else f"nothing after |: {_FIELDS}")


def _field_fault(passage: Passage, what: str) -> UsageError:
    text = passage.text
    return passage.fault(what, len(text) - len(text.lstrip()), max(1, len(text.strip())))


def _validated(kind: type[_Table], told: object, where: str) -> _Table:
    try:
        return kind.model_validate(told)
    except ValidationError as error:
        raise UsageError("\n  ".join(tell_faults(error, kind)), where=where, try_=_FILE_EXAMPLE) from None
