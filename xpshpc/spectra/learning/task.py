"""The table [train.task] of a job on spectra: how a spectrum is handed to the network, and what the loss is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError

from xpshpc.config import Section, known_keys, nearest
from xpshpc.errors import UsageError

InputName = Literal["unit", "area", "smoothed", "peaks"]
LossName = Literal["rmse", "mae", "weighted_square", "cross_entropy"]


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


class XpsTask(Section):
    """How spectra are learned from."""

    input: InputName = Field(
        "unit",
        description="unit: stretched to [0, 1]; area: divided by its own area; smoothed: Savitzky-Golay, then [0, 1]; "
        "peaks: position and height of the strongest peaks only",
    )
    smoothing_channels: int = Field(11, ge=3, le=201, description="input smoothed: width of the filter, odd")
    smoothing_degree: int = Field(3, ge=0, le=9, description="input smoothed: degree of its polynomial")
    peaks: int = Field(32, gt=0, le=512, description="input peaks: how many")
    loss: LossName = "rmse"
    thickness_weight: float = Field(0.02, ge=0, description="weight of the thickness error beside the composition's")
    spread_weight: float = Field(0.01, ge=0, description="weight of the loss by which networks learn their own errors")
    augmentation: Augmentation = Augmentation()


def read_task(told: Mapping[str, Any]) -> XpsTask:
    """Validates the table. Raises UsageError naming every fault, with the nearest known key where one is unknown."""
    try:
        return XpsTask.model_validate(dict(told))
    except ValidationError as error:
        faults = []
        for fault in error.errors():
            keys = [str(key) for key in fault["loc"]]
            if fault["type"] == "extra_forbidden":
                faults.append(f"{'.'.join(keys)}: unknown key{nearest(keys[-1], known_keys(XpsTask, keys[:-1]))}")
            else:
                faults.append(f"{'.'.join(keys)}: {fault['msg'].removeprefix('Value error, ')}")
        raise UsageError("; ".join(faults), where="train.task") from None
