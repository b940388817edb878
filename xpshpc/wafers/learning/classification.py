"""To name the pattern of a wafer map, as a learning problem."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.domain import Arrays, Place
from xpshpc.wafers.learning.changes import change_maps
from xpshpc.wafers.learning.class_scores import LEAST_PROBABILITY, count_classes, sample_scores, summarise_classes
from xpshpc.wafers.learning.class_weights import check_weights, weigh_classes
from xpshpc.wafers.learning.task import ClassifyTask
from xpshpc.wafers.maps import FAIL, OFF
from xpshpc.wafers.models import check_network, network_module
from xpshpc.wafers.models.heads import CLASS


@dataclass(frozen=True)
class WaferClassification:
    """The class, one of `classes`, of maps `size` dies across.

    `shares` gives the share of each class among the samples (classes,); it is asked only where the task weighs classes
    by it. Raises UsageError for weights of unknown classes.
    """

    size: int
    classes: tuple[str, ...]
    task: ClassifyTask
    shares: Callable[[], NDArray[np.float64]]

    def __post_init__(self) -> None:
        check_weights(self.task.class_weights, self.classes)

    @property
    def reads(self) -> tuple[str, ...]:
        return ("map", "label")

    def augment(self, rows: Arrays, place: Place) -> Arrays:
        return {**rows, "map": change_maps(rows["map"], self.task.augmentation, place)}

    def features(self, rows: Arrays) -> NDArray[np.float32]:
        """(n, size, size, 2): channel 0 is 1 where a die fails, channel 1 where there is one."""
        maps = rows["map"]
        return np.stack([maps == FAIL, maps != OFF], axis=-1).astype(np.float32)

    def targets(self, rows: Arrays) -> dict[str, NDArray[np.float32]]:
        return {CLASS: np.eye(len(self.classes), dtype=np.float32)[rows["label"]]}

    def check_network(self, name: str, parameters: Mapping[str, Any]) -> None:
        check_network("classify", name, parameters, self.size)

    def network(self, name: str, parameters: Mapping[str, Any], input_shape: tuple[int, ...], seed: int) -> Any:
        checked = check_network("classify", name, parameters, self.size)
        return network_module(name).build(checked, self.size, len(self.classes), seed)

    @cached_property
    def weights(self) -> NDArray[np.float32]:
        """How much a sample of each class counts in the loss, (classes,)."""
        told = self.task.class_weights
        if isinstance(told, dict):
            return np.array([told.get(name, 1.0) for name in self.classes], np.float32)
        return weigh_classes(told, np.ones(len(self.classes)) if told == "none" else self.shares())

    def losses(self, truth: Mapping[str, Any], answer: Mapping[str, Any]) -> Any:
        """The cross entropy of each sample's smoothed label, times its class' weight; (n,)."""
        import tensorflow as tf

        labels, smoothing = truth[CLASS], self.task.label_smoothing
        wanted = (1 - smoothing) * labels + smoothing / len(self.classes)
        entropy = -tf.reduce_sum(wanted * tf.math.log(answer[CLASS] + LEAST_PROBABILITY), axis=-1)
        return entropy if self.task.class_weights == "none" else entropy * tf.linalg.matvec(labels, self.weights)

    def metrics(self, truth: Arrays, answer: Arrays) -> dict[str, NDArray[np.float64]]:
        return sample_scores(truth[CLASS], answer[CLASS])

    def calibration_sums(self, truth: Arrays, answer: Arrays) -> dict[str, NDArray[np.float64]]:
        return {}

    def calibrate(self, sums: Arrays) -> dict[str, Any]:
        return {}

    def score(self, truth: Arrays, answer: Arrays) -> dict[str, NDArray[np.float64]]:
        return count_classes(truth[CLASS], answer[CLASS])

    def summarise(self, sums: Arrays, calibration: Mapping[str, Any]) -> dict[str, Any]:
        return summarise_classes(sums, self.classes)

    def model_card(self) -> dict[str, Any]:
        return {
            "science": "wafers",
            "size": self.size,
            "classes": list(self.classes),
            "input": "(size, size, 2): 1 where a die fails; 1 where there is a die",
            "task": self.task.model_dump(mode="json"),
            "outputs": {CLASS: "probability of each class"},
        }
