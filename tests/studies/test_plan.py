"""The plan of a study: steps after those they need, every run named once, nothing that mode manual leaves out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.studies.small_study import DRAWN, ground_of, small_job, write_wafers
from xpshpc.errors import UsageError
from xpshpc.studies.census import Census, part_held_out, take_census
from xpshpc.studies.check import check_study
from xpshpc.studies.diets import diets_of, epochs_of
from xpshpc.studies.ground import Ground, find_ground
from xpshpc.studies.plan import BEST_THRESHOLD, held_out_run, plan_study, with_threshold
from xpshpc.studies.step import Step, Work

COUNTS = {name: {"Center": 20, "Donut": 20, "Scratch": 5} for name in ("train", "validation", "test")}
CENSUS = Census(("Center", "Donut", "Scratch"), COUNTS)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wafers(tmp_path_factory.mktemp("wafers") / "wafers.npz")


def ground(file: Path, **study: object) -> Ground:
    return ground_of(small_job(file, **study), CENSUS, file.parent / "run")


def names(steps: tuple[Step, ...]) -> list[str]:
    return [step.name for step in steps]


@pytest.mark.parametrize("mode", ["auto", "manual"])
def test_a_step_comes_after_those_it_needs(file, mode):
    steps = plan_study(ground(file, mode=mode))
    made: set[str] = set()
    runs: set[str] = set()
    for step in steps:
        assert set(step.needs) <= made, step.name
        assert set(step.reads) <= runs, step.name
        assert step.name not in made
        made.add(step.name)
        runs |= {step.run} if step.run else set()


def test_a_run_belongs_to_one_job(file):
    told = [step.run for step in plan_study(ground(file)) if step.tables is not None]
    assert len(told) == len(set(told))
    for step in plan_study(ground(file)):
        assert step.tables is None or step.tables["name"] == step.run


def test_without_a_network_nothing_is_trained_to_make_maps(file):
    steps = plan_study(ground(file, mode="manual"))
    assert not {"network", "generated", "thresholds", "binarised"} & set(names(steps))
    assert {"classifier-real", "classifier-augmented"} <= set(names(steps))
    assert not {"classifier-generated", "classifier-mixed"} & set(names(steps))


def test_classifiers_are_asked_only_where_they_shall_be(file):
    steps = plan_study(ground(file, classify=False))
    assert names(steps)[-1] == "scores"
    assert all(Work.JUDGE not in step.work for step in steps)


def test_classifiers_differ_in_the_studied_class_alone(file):
    there = ground(file)
    diets = diets_of(there.study, there.census, 48)
    assert len({diet.others for diet in diets}) == 1
    assert diets[0].others == 8 + 5, "a class with fewer maps than are asked for gives all it has"
    assert [diet.made for diet in diets] == [8, 48, 8 + 12, 48 + 12]


def test_classifiers_take_as_many_steps_whatever_they_learn_from(file):
    there = ground(file)
    diets = diets_of(there.study, there.census, 480)
    steps = [epochs_of(diet, diets, 100) * len(diet) for diet in diets]
    assert epochs_of(diets[0], diets, 100) == 100 and len(diets[0]) == min(map(len, diets))
    assert max(steps) < 1.1 * min(steps)
    assert epochs_of(diets[-1], diets, 1) == 1, "each is trained at all"


def test_only_the_wanted_choices_are_compared(file):
    there = ground(file, classifier={"diets": ["mixed", "real"]})
    assert [diet.name for diet in diets_of(there.study, there.census, 48)] == ["real", "mixed"]
    by_hand = ground(file, mode="manual", classifier={"diets": ["mixed", "real"]})
    assert [diet.name for diet in diets_of(by_hand.study, by_hand.census, 48)] == ["real"]


@pytest.mark.parametrize(
    ("study", "choosing", "judging"),
    [
        ({}, ("validation",), ("test",)),
        ({"held_out": ["test", "validation"]}, ("validation",), ("test",)),
        ({"held_out": ["test"]}, ("test",), ("test",)),
        ({"mode": "manual"}, ("validation", "test"), ("validation", "test")),
        ({"thresholds": [100]}, ("validation", "test"), ("validation", "test")),
    ],
)
def test_who_chooses_the_threshold_does_not_judge_where_there_are_others(file, study, choosing, judging):
    there = ground(file, **study)
    assert (there.held_out.choosing, there.held_out.judging) == (choosing, judging)
    by_name = {step.name: step for step in plan_study(there)}
    assert {held_out_run(split) for split in judging} <= set(by_name["scores"].needs + by_name["images"].needs)


def test_a_split_with_a_single_map_of_the_class_does_not_judge_alone(file):
    study = ground(file).study
    for single in ("validation", "test"):
        counts = {**COUNTS, single: {"Center": 20, "Donut": 1}}
        held_out = part_held_out(study, Census(CENSUS.classes, counts))  # type: ignore[arg-type]
        assert held_out.judging == held_out.choosing == ("validation", "test")


def test_the_chosen_threshold_stands_where_it_was_left_open(file):
    by_name = {step.name: step.tables for step in plan_study(ground(file))}
    assert by_name["binarised"]["wafers"]["generator"]["threshold"] == BEST_THRESHOLD
    cut = with_threshold(by_name["binarised"], 160)
    assert cut["wafers"]["generator"]["threshold"] == 160
    assert by_name["binarised"]["wafers"]["generator"]["threshold"] == BEST_THRESHOLD, "the plan is as it was"
    assert with_threshold(by_name["augmented"], 160) == by_name["augmented"]


def test_held_out_maps_come_from_no_split_that_is_learned_from(file):
    for step in plan_study(ground(file)):
        originals = {} if step.tables is None else step.tables["wafers"].get("originals", {})
        if step.name.startswith("held-out"):
            assert originals["split"] in ("validation", "test") and originals["classes"] == ["Donut"]
        if step.name in ("originals", "augmented"):
            assert originals["split"] == "train" and originals["per_class"] == 8


def test_the_census_counts_each_split(file):
    census = take_census(small_job(file).settings.originals, seed=7)  # type: ignore[attr-defined]
    assert {name: census.of("train", name) for name in DRAWN} == dict.fromkeys(DRAWN, 20)
    assert census.tested == 8 * len(DRAWN)
    assert set(census.told_apart) == set(DRAWN)


@pytest.mark.parametrize(
    ("study", "where", "says"),
    [
        ({"defect": "Donat"}, "wafers.study.defect", "did you mean 'Donut'"),
        ({"defect": "Scratch"}, "wafers.study.originals", "has 0"),
        ({"originals": 21}, "wafers.study.originals", "has 20"),
        ({"extractor": "no-such-network"}, "--extractor", "unknown extractor"),
        ({"classifier": {"network": "wafer_cn", "parameters": {}}}, "wafers.study.classifier", "wafer_cnn"),
        (
            {"mode": "manual", "classifier": {"diets": ["mixed"]}},
            "wafers.study.classifier.diets",
            "makes no maps for mixed",
        ),
    ],
)
def test_what_cannot_be_is_found_before_any_work(file, study, where, says):
    job_file = small_job(file, **study)
    with pytest.raises(UsageError, match=says) as caught:
        check_study(find_ground(file.parent / "run", job_file), 1, "gloo")
    assert caught.value.where == where
    assert not (file.parent / "run").exists()


@pytest.mark.parametrize(
    ("study", "says"),
    [
        ({"originals": 1}, "no spread"),
        ({"thresholds": [0, 100]}, "gray levels from 1 to 254"),
        ({"thresholds": [100, 300]}, "gray levels from 1 to 254"),
        ({"thresholds": [160, 100]}, "thresholds rise"),
        ({"threshold": [100]}, "did you mean 'thresholds'"),
        ({"classifier": {"diets": ["real", "real"]}}, "listed twice"),
    ],
)
def test_settings_that_make_no_sense_are_refused(file, study, says):
    with pytest.raises(UsageError, match=says):
        small_job(file, **study)
