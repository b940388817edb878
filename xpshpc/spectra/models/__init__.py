"""Networks for spectra, by name: one file each, with its sizes as parameters.

A network takes treated spectra, (n, channels), or peaks, (n, peaks, 2), and answers a dict: `composition`,
(n, elements), sums to 1; `composition_spread`, (n, elements), is how far each fraction is expected to be off;
`overlayer_thickness`, (n,), is in Å. Its layer `features` holds what it makes of a spectrum before it answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from pydantic import BaseModel, ValidationError

from xpshpc.config import nearest, tell_faults
from xpshpc.errors import UsageError

NETWORKS = ("vanilla_cnn", "dnn", "inception", "resnet27", "multikernel")
"""The known names. Each is a module here with a pydantic model `Parameters` and a function `build`."""


def check_network(name: str, parameters: Mapping[str, Any], input_shape: tuple[int, ...]) -> BaseModel:
    """The validated parameters of a network for inputs of a shape; TensorFlow is not needed for it.

    Raises UsageError for an unknown network or parameter, or a network that does not fit the input.
    """
    if name not in NETWORKS:
        raise UsageError(f"unknown network {name!r}{nearest(name, NETWORKS)}", where="train.network")
    model: type[BaseModel] = _module(name).Parameters
    try:
        checked = model.model_validate(dict(parameters))
    except ValidationError as error:
        raise UsageError("; ".join(tell_faults(error, model)), where=f"train.parameters of {name}") from None
    _module(name).check_fit(checked, input_shape)
    return checked


def build_network(
    name: str,
    parameters: Mapping[str, Any],
    *,
    input_shape: tuple[int, ...],
    elements: int,
    thickness_scale_A: float,
    seed: int,
) -> Any:
    """A fresh `keras.Model`, its first weights decided by `seed`. Raises what `check_network` raises."""
    checked = check_network(name, parameters, input_shape)
    return _module(name).build(checked, input_shape, elements, thickness_scale_A, seed)


def _module(name: str) -> Any:
    return import_module(f"{__name__}.{name}")
