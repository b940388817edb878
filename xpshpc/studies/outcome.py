"""What a study found, as one JSON object: the images, their scores, the classifiers, and what it all took."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from xpshpc.studies.diets import diets_of
from xpshpc.studies.ground import SETS, Ground
from xpshpc.studies.journal import StepCost
from xpshpc.studies.pictures import MOST_SHOWN
from xpshpc.studies.plan import classifier_run
from xpshpc.studies.step import Step

SHEET = "generated.png"
"""The sheet of the first made maps, in the study's folder."""


def made_set(ground: Ground) -> str:
    """The set that a study is about: generated maps, or augmented ones where there is no network."""
    return "generated" if ground.study.mode == "auto" else "augmented"


def made_run(ground: Ground) -> str:
    """The run in which the maps of that set are."""
    return "binarised" if ground.study.mode == "auto" else "augmented"


def tell_outcome(
    ground: Ground, steps: Iterable[Step], found: Mapping[str, Mapping[str, Any]], costs: Mapping[str, StepCost]
) -> dict[str, Any]:
    """The answer of a study whose steps are done. A pure function."""
    study, scores = ground.study, found["scores"]
    made = made_set(ground)
    row = scores["sets"][made]
    rows = tell_costs(steps, costs)
    return {
        "run": str(ground.path),
        "mode": study.mode,
        "defect": study.defect,
        "originals": study.originals,
        "augmented": ground.job_file.job.generate.samples,
        "generated_image_path": str(ground.path / SHEET),
        "generated_images": str(ground.path / SETS / f"{made}.npz"),
        "shown": min(MOST_SHOWN, row["n"]),
        "is_score": row["inception_score"]["mean"],
        "is_score_std": row["inception_score"]["std"],
        "fid_score": row["fid"],
        "fid_interval": row["interval"],
        "kid_score": row["kid"],
        "threshold": found["thresholds"]["threshold"] if "thresholds" in found else None,
        "threshold_chosen_by": tell_choice(ground, found["thresholds"]) if "thresholds" in found else None,
        "n": row["n"],
        "n_held_out": scores["held_out"]["n"],
        "split_half_baseline": scores["held_out"]["split_half_baseline"],
        "extractor": scores["extractor"],
        "extractor_sha256": scores["extractor_sha256"],
        "resize": scores["resize"],
        "scores": {"held_out": scores["held_out"], **scores["sets"]},
        "thresholds": found["thresholds"]["curve"] if "thresholds" in found else [],
        "classifiers": list(tell_classifiers(ground, found)),
        "warnings": list(found.get("network", {}).get("train", {}).get("warnings", [])),
        "steps": rows,
        "report": str(ground.path / "report.html"),
        "seconds": round(sum(each["wall_s"] for each in rows), 1),
    }


def tell_choice(ground: Ground, found: Mapping[str, Any]) -> dict[str, Any]:
    """By which real maps the threshold was chosen; `also_judge` tells that the scores are by the same ones, and so a
    little better than they deserve."""
    parts = ground.held_out
    return {
        "splits": list(parts.choosing),
        "n": found["n_choosing"],
        "split_half_baseline": found["split_half_baseline"],
        "also_judge": not parts.is_parted and len(ground.study.thresholds) > 1,
    }


def tell_classifiers(ground: Ground, found: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """How well each classifier reads the real test maps, those of the studied class above all."""
    study = ground.study
    for diet in diets_of(study, ground.census, ground.job_file.job.generate.samples):
        told = found.get(classifier_run(diet))
        if told is None:
            continue
        judged = told["judge"]
        defect = judged["classes"].get(study.defect, {})
        yield {
            "trained_on": diet.name,
            "told": diet.told,
            "maps_of_defect": diet.made,
            "maps_of_others": diet.others,
            "accuracy": judged["accuracy"],
            "macro_f1": judged["macro_f1"],
            "defect_f1": defect.get("f1"),
            "defect_precision": defect.get("precision"),
            "defect_recall": defect.get("recall"),
            "tested_on": judged["samples"],
        }


def tell_costs(steps: Iterable[Step], costs: Mapping[str, StepCost]) -> list[dict[str, Any]]:
    """What each step took; steps that have not ended yet are left out."""
    return [
        {
            "step": step.name,
            "wall_s": round(cost.wall_s, 2),
            "cpu_s": round(cost.cpu_s, 2),
            "peak_bytes": cost.peak_bytes,
            "disk_bytes": cost.disk_bytes,
        }
        for step in steps
        if (cost := costs.get(step.name)) is not None
    ]
