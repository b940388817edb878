"""The table [train.task] of a job that learns to name the pattern of a wafer map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from xpshpc.config import Section, tell_faults
from xpshpc.errors import UsageError

Weighing = Literal["none", "root", "balanced"]
Weight = Annotated[float, Field(ge=0, le=1e4)]


class Changes(Section):
    """What is done to training maps on the fly. Validation and test stay as stored."""

    symmetries: bool = Field(True, description="one of the eight flips and quarter turns, which move whole dies")
    rotation_degrees: float = Field(
        0.0, ge=0, le=180, description="largest further rotation, either way; dies come from the nearest place"
    )


class ClassifyTask(Section):
    """How classes are learned."""

    goal: Literal["classify"] = "classify"
    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="share of each label that is spread over all classes in the loss"
    )
    class_weights: Weighing | dict[str, Weight] = Field(
        "none",
        description="of a sample in the loss. none: all alike; balanced: 1 / share of its class, so that all classes "
        "count alike; root: its square root; or a table of weights by class, 1 for those that are not in it",
    )
    augmentation: Changes = Changes()


def read_task(told: Mapping[str, Any]) -> ClassifyTask:
    """Validates the table. Raises UsageError naming every fault, with the nearest known key where one is unknown."""
    try:
        return ClassifyTask.model_validate(dict(told))
    except ValidationError as error:
        raise UsageError("; ".join(tell_faults(error, ClassifyTask)), where="train.task") from None
