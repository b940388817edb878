"""What a network learns from XPS spectra: the composition below the overlayer, and the overlayer's thickness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.domain import Arrays, Place
from xpshpc.spectra.learning.augmentation import augment
from xpshpc.spectra.learning.calibration import calibrate, count_errors, test_calibration
from xpshpc.spectra.learning.losses import composition_loss, spread_loss, thickness_loss
from xpshpc.spectra.learning.names import COMPOSITION, SPREAD, THICKNESS, WEIGHT
from xpshpc.spectra.learning.scores import sample_metrics, score, summarise
from xpshpc.spectra.learning.task import XpsTask
from xpshpc.spectra.learning.treatment import check_axis, describe_input, input_shape, treat
from xpshpc.spectra.models import build_network, check_network
from xpshpc.spectra.models.heads import SMALLEST_SPREAD


@dataclass(frozen=True)
class XpsProblem:
    """Composition (atomic fractions of `elements`, sum 1) and overlayer thickness (Å) from a spectrum.

    `kinetic_energy_eV` is the spectra's axis, shape (channels,), for photons of `photon_energy_eV`. `thickness_scale_A`
    is the unit in which the network answers inside and in which a thickness error enters the loss, with the task's
    weight against the composition's: with 0.02 and RMSE the composition counts five to ten times as much all through a
    training, and the thickness is still learned to about 1 Å. If `weighted`, each element's error counts in the loss by
    the array `weight`: less for what the spectrum cannot show. Metrics are not weighted. Raises UsageError for a task
    that the axis is too short for.
    """

    kinetic_energy_eV: NDArray[np.float64]
    elements: tuple[str, ...]
    photon_energy_eV: float
    thickness_scale_A: float
    task: XpsTask = field(default_factory=XpsTask)
    weighted: bool = False

    def __post_init__(self) -> None:
        check_axis(len(self.kinetic_energy_eV), self.task)

    @property
    def reads(self) -> tuple[str, ...]:
        return ("spectrum", COMPOSITION, THICKNESS, *((WEIGHT,) if self.weighted else ()))

    def augment(self, rows: Arrays, place: Place) -> Arrays:
        step_eV = float(self.kinetic_energy_eV[1] - self.kinetic_energy_eV[0])
        return {**rows, "spectrum": augment(rows["spectrum"], self.task.augmentation, step_eV, place)}

    def features(self, rows: Arrays) -> NDArray[np.float32]:
        return treat(rows["spectrum"], self.task)

    def targets(self, rows: Arrays) -> dict[str, NDArray[np.float32]]:
        names = [name for name in self.reads if name != "spectrum"]
        return {name: np.asarray(rows[name], np.float32) for name in names}

    def check_network(self, name: str, parameters: Mapping[str, Any]) -> None:
        check_network(name, parameters, input_shape(len(self.kinetic_energy_eV), self.task))

    def network(self, name: str, parameters: Mapping[str, Any], input_shape: tuple[int, ...], seed: int) -> Any:
        return build_network(
            name,
            parameters,
            input_shape=input_shape,
            elements=len(self.elements),
            thickness_scale_A=self.thickness_scale_A,
            seed=seed,
        )

    def losses(self, truth: Mapping[str, Any], answer: Mapping[str, Any]) -> Any:
        """The losses of composition, thickness and, where the network answers one, spread, as the task weighs them."""
        composition = composition_loss(
            self.task.loss, truth[COMPOSITION], answer[COMPOSITION], truth[WEIGHT] if self.weighted else None
        )
        thickness = thickness_loss(truth[THICKNESS], answer[THICKNESS], self.thickness_scale_A)
        losses = composition + self.task.thickness_share * thickness
        if SPREAD in answer and self.task.spread_weight:
            spread = spread_loss(truth[COMPOSITION], answer[COMPOSITION], answer[SPREAD], SMALLEST_SPREAD)
            losses += self.task.spread_weight * spread
        return losses

    def metrics(self, truth: Arrays, answer: Arrays) -> dict[str, NDArray[np.float64]]:
        return sample_metrics(truth, answer)

    def calibration_sums(self, truth: Arrays, answer: Arrays) -> dict[str, NDArray[np.float64]]:
        return count_errors(truth, answer) if SPREAD in answer else {}

    def calibrate(self, sums: Arrays) -> dict[str, Any]:
        return calibrate(sums) if sums else {}

    def score(self, truth: Arrays, answer: Arrays) -> dict[str, NDArray[np.float64]]:
        return {**score(truth, answer), **self.calibration_sums(truth, answer)}

    def summarise(self, sums: Arrays, calibration: Mapping[str, Any]) -> dict[str, Any]:
        found = summarise(sums, self.elements)
        tested = test_calibration(sums, calibration) if calibration else {}
        return found | ({"calibration": tested} if tested else {})

    def model_card(self) -> dict[str, Any]:
        return {
            "science": "spectra",
            "kinetic_energy_eV": [float(energy) for energy in self.kinetic_energy_eV],
            "photon_energy_eV": self.photon_energy_eV,
            "elements": list(self.elements),
            "input": describe_input(self.task),
            "task": self.task.model_dump(mode="json"),
            "outputs": {
                COMPOSITION: "atomic fraction below the overlayer",
                THICKNESS: "Å",
                SPREAD: "expected absolute error of the composition, atomic fraction",
            },
            "thickness_scale_A": self.thickness_scale_A,
        }
