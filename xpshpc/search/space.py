"""The space of a search: what each parameter may be, and which keys may be parameters at all."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.config import JobFile, Search, Span, Train, known_keys, nearest
from xpshpc.errors import UsageError
from xpshpc.plan.identity import hash_json
from xpshpc.search.trial import Trial, make_trial, short_key

WHERE = "search.parameters"

_DIGITS = 6
"""Drawn numbers are read by people: so many significant digits."""
_INSIDE = (3 - math.sqrt(5)) / 2
"""A place between the ends of a span that falls on no round number."""


@dataclass(frozen=True)
class Axis:
    """One parameter: a list of values, or a span of numbers."""

    key: str
    values: tuple[Any, ...] | Span

    @property
    def size(self) -> int | None:
        """How many values there are; None where they are not counted."""
        if not isinstance(self.values, Span):
            return len(self.values)
        if self.values.step is None and not self.values.integer:
            return None
        return math.floor((self.values.high - self.values.low) / (self.values.step or 1.0) + 1e-9) + 1

    def at(self, place: int) -> Any:
        """The value at this place of a counted axis."""
        if not isinstance(self.values, Span):
            return self.values[place]
        return self.tidy(self.values.low + place * (self.values.step or 1.0))

    def place(self, value: Any) -> int:
        """Where a counted axis has this value. Raises ValueError where it is none of those listed."""
        if not isinstance(self.values, Span):
            return [hash_json(own) for own in self.values].index(hash_json(value))
        return round(float(value - self.values.low) / (self.values.step or 1.0))

    def weights(self) -> NDArray[np.float64]:
        """How probable each value of a counted axis is, up to a factor."""
        count = self.size or 0
        if not (isinstance(self.values, Span) and self.values.log):
            return np.ones(count)
        numbers = self.values.low + np.arange(count, dtype=np.float64)
        weights: NDArray[np.float64] = np.log1p(1.0 / (numbers - 0.5))
        return weights

    def draw(self, rng: np.random.Generator) -> Any:
        """One value at random."""
        span = self.values
        if not isinstance(span, Span):
            return span[int(rng.integers(len(span)))]
        if self.size is None or span.log:
            margin = 0.5 if span.integer else 0.0
            return self.tidy(_between(span.low - margin, span.high + margin, float(rng.random()), log=span.log))
        return self.at(int(rng.integers(self.size)))

    def probes(self) -> tuple[Any, ...]:
        """Every listed value; of a span both ends and a value inside."""
        span = self.values
        if not isinstance(span, Span):
            return span
        if self.size is not None and not span.log:
            return tuple(self.at(place) for place in sorted({0, self.size // 3, self.size - 1}))
        return tuple(self.tidy(_between(span.low, span.high, share, log=span.log)) for share in (0.0, _INSIDE, 1.0))

    def holds(self, value: Any) -> bool:
        """Whether the axis has this value."""
        span = self.values
        if not isinstance(span, Span):
            return any(hash_json(value) == hash_json(own) for own in span)
        if isinstance(value, bool) or not isinstance(value, int | float) or not span.low <= value <= span.high:
            return False
        if self.size is None:
            return True
        return hash_json(value) == hash_json(self.at(self.place(value)))

    def tidy(self, number: float) -> int | float:
        """A number of a span, in it and as short as it may be written."""
        span = self.values
        assert isinstance(span, Span)
        inside = min(max(number, span.low), span.high)
        if span.integer:
            return round(inside)
        return min(max(float(f"{inside:.{_DIGITS}g}"), span.low), span.high)


@dataclass(frozen=True)
class Space:
    """All parameters of a search together."""

    axes: tuple[Axis, ...]

    @property
    def size(self) -> int | None:
        """How many points there are; None where they are not counted."""
        sizes = [axis.size for axis in self.axes]
        counted = [size for size in sizes if size is not None]
        return math.prod(counted) if len(counted) == len(sizes) else None

    def holds(self, parameters: Mapping[str, Any]) -> bool:
        """Whether this is a point of the space."""
        return parameters.keys() == {axis.key for axis in self.axes} and all(
            axis.holds(parameters[axis.key]) for axis in self.axes
        )


def read_space(search: Search) -> Space:
    """The space of a [search] section."""
    return Space(
        tuple(
            Axis(key, values if isinstance(values, Span) else tuple(values))
            for key, values in search.parameters.items()
        )
    )


def try_values(job_file: JobFile, space: Space) -> tuple[Trial, ...]:
    """A trial for every listed value, and for the ends and the inside of every span.

    Raises UsageError for a key that would change more than the training, naming the value that the job does not take,
    and for two values of a parameter with which the training is the same.
    """
    for axis in space.axes:
        check_key(axis.key, job_file.domain.section)
    company = {axis.key: axis.probes()[0] for axis in space.axes}
    return tuple(trial for axis in space.axes for trial in _try_axis(job_file, axis, company))


def check_key(dotted: str, science: str, where: str = WHERE) -> None:
    """Raises UsageError, with the reason, for a dotted key that a search cannot vary."""
    section, _, rest = dotted.partition(".")
    if section in ("seed", "generate", science):
        why, cure = "it decides the data, and all trials learn from the one data set of the run", "a job for each value"
    elif section == "split":
        why, cure = "trials that are judged by different samples cannot be compared", "a job for each value"
    elif dotted == "train.seed":
        why, cure = "a seed is no setting to choose by its score", "search.repeats, which trains each point repeatedly"
    elif section != "train" or not rest:
        why, cure = "it does not change the training", "keys of [train], as train.learning_rate"
    elif rest.partition(".")[0] not in Train.model_fields:
        raise UsageError(
            f"{dotted}: unknown key{nearest(rest, known_keys(Train, []))}",
            where=where,
            try_="a key of [train], as train.learning_rate",
        )
    else:
        return
    raise UsageError(f"{dotted} cannot be searched over: {why}", where=where, try_=cure)


def _try_axis(job_file: JobFile, axis: Axis, company: Mapping[str, Any]) -> Iterator[Trial]:
    seen: dict[str, Any] = {}
    for value in axis.probes():
        trial = _try_value(job_file, axis.key, value, company)
        if trial.settings in seen:
            name = short_key(axis.key)
            raise UsageError(
                f"two points are the same training: {name} {seen[trial.settings]}; and {name} {value}",
                where=WHERE,
                try_="leave out values that stand twice, and keys that do not change the network",
            )
        seen[trial.settings] = value
        yield trial


def _try_value(job_file: JobFile, key: str, value: Any, company: Mapping[str, Any]) -> Trial:
    """Alone, the value is to blame for what is refused; some values are taken in company only."""
    try:
        return make_trial(job_file, {key: value}, 0)
    except UsageError as alone:
        try:
            return make_trial(job_file, {**company, key: value}, 0)
        except UsageError:
            _, *faults = alone.what.splitlines()
            why = "; ".join(fault.strip() for fault in faults) or alone.what
            raise UsageError(
                f"{key} = {value!r} cannot be taken: {why}", where=WHERE, try_="another value, or another key"
            ) from None


def _between(low: float, high: float, share: float, *, log: bool) -> float:
    if log:
        return math.exp(math.log(low) + (math.log(high) - math.log(low)) * share)
    return low + (high - low) * share
