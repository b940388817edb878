"""The table [train.task] of a job that learns to make maps: what an image is, and what keeps two networks even."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError

from xpshpc.config import Section, known_keys, nearest
from xpshpc.errors import UsageError

Encoding = Literal["fail", "three"]
LossName = Literal["cross_entropy", "hinge", "least_squares"]


class GenerationTask(Section):
    """How two networks learn to make maps."""

    goal: Literal["generate"] = "generate"
    encoding: Encoding = Field(
        "fail", description="fail: an image is 1 where a die fails and -1 elsewhere; three: -1 off the wafer, 0, 1"
    )
    conditional: bool = Field(False, description="one generator that is told the class, in the place of one a class")
    latent: int = Field(64, gt=0, le=4096, description="numbers from which an image is made")
    loss: LossName = Field(
        "cross_entropy",
        description="cross_entropy: non-saturating (10.1145/3422622); hinge (arXiv:1705.02894); least_squares "
        "(10.1109/ICCV.2017.304)",
    )
    label_smoothing: float = Field(
        0.1, ge=0, lt=0.5, description="how far below 1 a real image's aim is (arXiv:1606.03498); loss hinge has no aim"
    )
    instance_noise: float = Field(
        0.3, ge=0, le=2, description="deviation of the noise on what the discriminator sees at first"
    )
    noise_epochs: int = Field(100, gt=0, description="epochs in which that noise falls to nothing")
    discriminator_steps: int = Field(1, gt=0, le=10, description="for one of the generator")
    discriminator_rate: float = Field(0.5, gt=0, le=10, description="its learning rate, of train.learning_rate")
    average: float = Field(
        0.995, ge=0, lt=1, description="share of the saved generator that a step leaves; 0 saves it as it is trained"
    )


def read_generation_task(told: Mapping[str, Any]) -> GenerationTask:
    """Validates the table. Raises UsageError naming every fault, with the nearest known key where one is unknown."""
    try:
        return GenerationTask.model_validate(dict(told))
    except ValidationError as error:
        faults = []
        for fault in error.errors():
            key = ".".join(map(str, fault["loc"]))
            if fault["type"] == "extra_forbidden":
                faults.append(f"{key}: unknown key{nearest(key, known_keys(GenerationTask, []))}")
            else:
                faults.append(f"{key}: {fault['msg'].removeprefix('Value error, ')}")
        raise UsageError("; ".join(faults), where="train.task") from None
