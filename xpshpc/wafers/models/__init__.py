"""Networks for wafer maps, by what they are for and by name: one file each, with its sizes as parameters.

A classifier takes (n, size, size, 2), channel 0 the failed dies and channel 1 the wafer, and answers `class`,
(n, classes), which sums to 1. Its layer `features` holds what it makes of a map before it answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from xpshpc.config import nearest, tell_faults
from xpshpc.errors import UsageError

Goal = Literal["classify", "generate"]
"""What a network is for."""

NETWORKS: Mapping[Goal, tuple[str, ...]] = {
    "classify": ("wafer_cnn", "efficientnet_lite0"),
    "generate": ("dcgan",),
}
"""The known names. Each is a module here with a pydantic model `Parameters` and functions `check_fit` and `build`."""


def check_network(goal: Goal, name: str, parameters: Mapping[str, Any], size: int) -> BaseModel:
    """The validated parameters of a network for maps of `size` dies across; TensorFlow is not needed for it.

    Raises UsageError for an unknown network or parameter, or a network that does not fit the maps or the goal.
    """
    known = NETWORKS[goal]
    if name not in known:
        other = next((other for other, names in NETWORKS.items() if name in names), None)
        if other is not None:
            raise UsageError(
                f"{name} is a network to {other}, and the task is to {goal}",
                where="train.network",
                try_=f'train.task.goal = "{other}", or network = "{known[0]}"',
            )
        raise UsageError(f"unknown network {name!r}{nearest(name, known)}", where="train.network")
    module = network_module(name)
    model: type[BaseModel] = module.Parameters
    try:
        checked = model.model_validate(dict(parameters))
    except ValidationError as error:
        raise UsageError("; ".join(tell_faults(error, model)), where=f"train.parameters of {name}") from None
    module.check_fit(checked, size)
    return checked


def network_module(name: str) -> Any:
    """The module of a known network; TensorFlow is not loaded with it."""
    return import_module(f"{__name__}.{name}")
