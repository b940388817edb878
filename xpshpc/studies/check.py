"""What would stop a later step of a study, found before the first one begins."""

from __future__ import annotations

from pathlib import Path

from xpshpc.cluster.profile import Launcher
from xpshpc.errors import UsageError
from xpshpc.plan.shards import plan_shards, split_shards
from xpshpc.run_directory import open_run
from xpshpc.studies.census import check_defect
from xpshpc.studies.diets import diets_of
from xpshpc.studies.ground import Ground
from xpshpc.wafers.settings import WaferSettings


def check_study(ground: Ground, ranks: int, launcher: Launcher) -> None:
    """Raises UsageError for a class that is unknown or too small, a job that trains no generator, a network or task
    that cannot be, or an extractor that is not here, has no classes, or sees maps of another size."""
    study, job = ground.study, ground.job_file.job
    check_defect(ground.census, study.defect, study.originals, study.held_out)
    if job.generate.source != "augmented":
        raise UsageError(
            "a study augments its originals", where="generate.source", try_='--set generate.source="augmented"'
        )
    if job.generate.samples < study.originals:
        raise UsageError(
            f"{job.generate.samples} augmented maps are fewer than their {study.originals} originals",
            where="generate.samples",
        )
    if job.search is not None:
        raise UsageError("a study has no search", where="search", try_="leave [search] out")
    if study.mode == "auto":
        _check_generator(ground, ranks, launcher)
    if study.classify:
        _check_classifier(ground)
    _check_extractor(ground)


def _check_generator(ground: Ground, ranks: int, launcher: Launcher) -> None:
    from xpshpc.train.check import check_training

    job = ground.job_file.job
    if job.train.task.get("goal") != "generate":
        raise UsageError(
            'mode = "auto" trains a network that makes maps',
            where="train.task.goal",
            try_='[train.task] goal = "generate", or --set wafers.study.mode="manual"',
        )
    if job.train.task.get("encoding", "fail") != "fail":
        raise UsageError(
            "thresholds cut images in which gray levels tell how surely a die fails",
            where="train.task.encoding",
            try_='[train.task] encoding = "fail"',
        )
    split_shards(len(plan_shards(job.generate, "")), job.split)
    check_training(ground.job_file, ranks, launcher)


def _check_classifier(ground: Ground) -> None:
    study, job_file = ground.study, ground.job_file
    learn = study.classifier
    if not diets_of(study, ground.census, job_file.job.generate.samples):
        raise UsageError(
            f'mode = "manual" makes no maps for {" and ".join(learn.diets)}',
            where="wafers.study.classifier.diets",
            try_='"real" or "augmented"',
        )
    if study.defect not in ground.census.told_apart or not ground.census.others(study.defect):
        raise UsageError(
            f"a classifier needs maps of {study.defect} and of another class in the splits train and test",
            where="wafers.study.classify",
            try_="--set wafers.study.classify=false",
        )
    # The maps that it will learn from are not made yet: the original ones stand in for them.
    settings = ground.settings.model_copy(update={"study": None})
    problem = job_file.domain.problem(settings, learn.task)
    try:
        problem.check_network(learn.network, learn.parameters)
    except UsageError as error:
        raise UsageError(error.what, where="wafers.study.classifier", try_=error.try_) from None


def _check_extractor(ground: Ground) -> None:
    from xpshpc.evaluate.extractors import describe_extractor
    from xpshpc.evaluate.extractors.choice import find_run

    study = ground.study
    weights = None if study.weights is None else Path(study.weights)
    told = describe_extractor(study.extractor, weights=weights, resize=study.resize)
    if not told["classes"]:
        raise UsageError(
            f"{told['name']} tells no classes, and a study tells inception scores",
            where="wafers.study.extractor",
            try_="a known network, or a run of a wafer classifier",
        )
    run = find_run(study.extractor)
    if run is None:
        return
    settings = open_run(run)[1].settings
    if not isinstance(settings, WaferSettings):
        raise UsageError(
            f"{told['name']} has learned no wafer maps",
            where="wafers.study.extractor",
            try_="a run of a wafer classifier",
        )
    if settings.size != ground.score_size:
        raise UsageError(
            f"{told['name']} sees maps of {settings.size} dies across, and these have {ground.score_size}",
            where="wafers.study.score_size",
            try_=f"--set wafers.study.score_size={settings.size}",
        )
