"""What attempts will take, by what those before them took: seconds, and hours of cores and GPUs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from statistics import fmean

from xpshpc.search.outcome import Outcome
from xpshpc.search.policy import Hours
from xpshpc.search.state import State


@dataclass(frozen=True)
class Forecast:
    """Seconds of a whole training and of one of its epochs, 0 where nothing tells them yet.

    The rates are hours of cores and of GPUs for each second of an attempt: fewer than it has, if it waits for nodes.
    """

    training_s: float
    epoch_s: float
    core_rate: float
    gpu_rate: float

    def seconds(self, epochs: int | None) -> float:
        """What an attempt of so many epochs takes; None: a whole training."""
        return self.training_s if epochs is None else self.epoch_s * epochs


@dataclass(frozen=True)
class UnderWay:
    """An attempt that runs: the seconds since it began, and those it was expected to take."""

    elapsed_s: float
    expected_s: float


def make_forecast(outcomes: Collection[Outcome], *, cores: int, gpus: int) -> Forecast:
    """By the trials that have told how long they take; before that, an attempt holds all its `cores` and `gpus`."""
    finished = [outcome.seconds for outcome in outcomes if outcome.state is State.FINISHED]
    trained = [outcome for outcome in outcomes if outcome.epochs and outcome.seconds]
    seconds = sum(outcome.seconds for outcome in outcomes)
    return Forecast(
        training_s=fmean(finished) if finished else 0.0,
        epoch_s=sum(one.seconds for one in trained) / sum(one.epochs for one in trained) if trained else 0.0,
        core_rate=sum(outcome.core_hours for outcome in outcomes) / seconds if seconds else cores / 3600,
        gpu_rate=sum(outcome.gpu_hours for outcome in outcomes) / seconds if seconds else gpus / 3600,
    )


def foresee_hours(
    forecast: Forecast, outcomes: Collection[Outcome], under_way: Collection[UnderWay], next_s: float
) -> tuple[Hours, Hours]:
    """Hours of cores and of GPUs: spent, bound to be spent by the attempts under way, and those of one of `next_s`."""
    bound_s = sum(max(attempt.elapsed_s, attempt.expected_s) for attempt in under_way)
    cores, gpus = forecast.core_rate, forecast.gpu_rate
    return (
        Hours(sum(outcome.core_hours for outcome in outcomes), bound_s * cores, next_s * cores),
        Hours(sum(outcome.gpu_hours for outcome in outcomes), bound_s * gpus, next_s * gpus),
    )
