"""Wafer maps as the engine sees them: the [wafers] section, its sources, its learning problems and its figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from xpshpc.config import nearest
from xpshpc.domain import Arrays, Panel, Problem
from xpshpc.errors import UsageError
from xpshpc.source import Source
from xpshpc.wafers.settings import WaferSettings

SOURCES = ("originals", "synthetic", "augmented", "generated", "mixture")


class WaferDomain:
    """The domain `wafers`."""

    section = "wafers"
    settings: type[BaseModel] = WaferSettings

    def decisive(self, settings: BaseModel) -> dict[str, Any]:
        from xpshpc.wafers.identity import decisive

        return decisive(_own(settings))

    def decisive_options(self, source: str, options: Mapping[str, Any]) -> dict[str, Any]:
        return {}

    def sources(self) -> tuple[str, ...]:
        return SOURCES

    def source(self, name: str, settings: BaseModel, options: Mapping[str, Any], seed: int) -> Source:
        from xpshpc.wafers.sources import make_source

        if name not in SOURCES:
            raise UsageError(f"unknown source {name!r}{nearest(name, SOURCES)}", where="generate.source")
        if options:
            raise UsageError(f"unknown key(s) {', '.join(sorted(options))}: it has none", where=f"generate.{name}")
        return make_source(name, _own(settings), seed)

    def problem(self, settings: BaseModel, task: Mapping[str, Any]) -> Problem:
        from xpshpc.wafers.learning.problem import make_problem

        return make_problem(_own(settings), task)

    def panels(
        self, settings: BaseModel, rows: Arrays, truth: Arrays, answer: Arrays, metrics: Mapping[str, Any]
    ) -> list[Panel]:
        from xpshpc.wafers.figures.panels import make_panels

        return make_panels(_own(settings), rows, truth, answer, metrics)


def _own(settings: BaseModel) -> WaferSettings:
    assert isinstance(settings, WaferSettings)
    return settings
