"""How near made maps come to real ones that nobody learned from: the best threshold, and the scores of every set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xpshpc.cluster.communicator import Solo
from xpshpc.evaluate.comparison import ComparedSet, Comparison, settle_comparison
from xpshpc.evaluate.fid import fid
from xpshpc.evaluate.reference_cache import Extracted, read_cached, write_cached
from xpshpc.evaluate.set_scores import SetScores, score_sets
from xpshpc.events import Listener
from xpshpc.studies.ground import Ground
from xpshpc.studies.look import cut_gray, look_at, make_noise, read_images, read_maps_of, write_images
from xpshpc.studies.plan import HELD_OUT, NOISE, held_out_run
from xpshpc.studies.workplace import Workplace
from xpshpc.wafers.maps import OFF

_THRESHOLDS, _TOGETHER = "thresholds", "together"
"""Sets of images that are looked at in one go."""


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

    def compare(self, name: str) -> dict[str, Any]:
        """Scores of a set against the held-out real maps, as JSON."""
        return self._score(self._settle(name, kid=True, inception_score=True)).as_json()

    def see(self, names: Sequence[str]) -> None:
        """Finds the features of several sets in one go: to start the ranks takes longer than to look at a small set."""
        unseen = [name for name in names if not self._settle(name).b.is_cached]
        if len(unseen) < 2:
            return
        images = [read_images(self.file(name)) for name in unseen]
        whole = self._extract(_TOGETHER, images)
        ends = np.cumsum([len(each) for each in images])
        for name, first, last in zip(unseen, [0, *ends], ends, strict=False):
            kept = self._settle(name).b.cached
            assert kept is not None
            classes = whole.probabilities
            write_cached(kept, Extracted(whole.features[first:last], None if classes is None else classes[first:last]))

    def sweep(self, thresholds: Sequence[int], looks: Sequence[NDArray[np.uint8]]) -> list[dict[str, float]]:
        """The distance of the images of each threshold, which are equal in number."""
        made = self._extract(_THRESHOLDS, looks).features
        real = _features_of(self._settle(_THRESHOLDS).a).features
        return [
            {"threshold": threshold, "fid": fid(real, part, Solo()).distance.value}
            for threshold, part in zip(thresholds, np.split(made, len(thresholds)), strict=True)
        ]

    def _extract(self, name: str, images: Sequence[NDArray[np.uint8]]) -> Extracted:
        """What the extractor sees in these images, all in one set."""
        write_images(self.file(name), np.concatenate(images))
        self._score(self._settle(name, bootstrap=0))
        return _features_of(self._settle(name).b)

    def _settle(self, name: str, **scores: Any) -> Comparison:
        return settle_comparison(self.file(HELD_OUT), self.file(name), **self.settings(), **scores)

    def _score(self, comparison: Comparison) -> SetScores:
        """By the ranks where there is something to extract, else here and now."""
        gang = self.place.gang("evaluate") if comparison.extracts else {}
        return score_sets(comparison, scratch=self.ground.path, on_event=self.listen, **gang)

    def file(self, name: str) -> Path:
        return self.ground.sets / f"{name}.npz"


def _features_of(side: ComparedSet) -> Extracted:
    kept = None if side.cached is None else read_cached(side.cached)
    assert kept is not None, "they were found just now"
    return kept


def choose_threshold(curve: Sequence[Mapping[str, float]]) -> int:
    """The threshold of the smallest distance; the middle one of several."""
    least = min(point["fid"] for point in curve)
    best = [int(point["threshold"]) for point in curve if point["fid"] == least]
    return best[len(best) // 2]


def write_sets(ground: Ground) -> dict[str, Any]:
    """Writes the images of the maps that are there before the network is asked; answers with their numbers."""
    study, size = ground.study, ground.study.score_size
    held_out = read_maps_of(ground.run(held_out_run(split)) for split in study.held_out)
    noise = make_noise(held_out, len(held_out), ground.job_file.job.seed)
    sets = {HELD_OUT: held_out, NOISE: noise}
    sets |= {name: read_maps_of([ground.run(name)]) for name in ("originals", "augmented")}
    for name, maps in sets.items():
        write_images(ground.sets / f"{name}.npz", look_at(maps, size))
    return {
        "n": {name: len(maps) for name, maps in sets.items()},
        "size": ground.settings.size if size is None else size,
    }


def find_threshold(jury: Jury) -> dict[str, Any]:
    """The curve of distances over thresholds, and the best one.

    It is chosen by the same real maps that judge in the end: one number among a few, which gains it next to nothing.
    """
    ground, thresholds = jury.ground, jury.ground.study.thresholds
    run = [ground.run("generated")]
    gray, on_wafer = read_maps_of(run, "gray"), read_maps_of(run) != OFF
    looks = [look_at(cut_gray(gray, on_wafer, threshold), ground.study.score_size) for threshold in thresholds]
    curve = jury.sweep(thresholds, looks)
    return {"threshold": choose_threshold(curve), "curve": curve, "n": len(gray)}


def score_sets_of(jury: Jury) -> dict[str, Any]:
    """The scores of every set against the held-out real maps, with what tells whether they are more than chance."""
    ground = jury.ground
    names = ["originals", "augmented", NOISE]
    if ground.study.mode == "auto":
        names.insert(2, "generated")
        binarised = read_maps_of([ground.run("binarised")])
        write_images(jury.file("generated"), look_at(binarised, ground.study.score_size))
    jury.see(names)
    told = {name: jury.compare(name) for name in names}
    any_of_them = told[names[0]]
    return {
        "extractor": any_of_them["extractor"],
        "extractor_sha256": any_of_them["extractor_sha256"],
        "resize": any_of_them["resize"],
        "held_out": {
            "n": any_of_them["n_a"],
            "split_half_baseline": any_of_them["split_half_baseline"],
            "split_half_n": any_of_them["split_half_n"],
            "inception_score": _score_of(any_of_them, "a"),
        },
        "sets": {name: _row(scores) for name, scores in told.items()},
    }


def _row(scores: Mapping[str, Any]) -> dict[str, Any]:
    bootstrap, kid = scores["bootstrap"], scores["kid"]
    return {
        "n": scores["n_b"],
        "fid": scores["fid"],
        "interval": None if bootstrap is None else [bootstrap["low"], bootstrap["high"]],
        "kid": kid["value"],
        "kid_std": kid["std"],
        "inception_score": _score_of(scores, "b"),
    }


def _score_of(scores: Mapping[str, Any], side: str) -> dict[str, Any]:
    told = scores["inception_score"][side]
    return {"mean": told["mean"], "std": told["std"], "splits": told["splits"]}
