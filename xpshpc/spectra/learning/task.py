"""The table [train.task] of a job on spectra: how a spectrum is handed to the network, and what the loss is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from xpshpc.config import Section, tell_faults
from xpshpc.errors import UsageError

InputName = Literal["unit", "area", "snv", "smoothed", "peaks"]
LossName = Literal["rmse", "mae", "weighted_square", "cross_entropy", "cross_entropy_mae"]

_THICKNESS_WEIGHTS: Mapping[LossName, float] = {
    "rmse": 0.02,
    "mae": 0.002,
    "weighted_square": 0.001,
    "cross_entropy": 0.2,
    "cross_entropy_mae": 0.8,
}
"""With these the composition counts a few times as much as the thickness, though the losses differ in size."""


class Augmentation(Section):
    """What is done to training spectra on the fly; 0 or unset leaves it out. Validation and test stay as stored."""

    dose: tuple[float, float] | None = Field(
        None, description="counts of the strongest channel, drawn log-uniformly, whose shot noise is added"
    )
    shift_eV: float = Field(0.0, ge=0, le=20, description="largest shift of the whole spectrum, either way")
    gain: float = Field(0.0, ge=0, lt=1, description="largest relative change of the gain between the axis' two ends")
    background: float = Field(
        0.0, ge=0, le=1, description="largest height of an added smooth background, of the strongest channel"
    )

    @model_validator(mode="after")
    def _doses_rise(self) -> Augmentation:
        if self.dose is not None and not 0 < self.dose[0] <= self.dose[1]:
            raise ValueError("dose takes two numbers above 0, the smaller one first")
        return self


class XpsTask(Section):
    """How spectra are learned from."""

    input: InputName = Field(
        "unit",
        description="unit: stretched to [0, 1]; area: divided by its own area; snv: standard normal variate: mean 0, "
        "standard deviation 1; smoothed: Savitzky-Golay, then [0, 1]; peaks: position and height of the strongest only",
    )
    smoothing_channels: int = Field(11, ge=3, le=201, description="input smoothed: width of the filter, odd")
    smoothing_degree: int = Field(3, ge=0, le=9, description="input smoothed: degree of its polynomial")
    peaks: int = Field(32, gt=0, le=512, description="input peaks: how many")
    loss: LossName = Field(
        "rmse",
        description="of the composition y against the truth t, weighted by detectability where the samples ask for it. "
        "rmse: root of the mean square over the elements; mae: mean |y-t|; weighted_square: sum of t^2 (t-y)^2; "
        "cross_entropy: -sum of t ln y; cross_entropy_mae: that, and 8 times the sum of |y-t|",
    )
    thickness_weight: float | None = Field(
        None,
        ge=0,
        description="weight of the thickness error beside the composition's; unset: as fits the loss, "
        + ", ".join(f"{name} {weight:g}" for name, weight in _THICKNESS_WEIGHTS.items()),
    )
    spread_weight: float = Field(
        1e-3,
        ge=0,
        description="weight of the loss by which networks learn how large their own errors are; what they answer does "
        "not depend on it, but for its share in the norm that a gradient clip looks at; the told loss does",
    )
    augmentation: Augmentation = Augmentation()

    @field_validator("smoothing_channels")
    @classmethod
    def _odd(cls, channels: int) -> int:
        if channels % 2 == 0:
            raise ValueError(f"{channels} is even; the filter has a middle: {channels - 1} or {channels + 1}")
        return channels

    @model_validator(mode="after")
    def _filter_smooths(self) -> XpsTask:
        if self.smoothing_degree >= self.smoothing_channels:
            raise ValueError(
                f"smoothing_degree {self.smoothing_degree} needs more than {self.smoothing_channels} smoothing_channels"
            )
        return self

    @property
    def thickness_share(self) -> float:
        """The weight of the thickness error in the loss."""
        return _THICKNESS_WEIGHTS[self.loss] if self.thickness_weight is None else self.thickness_weight


def read_task(told: Mapping[str, Any]) -> XpsTask:
    """Validates the table. Raises UsageError naming every fault, with the nearest known key where one is unknown."""
    try:
        return XpsTask.model_validate(dict(told))
    except ValidationError as error:
        raise UsageError("; ".join(tell_faults(error, XpsTask)), where="train.task") from None
