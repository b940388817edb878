"""What an extractor is: it turns images, or samples of its own science, into feature vectors."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from xpshpc.domain import Arrays
from xpshpc.evaluate.images.image_set import Images


class Answer(NamedTuple):
    """Features (n, d), and the probabilities of the network's classes, (n, k), where it has any."""

    features: NDArray[np.float32]
    probabilities: NDArray[np.float32] | None


class Extractor(Protocol):
    """A trained network that looks at gray images. What it says of one does not depend on the others beside it."""

    @property
    def name(self) -> str: ...

    @property
    def sha256(self) -> str:
        """Of the file with its weights."""
        ...

    @property
    def dimensions(self) -> int:
        """Width of a feature vector."""
        ...

    @property
    def resize(self) -> str:
        """How images are brought to the network's size: `lanczos`, `antialiased`, or `none`."""
        ...

    def answer(self, images: Images) -> Answer:
        """The answer to any number of images, in their order."""
        ...

    def features(self, images: Images) -> NDArray[np.float32]:
        """Feature vectors of any number of images, (n, d), in their order."""
        ...


@runtime_checkable
class RowExtractor(Protocol):
    """An extractor that also takes stored samples of its own science as they are."""

    @property
    def reads(self) -> tuple[str, ...]:
        """Names of the arrays it needs."""
        ...

    def answer_rows(self, rows: Arrays) -> Answer:
        """The answer to stored samples, in their order."""
        ...
