"""XPS as the engine sees it: the [spectra] section, its sources, its learning problem and its figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from xpshpc.config import nearest
from xpshpc.domain import Arrays, Panel, Problem
from xpshpc.errors import UsageError
from xpshpc.source import Source
from xpshpc.spectra.settings import SpectraSettings


class SpectraDomain:
    """The domain `spectra`."""

    section = "spectra"
    settings: type[BaseModel] = SpectraSettings

    def decisive(self, settings: BaseModel) -> dict[str, Any]:
        return _own(settings).decisive()

    def decisive_options(self, source: str, options: Mapping[str, Any]) -> dict[str, Any]:
        return {"version": options["version"]} if "version" in options else {}

    def sources(self) -> tuple[str, ...]:
        return ("embedded", "sessa")

    def source(self, name: str, settings: BaseModel, options: Mapping[str, Any], seed: int) -> Source:
        from xpshpc.spectra.embedded import EmbeddedSource
        from xpshpc.spectra.matter.sample import parse_formula

        if name not in self.sources():
            raise UsageError(f"unknown source {name!r}{nearest(name, self.sources())}", where="generate.source")
        parse_formula(_own(settings).samples.overlayer)
        parse_formula(_own(settings).measured.unknown)
        if name == "sessa":
            from xpshpc.spectra.sessa.source import SessaSource

            return SessaSource(_own(settings), options, seed)
        if options:
            raise UsageError(f"unknown key(s) {', '.join(sorted(options))}: it has none", where=f"generate.{name}")
        return EmbeddedSource(_own(settings), seed)

    def problem(self, settings: BaseModel, task: Mapping[str, Any]) -> Problem:
        from xpshpc.spectra.elements import ELEMENTS
        from xpshpc.spectra.learning.problem import XpsProblem
        from xpshpc.spectra.learning.task import read_task
        from xpshpc.spectra.lines.sources import xray_sources

        instrument, samples = _own(settings).instrument, _own(settings).samples
        photon = xray_sources()[instrument.source].photon_energy_eV
        return XpsProblem(
            instrument.energy_axis(),
            ELEMENTS,
            photon,
            max(0.25 * samples.overlayer_A[1], 1.0),
            read_task(task),
            weighted=samples.undetectable == "down_weight",
        )

    def panels(
        self, settings: BaseModel, rows: Arrays, truth: Arrays, answer: Arrays, metrics: Mapping[str, Any]
    ) -> list[Panel]:
        from xpshpc.spectra.figures.panels import make_panels

        return make_panels(_own(settings), rows, truth, answer, metrics)


def _own(settings: BaseModel) -> SpectraSettings:
    assert isinstance(settings, SpectraSettings)
    return settings
