"""How near made maps come to real ones that nobody learned from: the best threshold, and the scores of every set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from xpshpc.cluster.communicator import Solo
from xpshpc.evaluate.fid import fid
from xpshpc.studies.ground import Ground
from xpshpc.studies.jury import Jury
from xpshpc.studies.look import cut_gray, look_at, make_noise, read_maps_of, write_images
from xpshpc.studies.plan import CHOOSING, HELD_OUT, NOISE, held_out_run, sets_before
from xpshpc.wafers.maps import OFF, Map, SplitName


def choose_threshold(curve: Sequence[Mapping[str, float]]) -> int:
    """The threshold of the smallest distance; the middle one of several."""
    least = min(point["fid"] for point in curve)
    best = [int(point["threshold"]) for point in curve if point["fid"] == least]
    return best[len(best) // 2]


def write_sets(ground: Ground) -> dict[str, Any]:
    """Writes the images of the maps that are there before the network is asked; answers with their numbers."""
    parts = ground.held_out
    judging = _read_held_out(ground, parts.judging)
    sets = {HELD_OUT: judging, NOISE: make_noise(judging, len(judging), ground.job_file.job.seed)}
    if parts.is_parted:
        sets[CHOOSING] = _read_held_out(ground, parts.choosing)
    sets |= {name: read_maps_of([ground.run(name)]) for name in ("originals", "augmented")}
    for name, maps in sets.items():
        write_images(ground.sets / f"{name}.npz", look_at(maps, ground.score_size, ground.good_gray))
    return {
        "n": {name: len(maps) for name, maps in sets.items()},
        "size": ground.score_size,
    }


def _read_held_out(ground: Ground, splits: Sequence[SplitName]) -> Map:
    return read_maps_of(ground.run(held_out_run(split)) for split in splits)


def find_threshold(jury: Jury) -> dict[str, Any]:
    """The curve of distances over thresholds, the best one, and by which real maps it was chosen.

    All sets that will be scored are looked at in the same go, so that the scores start no ranks of their own.
    """
    ground, thresholds, parts = jury.ground, jury.ground.study.thresholds, jury.ground.held_out
    run = [ground.run("generated")]
    gray, on_wafer = read_maps_of(run, "gray"), read_maps_of(run) != OFF
    size, good = ground.score_size, ground.good_gray
    looks = [look_at(cut_gray(gray, on_wafer, threshold), size, good) for threshold in thresholds]
    seen = jury.see(sets_before(ground), looks)
    real = jury.seen(CHOOSING if parts.is_parted else HELD_OUT)
    found = [fid(real.features, made.features, Solo(), seed=ground.job_file.job.seed) for made in seen]
    curve = [
        {"threshold": threshold, "fid": each.distance.value} for threshold, each in zip(thresholds, found, strict=True)
    ]
    best = choose_threshold(curve)
    place = thresholds.index(best)
    write_images(jury.file("generated"), looks[place])
    jury.keep("generated", seen[place])
    halves = found[place].halves
    return {
        "threshold": best,
        "curve": curve,
        "n": len(gray),
        "n_choosing": len(real.features),
        "split_half_baseline": None if halves is None else halves.value,
    }


def score_sets_of(jury: Jury) -> dict[str, Any]:
    """The scores of every set against the held-out real maps, with what tells whether they are more than chance."""
    ground = jury.ground
    names = ["originals", "augmented", NOISE]
    if ground.study.mode == "auto":
        names.insert(2, "generated")
        binarised = read_maps_of([ground.run("binarised")])
        write_images(jury.file("generated"), look_at(binarised, ground.score_size, ground.good_gray))
    jury.see([HELD_OUT, *names])
    told = {name: jury.compare(name) for name in names}
    any_of_them = told[names[0]]
    return {
        "extractor": any_of_them["extractor"],
        "extractor_sha256": any_of_them["extractor_sha256"],
        "resize": any_of_them["resize"],
        "held_out": {
            "splits": list(ground.held_out.judging),
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
