"""Who sees the images of a study: its extractor, by ranks, and each image once."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.evaluate.comparison import Comparison, settle_comparison
from xpshpc.evaluate.reference_cache import Extracted, read_cached, write_cached
from xpshpc.evaluate.set_scores import SetScores, score_sets
from xpshpc.events import Listener
from xpshpc.studies.ground import Ground
from xpshpc.studies.look import read_images, write_images
from xpshpc.studies.plan import HELD_OUT
from xpshpc.studies.workplace import Workplace

_FEWEST = 2
"""Images that can be compared."""


@dataclass(frozen=True)
class Jury:
    """Scores sets of images of one study by its extractor; features that were found once are kept beside it."""

    ground: Ground
    place: Workplace
    listen: Listener | None

    def settings(self) -> dict[str, Any]:
        """All that decides a score besides the images."""
        study = self.ground.study
        return {
            "extractor": study.extractor,
            "weights": None if study.weights is None else Path(study.weights),
            "resize": study.resize,
            "cache": self.ground.path / "cache",
            "seed": self.ground.job_file.job.seed,
        }

    def describe(self) -> dict[str, Any]:
        """Which extractor it is, by the hash of its weights; nothing is extracted."""
        from xpshpc.evaluate.extractors import describe_extractor

        asked = self.settings()
        return dict(describe_extractor(asked["extractor"], weights=asked["weights"], resize=asked["resize"]))

    def file(self, name: str) -> Path:
        """Where the images of a set are."""
        return self.ground.sets / f"{name}.npz"

    def compare(self, name: str) -> dict[str, Any]:
        """Scores of a set against the real maps that judge, as JSON."""
        return self._score(self._settle(name, kid=True, inception_score=True)).as_json()

    def see(self, names: Sequence[str], others: Sequence[NDArray[np.uint8]] = ()) -> list[Extracted]:
        """Keeps the features of the sets `names` that nobody has seen yet, and answers with those of `others`
        (each (n, size, size)): all in one go, for to start ranks takes longer than to look at a small set."""
        unseen = [name for name in names if not self._settle(name).b.is_cached]
        batches = [*(read_images(self.file(name)) for name in unseen), *others]
        found = self._extract(batches) if batches else []
        for name, extracted in zip(unseen, found, strict=False):
            self.keep(name, extracted)
        return found[len(unseen) :]

    def seen(self, name: str) -> Extracted:
        """The features of a set that was seen before."""
        return _read(self._settle(name))

    def keep(self, name: str, extracted: Extracted) -> None:
        """Keeps the features of a set whose file is there."""
        file = self._settle(name).b.cached
        assert file is not None, "a study names its cache"
        write_cached(file, extracted)

    def _extract(self, batches: Sequence[NDArray[np.uint8]]) -> list[Extracted]:
        """What the extractor sees in these images, an image that is there many times looked at once: two thresholds
        often cut the same map."""
        places: dict[bytes, int] = {}
        rows = [[places.setdefault(image.tobytes(), len(places)) for image in batch] for batch in batches]
        images = np.frombuffer(b"".join(places), np.uint8).reshape(-1, *batches[0].shape[1:])
        with tempfile.TemporaryDirectory(prefix="xpshpc-look-", dir=self.ground.path) as folder:
            file = Path(folder, "images.npz")
            write_images(file, images if len(images) >= _FEWEST else images.repeat(_FEWEST, axis=0))
            comparison = settle_comparison(file, file, **{**self.settings(), "cache": Path(folder)}, bootstrap=0)
            self._score(comparison)
            found = _read(comparison)
        classes = found.probabilities
        return [Extracted(found.features[row], None if classes is None else classes[row]) for row in rows]

    def _settle(self, name: str, **scores: Any) -> Comparison:
        return settle_comparison(self.file(HELD_OUT), self.file(name), **self.settings(), **scores)

    def _score(self, comparison: Comparison) -> SetScores:
        """By the ranks where there is something to extract, else here and now."""
        gang = self.place.gang("evaluate") if comparison.extracts else {}
        return score_sets(comparison, scratch=self.ground.path, on_event=self.listen, **gang)


def _read(comparison: Comparison) -> Extracted:
    kept = None if comparison.b.cached is None else read_cached(comparison.b.cached)
    assert kept is not None, "its features were found before"
    return kept
