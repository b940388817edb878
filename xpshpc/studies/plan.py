"""The steps of a wafer study as a pure function of its job: each works in a run directory of its own, or on theirs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from xpshpc.studies.census import all_of
from xpshpc.studies.diets import Diet, diets_of, epochs_of
from xpshpc.studies.ground import DIETS, SETS, Ground
from xpshpc.studies.journal import StepCost
from xpshpc.studies.step import Step, Work
from xpshpc.wafers.maps import SplitName

TEST = "test-maps"
HELD_OUT, CHOOSING, NOISE = "held-out", "choosing", "noise"
"""Sets of images: real maps that judge, those that choose the threshold where these are others, and random ones."""

BEST_THRESHOLD = "best"
"""Stands where a threshold belongs that a step before will have chosen."""

_MOST_IN_A_SHARD = 512
_SILENCE_S = 300.0
"""A worker that loads a network first says nothing meanwhile, on a busy machine for a minute."""

_LEARNED_SHARDS = 20
"""A run that learns keeps whole shards from training."""


def plan_study(ground: Ground) -> tuple[Step, ...]:
    """All steps of a study, each after those it needs."""
    return (*_make_maps(ground), *_compare(ground), *(_classify(ground) if ground.study.classify else ()))


def describe_plan(ground: Ground, steps: Iterable[Step], costs: Mapping[str, StepCost]) -> dict[str, Any]:
    """What a study would do (JSON), with what each step took where it was done before."""
    told = [
        {
            "step": step.name,
            "purpose": step.purpose,
            "work": [work.value for work in step.work],
            "samples": step.samples,
            "epochs": step.epochs,
            "needs": list(step.needs),
            "done": step.name in costs and costs[step.name].done,
            "wall_s": round(costs[step.name].wall_s, 1) if step.name in costs else None,
        }
        for step in steps
    ]
    return {"run": str(ground.path), "defect": ground.study.defect, "steps": told, "dry_run": True}


def _make_maps(ground: Ground) -> Iterator[Step]:
    study, train = ground.study, ground.job_file.job.train
    few = _originals(ground, "train", study.defect, per_class=study.originals)
    yield _generating(ground, "originals", "the few real maps", study.originals, "originals", {"originals": few})
    for split in study.held_out:
        kept = _originals(ground, split, study.defect)
        number = ground.census.of(split, study.defect)
        name = held_out_run(split)
        yield _generating(ground, name, f"real maps of split {split}", number, "originals", {"originals": kept})
    augmented = {"originals": few, "augmentation": ground.settings.augmentation.model_dump(mode="json")}
    made = ground.job_file.job.generate.samples
    resolved = ground.job_file.resolved()
    yield Step(
        "augmented",
        "turned, sheared and mirrored originals",
        (Work.GENERATE,),
        made,
        "augmented",
        {
            **_tables(ground, "augmented", augmented),
            **{name: resolved[name] for name in ("generate", "split", "evaluate")},
            **({"train": resolved["train"]} if study.mode == "auto" else {}),
        },
        ("originals",),
    )
    if study.mode == "auto":
        yield Step(
            "network",
            "a generator learns the augmented maps",
            (Work.TRAIN,),
            made,
            "augmented",
            needs=("augmented",),
            epochs=train.epochs,
        )
        yield _generated(ground, "generated", "gray images of the generator", {}, "network")


def _compare(ground: Ground) -> Iterator[Step]:
    study = ground.study
    made = ground.job_file.job.generate.samples
    held_out = tuple(map(held_out_run, study.held_out))
    parts = ground.held_out
    kept = sum(ground.census.of(split, study.defect) for split in study.held_out)
    judges = sum(ground.census.of(split, study.defect) for split in parts.judging)
    reads = ("originals", "augmented", *held_out)
    looks = {
        "score_size": study.score_size,
        "choosing": list(parts.choosing),
        "judging": list(parts.judging),
        **({"good_gray": ground.good_gray} if ground.good_gray else {}),
    }
    judged = {**looks, "extractor": study.extractor, "resize": study.resize}
    seen = study.originals + made
    files = tuple(f"{SETS}/{name}.npz" for name in sets_before(ground))
    yield Step(
        "images",
        "all maps looked at in the same way",
        (Work.IMAGES,),
        kept + judges + seen,
        needs=reads,
        reads=reads,
        decisive=looks,
        files=files,
    )
    needs: tuple[str, ...] = ("images",)
    if study.mode == "auto":
        yield Step(
            "thresholds",
            f"each gray level scored by split {' and '.join(parts.choosing)}, the best taken",
            (Work.SWEEP,),
            len(study.thresholds) * study.generated,
            needs=("generated", *needs),
            reads=("generated", *held_out),
            decisive={**judged, "thresholds": list(study.thresholds)},
        )
        yield _generated(ground, "binarised", "the images cut there", {"threshold": BEST_THRESHOLD}, "thresholds")
        needs, reads, seen = (*needs, "binarised"), (*reads, "binarised"), seen + study.generated
    yield Step(
        "scores",
        f"distances to real maps of split {' and '.join(parts.judging)}",
        (Work.SCORES,),
        2 * judges + seen,
        needs=needs,
        reads=reads,
        decisive=judged,
        files=(f"{SETS}/generated.npz",) if study.mode == "auto" else (),
    )


def _classify(ground: Ground) -> Iterator[Step]:
    study, learn = ground.study, ground.study.classifier
    classes = ground.census.told_apart
    tested = ground.census.tested
    everything = _originals(ground, "test", *classes)
    yield _generating(ground, TEST, "real maps of all classes", tested, "originals", {"originals": everything})
    diets = diets_of(study, ground.census, ground.job_file.job.generate.samples)
    sources = tuple(dict.fromkeys(run for diet in diets for run in diet.runs))
    yield Step(
        "diets",
        "what classifiers learn from",
        (Work.MAPS,),
        sum(map(len, diets)),
        needs=(TEST, *sources),
        reads=(TEST, *sources),  # the test maps' hash tells which file the other classes are from
        decisive={"per_class": learn.per_class, "diets": [diet.name for diet in diets]},
        files=tuple(f"{DIETS}/{diet.name}.npz" for diet in diets),
    )
    for diet in diets:
        name = classifier_run(diet)
        file = str(ground.diets / f"{diet.name}.npz")
        taken = {"file": file, "split": "train", "whole_split_only": False, "classes": list(classes)}
        yield Step(
            name,
            f"a classifier learns {diet.told}",
            (Work.GENERATE, Work.TRAIN, Work.JUDGE),
            len(diet),
            name,
            {
                **_tables(ground, name, {"originals": taken}),
                "generate": _storing("originals", len(diet), least_shards=_LEARNED_SHARDS),
                "train": {
                    **learn.model_dump(include={"network", "parameters", "task", "global_batch", "learning_rate"}),
                    "epochs": epochs_of(diet, diets, learn.epochs),
                    "warmup_epochs": min(1.0, learn.epochs),
                },
                "split": {"validation": 0.15, "held_out": 0.05},
                "evaluate": {"frechet": False},
            },
            ("diets", TEST),
            epochs=epochs_of(diet, diets, learn.epochs),
        )


def sets_before(ground: Ground) -> tuple[str, ...]:
    """The sets of images that are there before the network is asked."""
    return (HELD_OUT, *([CHOOSING] if ground.held_out.is_parted else []), NOISE, "originals", "augmented")


def held_out_run(split: SplitName) -> str:
    """The run of the real maps of a split that are held out."""
    return f"held-out-{split}"


def classifier_run(diet: Diet) -> str:
    """The run of the classifier that learns a diet."""
    return f"classifier-{diet.name}"


def with_threshold(tables: Mapping[str, Any], threshold: int) -> dict[str, Any]:
    """The tables of a step for which a threshold was chosen before."""
    wafers = tables["wafers"]
    if wafers.get("generator", {}).get("threshold") != BEST_THRESHOLD:
        return dict(tables)
    return {**tables, "wafers": {**wafers, "generator": {**wafers["generator"], "threshold": threshold}}}


def _generating(ground: Ground, name: str, purpose: str, samples: int, source: str, wafers: Mapping[str, Any]) -> Step:
    tables = {**_tables(ground, name, wafers), "generate": _storing(source, samples)}
    return Step(name, purpose, (Work.GENERATE,), samples, name, tables)


def _generated(ground: Ground, name: str, purpose: str, cut: Mapping[str, Any], needs: str) -> Step:
    generator = {"model": str(ground.run("augmented") / "train" / "model.keras"), **cut}
    samples = ground.study.generated
    tables = {
        **_tables(ground, name, {"generator": generator}),
        "generate": _storing("generated", samples),
    }
    return Step(name, purpose, (Work.GENERATE,), samples, name, tables, (needs,))


def _tables(ground: Ground, name: str, wafers: Mapping[str, Any]) -> dict[str, Any]:
    """What the jobs of all steps have; a step that only makes maps is given a network for which they would do."""
    learn = ground.study.classifier
    return {
        "name": name,
        "seed": ground.job_file.job.seed,
        "wafers": {"size": ground.settings.size, **wafers},
        "train": learn.model_dump(include={"network", "parameters", "task"}),
    }


def _storing(source: str, samples: int, *, least_shards: int = 1) -> dict[str, Any]:
    shard = max(1, min(_MOST_IN_A_SHARD, samples // least_shards))
    return {
        "source": source,
        "samples": samples,
        "shard_samples": shard,
        "inner_chunk_samples": shard,
        "silence_s": _SILENCE_S,
    }


def _originals(ground: Ground, split: SplitName, *classes: str, per_class: int | None = None) -> dict[str, Any]:
    assert ground.settings.originals is not None, "find_ground has seen them"
    taken = all_of(ground.settings.originals, split, *classes, per_class=per_class)
    return taken.model_dump(mode="json", exclude_none=True)
