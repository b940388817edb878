"""What two networks learn from wafer maps together: to make maps that could have been measured."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.domain import Arrays, Place, Rivals
from xpshpc.plan.seeds import Streams
from xpshpc.wafers.learning.diversity import distances_within_classes
from xpshpc.wafers.learning.generation_task import GenerationTask, read_generation_task
from xpshpc.wafers.learning.verdicts import discriminator_loss, generator_loss, score
from xpshpc.wafers.maps import FAIL
from xpshpc.wafers.models import check_network, network_module
from xpshpc.wafers.settings import WaferSettings

_LATENT, _DRAW, _VALIDATION, _PICTURES = 260, 261, 262, 263
"""Purposes of random streams: numbers that no source of maps uses."""

_FIXED_SEED = 0
"""Of latents that are the same in every training, so that trainings can be compared."""

_DRAWS = 2**24
"""A row's draws are whole numbers below it: single precision holds them all."""

_SHEET_ROWS, _SHEET_COLUMNS, _GAP = 5, 6, 2


def make_generation(settings: WaferSettings, task: Mapping[str, Any]) -> WaferGeneration:
    """The problem of a [wafers] section and a [train.task] table. Raises UsageError for a task that cannot be."""
    from xpshpc.wafers.class_names import class_names

    return WaferGeneration(settings.size, tuple(class_names(settings)), read_generation_task(task))


@dataclass(frozen=True)
class WaferGeneration:
    """Images of maps, `size` dies across, and of their `classes`: an adversarial problem.

    Latents and all other draws of a row follow from its place in the training's order, or, in validation, from the map
    itself: neither depends on how many ranks there are.
    """

    size: int
    classes: tuple[str, ...]
    task: GenerationTask

    @property
    def reads(self) -> tuple[str, ...]:
        return ("map", "label") if self.task.conditional else ("map",)

    @property
    def rounds(self) -> int:
        return self.task.discriminator_steps

    @property
    def discriminator_rate(self) -> float:
        return self.task.discriminator_rate

    @property
    def average(self) -> float:
        return self.task.average

    @property
    def metric_names(self) -> tuple[str, ...]:
        return ("d_loss", "g_loss", "real_score", "fake_score", "diversity")

    def augment(self, rows: Arrays, place: Place) -> Arrays:
        n = len(rows["map"])
        # Rows that are neighbours in the batch are neighbours in the stream: they are drawn in one go.
        where = (place.epoch << 44) + (place.step << 20) + place.first + np.arange(n, dtype=np.int64)
        streams, latent = Streams(place.seed), self.task.latent
        draws = streams.words(where, _DRAW, 2 * self.rounds + 1) % np.uint32(_DRAWS)
        noise = self.task.instance_noise * max(0.0, 1 - place.epoch / self.task.noise_epochs)
        return {
            **rows,
            "latent": streams.normal(where, _LATENT, (self.rounds + 1) * latent).reshape(n, self.rounds + 1, latent),
            "draw": draws.astype(np.float32),
            "noise": np.full(n, noise, np.float32),
        }

    def features(self, rows: Arrays) -> NDArray[np.float32]:
        maps = rows["map"][..., None]
        if self.task.encoding == "three":
            return maps.astype(np.float32) - np.float32(1)
        return np.where(maps == FAIL, np.float32(1), np.float32(-1))

    def targets(self, rows: Arrays) -> dict[str, NDArray[np.float32]]:
        told = {name: np.asarray(rows[name], np.float32) for name in ("latent", "draw", "noise") if name in rows}
        if not told:
            own = np.array([zlib.crc32(each.tobytes()) for each in rows["map"]], np.int64)
            told["latent"] = Streams(_FIXED_SEED).normal(own, _VALIDATION, self.task.latent)[:, None]
        return told | ({"label": np.asarray(rows["label"], np.float32)} if self.task.conditional else {})

    def check_network(self, name: str, parameters: Mapping[str, Any]) -> None:
        check_network("generate", name, parameters, self.size)

    def check_share(self, name: str, parameters: Mapping[str, Any], share: int) -> None:
        network_module(name).check_share(check_network("generate", name, parameters, self.size), share)

    def network(self, name: str, parameters: Mapping[str, Any], input_shape: tuple[int, ...], seed: int) -> Rivals:
        checked = check_network("generate", name, parameters, input_shape[0])
        rivals: Rivals = network_module(name).build(
            checked,
            input_shape[0],
            latent=self.task.latent,
            classes=len(self.classes) if self.task.conditional else 0,
            noisy=self.task.instance_noise > 0,
            seed=seed,
        )
        return rivals

    def compare(self, rivals: Rivals, real: Any, truth: Mapping[str, Any], turn: int) -> tuple[Any, Any]:
        import tensorflow as tf

        fake = self._make(rivals.generator, truth, turn, training=True)
        # One call for both: each half is made of whole groups.
        twice = {name: tf.concat([truth[name], truth[name]], 0) for name in ("label", "noise") if name in truth}
        draws = tf.concat([truth["draw"][:, 2 * turn], truth["draw"][:, 2 * turn + 1]], 0)
        verdicts = _judge(rivals.discriminator, tf.concat([real, fake], 0), {**twice, "draw": draws}, training=True)
        of_real, of_fake = tf.split(verdicts, 2)
        return of_real, of_fake

    def deceive(self, rivals: Rivals, truth: Mapping[str, Any]) -> Any:
        fake = self._make(rivals.generator, truth, self.rounds, training=True)
        return _judge(rivals.discriminator, fake, {**truth, "draw": truth["draw"][:, -1]}, training=True)

    def discriminator_losses(self, real: Any, fake: Any) -> Any:
        return discriminator_loss(self.task.loss, real, fake, self.task.label_smoothing)

    def generator_losses(self, fake: Any) -> Any:
        return generator_loss(self.task.loss, fake)

    def answer(self, rivals: Rivals, real: Any, truth: Mapping[str, Any]) -> dict[str, Any]:
        import tensorflow as tf

        fake = self._make(rivals.saved, truth, 0, training=False)
        still = {**truth, "draw": tf.zeros(tf.shape(real)[:1]), "noise": tf.zeros(tf.shape(real)[:1])}
        of_real, of_fake = (_judge(rivals.discriminator, images, still, training=False) for images in (real, fake))
        return {
            "d_loss": self.discriminator_losses(of_real, of_fake),
            "g_loss": self.generator_losses(of_fake),
            "real_score": score(self.task.loss, of_real, self.task.label_smoothing),
            "fake_score": score(self.task.loss, of_fake, self.task.label_smoothing),
            "real": real,
            "fake": fake,
        }

    def losses(self, truth: Mapping[str, Any], answer: Mapping[str, Any]) -> Any:
        return answer["d_loss"] + answer["g_loss"]

    def metrics(self, truth: Arrays, answer: Arrays) -> dict[str, NDArray[np.float64]]:
        """Losses and scores, and how far real and generated images are from others of their class."""
        told = {name: answer[name].astype(np.float64) for name in self.metric_names if name in answer}
        label = truth["label"] if self.task.conditional else np.zeros(len(answer["real"]))
        return told | {f"{kind}_distance": distances_within_classes(answer[kind], label) for kind in ("real", "fake")}

    def conclude(self, means: Mapping[str, float]) -> dict[str, float]:
        real, fake = means["real_distance"], means["fake_distance"]
        told = {name: value for name, value in means.items() if not name.endswith("_distance")}
        # Real images that are all alike cannot be less diverse.
        return told | {"diversity": fake / real if real > 0 else 1.0}

    def pictures(self, network: Any) -> NDArray[np.uint8]:
        rows, columns = _SHEET_ROWS, len(self.classes) if self.task.conditional else _SHEET_COLUMNS
        latent = Streams(_FIXED_SEED).normal(np.arange(rows * columns), _PICTURES, self.task.latent)
        told = {"latent": latent}
        if self.task.conditional:
            told["label"] = np.tile(np.arange(columns, dtype=np.int32), rows)
        images = np.asarray(network(told, training=False)["image"])[..., 0]
        gray = np.rint((images + 1) * 127.5).astype(np.uint8)
        framed = np.pad(gray, ((0, 0), (0, _GAP), (0, _GAP)), constant_values=127)
        height = width = self.size + _GAP
        return framed.reshape(rows, columns, height, width).swapaxes(1, 2).reshape(rows * height, columns * width)

    def calibration_sums(self, truth: Arrays, answer: Arrays) -> dict[str, NDArray[np.float64]]:
        return {}

    def calibrate(self, sums: Arrays) -> dict[str, Any]:
        return {}

    def score(self, truth: Arrays, answer: Arrays) -> dict[str, NDArray[np.float64]]:
        sums = {name: np.array(values.sum()) for name, values in self.metrics(truth, answer).items()}
        return {**sums, "samples": np.array(float(len(answer["real"])))}

    def summarise(self, sums: Arrays, calibration: Mapping[str, Any]) -> dict[str, Any]:
        samples = float(sums["samples"])
        return self.conclude({name: float(value) / samples for name, value in sums.items() if name != "samples"})

    def model_card(self) -> dict[str, Any]:
        """What whoever generates must know; `mask` is the disc of dies on the wafer, its diameter in dies."""
        return {
            "science": "wafers",
            "goal": "generate",
            "size": self.size,
            "encoding": self.task.encoding,
            "latent": self.task.latent,
            "conditional": self.task.conditional,
            "classes": list(self.classes),
            "mask": {"disc_diameter": self.size},
            "task": self.task.model_dump(mode="json"),
            "inputs": {"latent": "standard normal", **({"label": "place in classes"} if self.task.conditional else {})},
            "outputs": {"image": "from -1 to 1"},
        }

    def _make(self, generator: Any, truth: Mapping[str, Any], turn: int, *, training: bool) -> Any:
        return generator(_picked(generator, {**truth, "latent": truth["latent"][:, turn]}), training=training)["image"]


def _judge(discriminator: Any, images: Any, told: Mapping[str, Any], *, training: bool) -> Any:
    import tensorflow as tf

    return tf.reshape(discriminator(_picked(discriminator, {**told, "image": images}), training=training), [-1])


def _picked(network: Any, told: Mapping[str, Any]) -> dict[str, Any]:
    """Those arrays that a network takes, in its types."""
    import tensorflow as tf

    return {name: tf.cast(told[name], taken.dtype) for name, taken in network.input.items()}
