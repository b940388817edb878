"""A trained network asked for the composition of spectra, and what it may promise of its answers."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.run_directory import RunDirectory
from xpshpc.spectra.learning.names import COMPOSITION, SPREAD, THICKNESS
from xpshpc.spectra.learning.treatment import treat
from xpshpc.spectra.model_card import TRAIN_FIRST, ModelCard
from xpshpc.spectra.quiet_keras import import_keras

STATED = 0.9
"""The probability with which a stated interval holds the truth."""


@dataclass(frozen=True, eq=False)
class NetworkAnswer:
    """`composition` (n, elements) in atomic fractions, the overlayer's thickness (n,) in Å, and half the width of each
    fraction's interval, (n, elements), NaN where nothing is claimed; None where nothing is claimed of any."""

    composition: NDArray[np.float64]
    overlayer_A: NDArray[np.float64]
    half_width: NDArray[np.float64] | None


def ask_network(card: ModelCard, rows: NDArray[np.float64]) -> NetworkAnswer:
    """The answers to spectra on the card's axis, (n, channels), treated as the card says.

    Raises UsageError for a model that cannot be loaded or does not fit its card.
    """
    keras = import_keras()
    try:
        network = keras.models.load_model(card.model, compile=False, safe_mode=True)
    except (ValueError, TypeError, KeyError, OSError) as error:
        reason = str(error).strip().split("\n")[0]
        raise UsageError(f"the model cannot be loaded: {reason}", where=str(card.model), try_=TRAIN_FIRST) from None
    inputs = treat(rows, card.task)
    expected = network.input_shape[1:]
    if expected != inputs.shape[1:]:
        raise UsageError(
            f"the network reads {_size(expected)}, its card's axis gives {_size(inputs.shape[1:])}",
            where=str(card.model),
            try_=TRAIN_FIRST,
        )
    answer = network.predict(inputs, verbose=0)
    composition = np.asarray(answer[COMPOSITION], dtype=np.float64)
    if composition.shape[1] != len(card.elements):
        raise UsageError(
            f"the network names {composition.shape[1]} elements, its card {len(card.elements)}",
            where=str(card.model),
            try_=TRAIN_FIRST,
        )
    half_width = None
    if card.calibration is not None and STATED in card.calibration.levels and SPREAD in answer:
        half_width = card.calibration.half_width(composition, answer[SPREAD], STATED)
    thickness = np.asarray(answer[THICKNESS], dtype=np.float64).reshape(len(rows))
    return NetworkAnswer(composition, thickness, half_width)


def measured_coverage(card: ModelCard) -> float | None:
    """How often the stated intervals held the truth of held-out samples, for elements named with 0.1 at.% or more.

    None where the run beside the model has not evaluated this very model.
    """
    run = RunDirectory(card.model.parent.parent)
    try:
        told = json.loads((run.evaluate / "metrics.json").read_bytes())
        if card.sha256 is None or told["question"]["model_sha256"] != card.sha256:
            return None
        tested = told["calibration"]
        share = tested["coverage"]["named"][tested["levels"].index(STATED)]
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None
    return None if share is None else float(share)


def _size(shape: tuple[int | None, ...]) -> str:
    return f"{shape[0]} channels" if len(shape) == 1 else f"inputs of {' × '.join(map(str, shape))}"
