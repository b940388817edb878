"""A trained run as an extractor: the layer `features` of its network, for samples of its own science."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xpshpc.domain import Arrays, Problem
from xpshpc.errors import UsageError
from xpshpc.evaluate.extractors.extractor import Answer
from xpshpc.evaluate.extractors.saved_model import CLASS_OUTPUT
from xpshpc.evaluate.images.image_set import Images
from xpshpc.evaluate.images.stored_images import choose_array, gray_levels
from xpshpc.evaluate.predict import Predictor
from xpshpc.run_directory import RunDirectory, open_run
from xpshpc.source import ArraySpec
from xpshpc.store.read import Store

BATCH = 64
"""Samples asked at once."""


class OwnNetwork:
    """The extractor that a trained run is; `sha256` is that of its model file.

    Raises UsageError for a run whose model cannot be loaded or has no layer `features`.
    """

    resize = "none"

    def __init__(self, run: Path, sha256: str) -> None:
        directory, job_file = open_run(run)
        self.name = run.resolve().name
        self.sha256 = sha256
        self._run = run
        self._problem: Problem = job_file.problem()
        self._predictor = Predictor(directory.model, BATCH)
        self.dimensions = self._predictor.feature_width

    @property
    def reads(self) -> tuple[str, ...]:
        return self._problem.reads

    def answer_rows(self, rows: Arrays) -> Answer:
        inputs = self._problem.features(rows)
        features = np.empty((len(inputs), self.dimensions), np.float32)
        classes: list[NDArray[np.float32]] = []
        # No samples are asked once, so that even they tell how many classes there are.
        for start in range(0, max(len(inputs), 1), BATCH):
            answer = self._predictor.predict(inputs[start : start + BATCH])
            features[start : start + BATCH] = answer.features
            if CLASS_OUTPUT in answer.answer:
                classes.append(answer.answer[CLASS_OUTPUT])
        return Answer(features, np.concatenate(classes) if classes else None)

    def answer(self, images: Images) -> Answer:
        """The answer to gray images, each level taken for the value whose level is nearest.

        Raises UsageError where the run's science has no images, or images of another size.
        """
        spec = self._image_array
        if images.shape[1:] != spec.shape:
            found, wanted = (" × ".join(map(str, shape)) for shape in (images.shape[1:], spec.shape))
            raise UsageError(
                f"images of {found} for a network of {wanted}", where=self.name, try_="bring them to the network's size"
            )
        return self.answer_rows({spec.name: nearest_values(images, gray_levels(spec))})

    def features(self, images: Images) -> NDArray[np.float32]:
        return self.answer(images).features

    @cached_property
    def _image_array(self) -> ArraySpec:
        """Of the arrays that the network looks at, the one that holds images."""
        specs = Store(RunDirectory(self._run)).specs
        return choose_array({name: specs[name] for name in self.reads if name in specs}, None, str(self._run))


def nearest_values(images: Images, levels: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """The place of the nearest of `levels` for each gray level, the darker one where two are as near; `images` as they
    are where there are no levels."""
    if levels is None:
        return images
    distance = np.abs(np.arange(256)[:, None] - levels.astype(np.int64))
    values: NDArray[np.uint8] = np.argmin(distance, axis=1).astype(np.uint8)[images]
    return values
