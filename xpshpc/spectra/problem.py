"""What a network learns from XPS spectra: the composition below the overlayer, and the overlayer's thickness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.domain import Arrays
from xpshpc.spectra.models import build_network, check_network

COMPOSITION = "composition"
THICKNESS = "overlayer_thickness"
WEIGHT = "weight"
DETECTED = 0.01
"""Atomic fraction from which on an element counts as detected."""

_TINY = 1e-12


@dataclass(frozen=True)
class XpsProblem:
    """Composition (atomic fractions of `elements`, sum 1) and overlayer thickness (Å) from a spectrum.

    `kinetic_energy_eV` is the spectra's axis, shape (channels,), for photons of `photon_energy_eV`. `thickness_scale_A`
    is the unit in which the network answers inside and in which a thickness error enters the loss; `thickness_weight`
    is that error's weight against the composition's RMSE: with 0.02 the composition counts five to ten times as much
    all through a training, and the thickness is still learned to about 1 Å. If `weighted`, each element's error counts
    in the loss by the array `weight`: less for what the spectrum cannot show. Metrics are not weighted.
    """

    kinetic_energy_eV: NDArray[np.float64]
    elements: tuple[str, ...]
    photon_energy_eV: float
    thickness_scale_A: float
    thickness_weight: float = 0.02
    weighted: bool = False

    @property
    def reads(self) -> tuple[str, ...]:
        return ("spectrum", COMPOSITION, THICKNESS, *((WEIGHT,) if self.weighted else ()))

    def features(self, rows: Arrays) -> NDArray[np.float32]:
        return normalise(rows["spectrum"])

    def targets(self, rows: Arrays) -> dict[str, NDArray[np.float32]]:
        names = [name for name in self.reads if name != "spectrum"]
        return {name: np.asarray(rows[name], np.float32) for name in names}

    def check_network(self, name: str, parameters: Mapping[str, Any]) -> None:
        check_network(name, parameters, len(self.kinetic_energy_eV))

    def network(self, name: str, parameters: Mapping[str, Any], input_shape: tuple[int, ...], seed: int) -> Any:
        return build_network(
            name,
            parameters,
            channels=input_shape[0],
            elements=len(self.elements),
            thickness_scale_A=self.thickness_scale_A,
            seed=seed,
        )

    def losses(self, truth: Mapping[str, Any], answer: Mapping[str, Any]) -> Any:
        """RMSE over the elements, plus the weighted thickness error in units of the scale; a tensor (n,)."""
        import tensorflow as tf

        squares = tf.math.squared_difference(answer[COMPOSITION], truth[COMPOSITION])
        if self.weighted:
            squares *= truth[WEIGHT]
        composition = tf.sqrt(tf.reduce_mean(squares, axis=-1) + _TINY)
        apart = tf.abs(tf.reshape(answer[THICKNESS], [-1]) - tf.reshape(truth[THICKNESS], [-1]))
        return composition + self.thickness_weight / self.thickness_scale_A * apart

    def metrics(self, truth: Arrays, answer: Arrays) -> dict[str, NDArray[np.float64]]:
        """Accuracy 1 − Σ|y′−y|/2, RMSE over the elements, and the thickness error in Å, of each sample."""
        error = _error(truth, answer, COMPOSITION)
        return {
            "accuracy": 1.0 - 0.5 * np.abs(error).sum(axis=1),
            "rmse": np.sqrt((error**2).mean(axis=1)),
            "thickness_mae_A": np.abs(_error(truth, answer, THICKNESS).reshape(-1)),
        }

    def score(self, truth: Arrays, answer: Arrays) -> dict[str, NDArray[np.float64]]:
        """Sums over samples: scalars, and one value for each element."""
        error = _error(truth, answer, COMPOSITION)
        true = np.asarray(truth[COMPOSITION], np.float64)
        present, said = true >= DETECTED, np.asarray(answer[COMPOSITION], np.float64) >= DETECTED
        sums = {
            **self.metrics(truth, answer),
            "samples": np.ones(len(error)),
            "thickness_bias_A": _error(truth, answer, THICKNESS).reshape(-1),
            "element.present": true > 0,
            "element.error": error,
            "element.absolute": np.abs(error),
            "element.square": error**2,
            "element.absolute_present": np.abs(error) * (true > 0),
            "element.true_positive": present & said,
            "element.false_positive": ~present & said,
            "element.false_negative": present & ~said,
        }
        return {name: np.sum(values, axis=0, dtype=np.float64) for name, values in sums.items()}

    def summarise(self, sums: Arrays) -> dict[str, Any]:
        """Means over samples, and for each element its errors (atomic fractions) and how well it is detected.

        `rmse` is the mean over samples of each one's RMSE; an element's `mae`, `rmse` and `bias` are over all samples,
        `mae_present` over those that hold it; `precision` and `recall` are for 1 at.% and more. What has no samples is
        None.
        """
        samples = float(sums["samples"])
        whole = ("accuracy", "rmse", "thickness_mae_A", "thickness_bias_A")
        means = {name: float(sums[name]) / samples for name in whole}
        elements = {}
        for place, element in enumerate(self.elements):
            of = {
                name.removeprefix("element."): float(sums[name][place]) for name in sums if name.startswith("element.")
            }
            elements[element] = {
                "present": round(of["present"]),
                "mae": of["absolute"] / samples,
                "mae_present": _ratio(of["absolute_present"], of["present"]),
                "rmse": float(np.sqrt(of["square"] / samples)),
                "bias": of["error"] / samples,
                "precision": _ratio(of["true_positive"], of["true_positive"] + of["false_positive"]),
                "recall": _ratio(of["true_positive"], of["true_positive"] + of["false_negative"]),
            }
        return {**means, "elements": elements}

    def model_card(self) -> dict[str, Any]:
        return {
            "science": "spectra",
            "kinetic_energy_eV": [float(energy) for energy in self.kinetic_energy_eV],
            "photon_energy_eV": self.photon_energy_eV,
            "elements": list(self.elements),
            "input": "each spectrum stretched from its minimum (0) to its maximum (1)",
            "outputs": {COMPOSITION: "atomic fraction below the overlayer", THICKNESS: "Å"},
            "thickness_scale_A": self.thickness_scale_A,
            "thickness_weight": self.thickness_weight,
        }


def normalise(spectra: NDArray[Any]) -> NDArray[np.float32]:
    """Spectra (n, channels) stretched to [0, 1], each by its own minimum and maximum; a flat one becomes zeros.

    What is not finite stays so: a spectrum with a NaN in it gives NaN, not a plausible answer.
    """
    stretched = np.array(spectra, np.float32)
    low = stretched.min(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", over="ignore"):
        spread = stretched.max(axis=1, keepdims=True) - low
        stretched -= low
        stretched /= np.where(spread == 0, np.float32(1), spread)
    return stretched


def _error(truth: Arrays, answer: Arrays, name: str) -> NDArray[np.float64]:
    true = np.asarray(truth[name], np.float64)
    return np.asarray(answer[name], np.float64).reshape(true.shape) - true


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
