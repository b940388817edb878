"""The table [search] of a job: which trainings are compared, how, and for how long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import time
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from xpshpc.config.section import Section


class Budget(Section):
    """When a search ends before all of its trials are done."""

    trials: int | None = Field(None, gt=0, description="most trials in all")
    until: time | None = Field(None, description="local time, as 07:00: no trial begins that would end after it")
    core_hours: float | None = Field(None, gt=0, description="most hours of cores, over all trials")
    gpu_hours: float | None = Field(None, gt=0, description="most hours of GPUs, over all trials")


class TrialAllowances(Section):
    """How often a trial may fail for each cause and be tried again. One that diverges is never repeated."""

    killed: int = Field(5, ge=0, description="a signal or the loss of a node ended a rank")
    crash: int = Field(1, ge=0, description="a rank ended with an error of its own")
    environment: int = Field(3, ge=0, description="no rank could be started; after so many in a row the search stops")


class Span(Section):
    """Numbers from `low` to `high` to draw from, for random and tpe."""

    low: float
    high: float
    log: bool = Field(False, description="drawn evenly in the logarithm")
    step: float | None = Field(None, gt=0, description="only low, low + step, …")
    integer: bool = Field(False, description="whole numbers only")

    @model_validator(mode="after")
    def _some_width(self) -> Span:
        if not self.low < self.high:
            raise ValueError(f"low ({self.low:g}) must be smaller than high ({self.high:g})")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("a logarithmic span begins above 0 and has no step")
        if self.integer and any(number % 1 for number in (self.low, self.high, self.step or 1.0)):
            raise ValueError("low, high and step of an integer span are whole numbers")
        return self


class Point(Section):
    """One point of a search that is named and spelt out."""

    name: str = Field(min_length=1, max_length=60)
    parameters: dict[str, Any] = Field(description="values by dotted key of [train]")
    published: dict[str, float] = Field(default_factory=dict, description="what others reached, by metric")
    source: str = Field("", description="where that was published")

    @model_validator(mode="before")
    @classmethod
    def _join_bare_keys(cls, data: Any) -> Any:
        return _with_dotted_parameters(data)


class Halving(Section):
    """Poor trials are stopped early: asynchronous successive halving (Li et al. 2020, arXiv:1810.05934)."""

    first_epochs: int = Field(1, gt=0, description="epochs after which trials are first compared")
    factor: int = Field(3, ge=2, le=10, description="one in so many goes on, for so many times the epochs")


def _kind_of_values(told: Any) -> str:
    """Of the two that values may be, the one of which faults are told: a table is a span, all else is a list."""
    return "span" if isinstance(told, Mapping | Span) else "values"


Values = Annotated[
    Annotated[list[Any], Field(min_length=1), Tag("values")] | Annotated[Span, Tag("span")],
    Discriminator(_kind_of_values),
]


class Search(Section):
    """Trainings with other settings on the same data, compared by what they reach on the validation shards."""

    strategy: Literal["grid", "random", "tpe"] = "grid"
    parameters: dict[str, Values] = Field(
        default_factory=dict, description="values to try by dotted key of [train], or for random and tpe a span"
    )
    points: tuple[Point, ...] = Field((), description="points spelt out, trained before all others")
    draws: int | None = Field(None, gt=0, le=10_000, description="random and tpe: how many points are drawn")
    repeats: int = Field(1, gt=0, le=1000, description="trainings of each point, each with a training seed of its own")
    halving: Halving | None = None
    parallel: int = Field(1, gt=0, le=1000, description="trials at a time, as far as the profile has room for them")
    evaluate: bool = Field(False, description="score every finished network on the held-out shards too")
    metric: str = Field("loss", description="validation metric by which trials are compared")
    goal: Literal["smallest", "largest"] | None = Field(None, description="unset: as the metric's name tells")
    budget: Budget = Budget()
    allowances: TrialAllowances = TrialAllowances()

    @model_validator(mode="before")
    @classmethod
    def _join_bare_keys(cls, data: Any) -> Any:
        return _with_dotted_parameters(data)

    @model_validator(mode="after")
    def _something_to_try(self) -> Search:
        if not self.parameters and not self.points:
            raise ValueError("nothing to try: parameters or points must be given")
        drawn = self.strategy != "grid"
        spans = [key for key, values in self.parameters.items() if isinstance(values, Span)]
        if spans and not drawn:
            raise ValueError(f'{spans[0]} is a span: list its values, or strategy = "random" or "tpe"')
        if drawn != (self.draws is not None):
            raise ValueError('strategy = "random" or "tpe" and `draws`, the number of points, go together')
        if drawn and not self.parameters:
            raise ValueError(f"strategy = {self.strategy!r} draws from parameters, and none are given")
        if len({point.name for point in self.points}) < len(self.points):
            raise ValueError("two points have the same name")
        return self


def _with_dotted_parameters(data: Any) -> Any:
    """TOML reads a dotted key without quotation marks as tables: they are joined again."""
    if isinstance(data, dict) and isinstance(data.get("parameters"), dict):
        return {**data, "parameters": dict(_dotted(data["parameters"]))}
    return data


def _dotted(tables: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The values of nested tables by their dotted keys."""
    for key, value in tables.items():
        if isinstance(value, dict) and not {"low", "high"} & value.keys():
            yield from ((f"{key}.{inner}", item) for inner, item in _dotted(value))
        else:
            yield key, value
