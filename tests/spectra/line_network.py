"""A real Keras network whose answers are known beforehand, with its card, and spectra for it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.spectra.elements import ELEMENT_INDEX, ELEMENTS
from xpshpc.spectra.learning.calibration import FLOOR, LEVELS, RANGES

DATA = Path(__file__).parents[3] / "shared" / "data" / "xps"
AXIS = 400.0 + np.arange(2048) * (1486.0 - 400.0) / 2048
MAIN_LINES = {"Cu": 553.9, "Ni": 632.5, "O": 955.6, "C": 1201.8}
"""Kinetic energies of Cu 2p3/2, Ni 2p3/2, O 1s and C 1s under Al Kα, eV."""

THICKNESS_A = 7.25
SPREAD = 0.0117
"""What the network believes of every one of its fractions."""

CALIBRATION: dict[str, Any] = {
    "method": "split conformal",
    "floor": FLOOR,
    "ranges": [list(bounds) for bounds in RANGES],
    "levels": list(LEVELS),
    "factors": [[None] * 4, [None] * 4, [0.1, 0.2, 0.5, 0.8], [0.2, 0.4, 1.0, 1.3], [0.3, 0.5, 1.5, 2.0], [1, 2, 3, 4]],
    "n": [9, 9, 900, 900, 900, 900],
    "fewest": 50,
}


def line_filter(energy: float) -> NDArray[np.float64]:
    """Weights that see a step of intensity at a line and nothing of a smooth background."""
    line = (np.abs(AXIS - energy) < 3.0).astype(float)
    beside = (np.abs(AXIS - energy - 12.0) < 3.0).astype(float)
    return line / line.sum() - beside / beside.sum()


def save_network(run: Path, *, spread: bool = False, sees_area: bool = False) -> None:
    """Saves a network that weighs four lines against one another.

    The thickness is a constant or, if the network `sees_area`, the mean of its input.
    """
    import keras

    kernel = np.zeros((2048, len(ELEMENTS)))
    bias = np.full(len(ELEMENTS), -60.0)
    for element, energy in MAIN_LINES.items():
        kernel[:, ELEMENT_INDEX[element]] = 12.0 * line_filter(energy)
        bias[ELEMENT_INDEX[element]] = 0.0
    entry = keras.Input((2048,))
    shares = keras.layers.Dense(len(ELEMENTS), activation="softmax", name="composition")
    depth = keras.layers.Dense(1, name="overlayer_thickness")
    outputs = {"composition": shares(entry), "overlayer_thickness": depth(entry)}
    if spread:
        apart = keras.layers.Dense(len(ELEMENTS), name="composition_spread")
        outputs["composition_spread"] = apart(entry)
        apart.set_weights([np.zeros((2048, len(ELEMENTS))), np.full(len(ELEMENTS), SPREAD)])
    network = keras.Model(entry, outputs)
    shares.set_weights([kernel, bias])
    depth.set_weights([np.full((2048, 1), sees_area / 2048), np.array([0.0 if sees_area else THICKNESS_A])])
    (run / "train").mkdir()
    network.save(run / "train" / "model.keras")


def write_card(run: Path, **changed: object) -> None:
    card = {
        "kinetic_energy_eV": AXIS.tolist(),
        "elements": list(ELEMENTS),
        "photon_energy_eV": 1486.6,
        "science": "xps",
    }
    (run / "train" / "model.json").write_text(json.dumps({**card, **changed}))


def model_hash(run: Path) -> str:
    return hashlib.sha256((run / "train" / "model.keras").read_bytes()).hexdigest()


def survey(path: Path, element: str, *, head: str = "# hv=1486.6\n# kinetic energy,counts\n", low: float = 380) -> Path:
    energy = np.arange(low, 1490.0, 0.4)
    counts = 4000 * np.exp(-(((energy - MAIN_LINES[element]) / 1.5) ** 2)) + 600
    path.write_text(head + "".join(f"{e:.2f},{c:.3f}\n" for e, c in zip(energy, counts, strict=True)))
    return path
