"""SESSA's command language: every word that is sent, understood or waited for, in one table.

Whoever has the program corrects it here. `evidence` tells how sure an entry is: SCRIPT, a script that works with
SESSA 2.2 uses it in this form; READ, as its manual (NIST NSRDS 100, 10.6028/NIST.NSRDS.100-2017) and the scripts let
one suppose, to be confirmed by someone who has the program.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from xpshpc.errors import UsageError

Value = float | int | bool | str | tuple[float, float]


class Evidence(Enum):
    """How sure an entry is."""

    SCRIPT = "a working script uses it"
    READ = "as read, to be confirmed by someone who has the program"


class Kind(Enum):
    """What a place in a command holds."""

    NUMBER = "number"
    COUNT = "whole number"
    FLAG = "true or false"
    WORD = "word"
    RANGE = "energies as low:high"
    MATERIAL = "material"
    TEXT = "text in quotes"


@dataclass(frozen=True)
class Form:
    """One command: its words, the kind of the value after them (if any), and its keywords with theirs."""

    words: str
    value: Kind | None = None
    keywords: Mapping[str, Kind] = field(default_factory=dict)
    evidence: Evidence = Evidence.SCRIPT


@dataclass(frozen=True)
class Answer:
    """A sign in what the program prints."""

    pattern: str
    evidence: Evidence

    def matches(self, line: str) -> bool:
        return re.search(self.pattern, line) is not None


_LAYER = {"LAYER": Kind.COUNT}
_REGION = {"REGION": Kind.COUNT}
_PEAK = {"PEAK": Kind.COUNT, "SUBPEAK": Kind.COUNT}
_PLACE = {"THETA": Kind.NUMBER, "PHI": Kind.NUMBER, "GEOMETRY": Kind.COUNT}

FORMS = (
    Form("PROJECT RESET"),
    Form("PROJECT LOAD SESSION", Kind.TEXT),
    Form("PROJECT SAVE OUTPUT", Kind.TEXT),
    Form("PREFERENCES SET DENSITY_SCALE", Kind.WORD),
    Form("PREFERENCES SET ENERGY_SCALE", Kind.WORD),
    Form("PREFERENCES SET THRESHOLD", Kind.NUMBER),
    Form("PREFERENCES SET AES_THRESHOLD", Kind.NUMBER),
    Form("PREFERENCES SET PLOT_ZERO", Kind.NUMBER),
    Form("PREFERENCES SET NDIIMFP", Kind.COUNT),
    Form("PREFERENCES SET OUTPUT", None, dict.fromkeys(("SAMPLE", "EXPERIMENT", "PARAMETERS"), Kind.FLAG)),
    Form("SOURCE SET ALKA"),
    Form("SOURCE SET MGKA"),
    Form("SOURCE SET PHOTONS", None, {"ENERGY": Kind.NUMBER}),
    Form("SOURCE SET POLARIZATION", None, {"FRACTION": Kind.NUMBER}),
    Form("SPECTROMETER SET RANGE", Kind.RANGE, _REGION),
    Form("SPECTROMETER ADD REGION", None, {"RANGE": Kind.RANGE}),
    Form("SPECTROMETER DELETE REGION", Kind.COUNT, evidence=Evidence.READ),
    Form("GEOMETRY SET SOURCE", None, _PLACE),
    Form("GEOMETRY SET ANALYZER", None, _PLACE),
    Form("GEOMETRY SET SAMPLE", None, _PLACE),
    Form("GEOMETRY SET APERTURE", None, {"UTHETA": Kind.NUMBER, "GEOMETRY": Kind.COUNT}),
    Form("SAMPLE RESET"),
    Form("SAMPLE SET MATERIAL", Kind.MATERIAL, _LAYER),
    Form("SAMPLE SET THICKNESS", Kind.NUMBER, _LAYER),
    Form("SAMPLE SET DENSITY", Kind.NUMBER, _LAYER),
    Form("SAMPLE SET EGAP", Kind.NUMBER, _LAYER),
    Form("SAMPLE ADD LAYER", Kind.MATERIAL, {"THICKNESS": Kind.NUMBER, "ABOVE": Kind.COUNT}),
    Form("SAMPLE DELETE LAYER", Kind.COUNT),
    Form("SAMPLE PARAMETERS SET DIIMFP", None, {"MATERIAL": Kind.MATERIAL, **_LAYER}),
    Form("SAMPLE PEAK LIST"),
    Form("SAMPLE PEAK DELETE", None, {"PEAK": Kind.COUNT}),
    Form("SAMPLE PEAK SET CHEMSHIFT", None, {"VALUE": Kind.NUMBER, "PEAK": Kind.COUNT}),
    Form("SAMPLE PEAK SET TYPE", Kind.WORD, _PEAK),
    Form("SAMPLE PEAK SET WIDTH", Kind.NUMBER, _PEAK),
    Form("SAMPLE PEAK LOAD DATA", Kind.TEXT, _PEAK),
    Form("MODEL SET SLA", Kind.FLAG),
    Form("MODEL SET TA", Kind.FLAG),
    Form("MODEL SET SE", Kind.FLAG),
    Form("MODEL SET CONVERGENCE", Kind.NUMBER),
    Form("MODEL SET NCOL", Kind.COUNT, _REGION),
    Form("MODEL AUTO NCOL", None, _REGION),
    Form("MODEL SIMULATE"),
    Form("MODEL SAVE SPECTRA", Kind.TEXT),
    Form("MODEL SAVE INTENSITIES", Kind.TEXT),
    Form("MODEL PLOT", None, _REGION),
    Form("PLOT SAVE DATA", Kind.TEXT),
    Form("QUIT"),
)

DONE = Answer(r"\bDone\b", Evidence.SCRIPT)
"""Ends the answer to a command. That each command ends so, and not only MODEL SIMULATE, is as read: see SILENT."""

FAILURES = (
    Answer(r"\*\*\* Error", Evidence.SCRIPT),
    Answer(r"Unhandled unknown exception", Evidence.SCRIPT),
)

SILENT: frozenset[str] = frozenset({"QUIT"})
"""Commands after which no DONE is waited for. A program that ends only some commands so needs the others here."""

REGION_POINTS = 2048
"""Points of a region, evenly spaced from its lower end, the upper end left out. Evidence: files SESSA 2 wrote."""

HIGHER_BINDING = +1.0
"""Sign of CHEMSHIFT for a shift towards higher binding energy. Evidence: READ."""

DENSITY_SCALE = "MASS"
"""g/cm³; without it a density is in atoms/cm³. Evidence: SCRIPT."""

PEAKS_HEADER_LINES = 4
"""`sam_peak.txt`: a line ending in ": N" is the second; rows begin in the fifth. Evidence: SCRIPT."""

TAGGED = re.compile(r"([A-Za-z]{1,2})(?:\[([^\]]*)\])?")
"""An element and its chemical state in the peak list, as in a material: Si[SiO2]. Evidence: READ."""

ROOT = "\\"
COMMENT = "--"
_MATERIAL = re.compile(r"[A-Za-z0-9/().\[\]]+")
_FORMS = {form.words: form for form in FORMS}


def say(words: str, value: Value | None = None, /, **keywords: Value) -> str:
    """The line that gives a command of the table; raises UsageError for what the language cannot express.

    Numbers must be finite; texts hold neither quotes nor control characters, so that nothing but this command is sent.
    """
    form = _FORMS[words]
    parts = [ROOT + form.words]
    if form.value is not None:
        parts.append(_written(form.value, value, words))
    parts += [f"{name} {_written(form.keywords[name], given, words)}" for name, given in keywords.items()]
    return " ".join(parts)


def _written(kind: Kind, value: Value | None, words: str) -> str:
    match kind, value:
        case Kind.FLAG, bool():
            return "true" if value else "false"
        case Kind.COUNT, int() if not isinstance(value, bool) and value >= 0:
            return str(value)
        case Kind.NUMBER, float() | int() if not isinstance(value, bool) and math.isfinite(value):
            return f"{value:.8g}"
        case Kind.RANGE, (float() | int() as low, float() | int() as high) if math.isfinite(low) and low < high < 1e6:
            return f"{low:.8g}:{high:.8g}"
        case Kind.TEXT, str() if value.isprintable() and '"' not in value:
            return f'"{value}"'
        case Kind.WORD, str() if value.replace("_", "").isalnum():
            return value
        case Kind.MATERIAL, str() if _MATERIAL.fullmatch(value):
            return value
    raise UsageError(f"{value!r} is no {kind.value} that SESSA takes", where=f"{ROOT}{words}")
