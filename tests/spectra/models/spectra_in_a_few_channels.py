"""Simulated spectra and networks so small that a test can train them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.config import validate_job
from xpshpc.spectra.elements import ELEMENT_INDEX
from xpshpc.spectra.learning.problem import XpsProblem
from xpshpc.spectra.learning.task import XpsTask

CHANNELS, ELEMENTS = 96, ("C", "O", "Cu")

SMALL: dict[str, dict[str, Any]] = {
    "vanilla_cnn": {"filters_1": 4, "kernel_1": 9, "filters_2": 4, "kernel_2": 5, "features": 16},
    "dnn": {"widths": [48, 24]},
    "inception": {"entry_filters": 4, "entry_kernel": 9, "stages": [[8], [16]], "kernels": [3, 5], "features": 16},
    "resnet27": {"entry_kernel": 9, "widths": [8, 16], "blocks": 1, "features": 16},
    "multikernel": {
        "dense": 48,
        "kernels": [3, 9],
        "filters": 4,
        "joined_filters": 2,
        "thickness_units": 8,
        "composition_units": 32,
        "dropout": 0.0,
    },
}
"""Parameters of every network for these spectra."""


def small_problem(**task: Any) -> XpsProblem:
    """The learning problem of a job with a short axis, whose networks answer its elements alone."""
    return XpsProblem(np.linspace(400, 1486, CHANNELS), ELEMENTS, 1486.6, 10.0, XpsTask.model_validate(task))


def simulated(samples: int) -> dict[str, NDArray[Any]]:
    """Rows as a store holds them, of three elements."""
    job_file = validate_job(
        {
            "name": "small",
            "seed": 5,
            "generate": {"samples": samples, "shard_samples": samples, "inner_chunk_samples": samples},
            "spectra": {
                "samples": {"elements": list(ELEMENTS), "elements_per_sample": [1, 2]},
                "instrument": {"channels": CHANNELS},
            },
        },
        where="test",
        folder=Path(),
    )
    source = job_file.domain.source("embedded", job_file.settings, {}, job_file.job.seed)
    rows = source.make(np.arange(samples))
    return {**rows, "composition": rows["composition"][:, [ELEMENT_INDEX[element] for element in ELEMENTS]]}
