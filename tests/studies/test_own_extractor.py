"""A trained run as a study's extractor: it sees maps as it learned them, scores sets by itself, or is refused first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.evaluate.image_runs import TINY_NETWORK, save_untrained, wafer_run
from tests.studies.small_study import SIZE, draw_maps, small_job, write_wafers
from tests.train.stored_run import SMALL_NETWORK, store_run
from tests.train.stored_run import small_job as spectra_job
from xpshpc.cluster.profile import read_profile
from xpshpc.errors import UsageError
from xpshpc.evaluate.extractors import open_extractor
from xpshpc.run_directory import RunDirectory
from xpshpc.studies.check import check_study
from xpshpc.studies.ground import Ground, find_ground
from xpshpc.studies.jury import Jury
from xpshpc.studies.look import cut_gray, look_at, write_images
from xpshpc.studies.plan import HELD_OUT, plan_study
from xpshpc.studies.workplace import Workplace
from xpshpc.wafers.maps import GRAY, OFF, PASS

pytestmark = pytest.mark.networks


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wafers(tmp_path_factory.mktemp("wafers") / "wafers.npz")


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A run of maps as large as the study's, with a network as it begins."""
    run = wafer_run(tmp_path_factory.mktemp("classifier"), samples=16)
    save_untrained(run, "wafer_cnn", TINY_NETWORK, (SIZE, SIZE, 2))
    return run


def ground(file: Path, extractor: object, **study: object) -> Ground:
    return find_ground(file.parent / "run", small_job(file, extractor=str(extractor), **study))


@pytest.mark.ranks
def test_sets_are_scored_in_the_features_of_the_run_that_is_named(
    file: Path, classifier: RunDirectory, tmp_path: Path
) -> None:
    there = find_ground(tmp_path / "run", small_job(file, extractor=str(classifier.path)))
    check_study(there, 1, "gloo")
    maps = {HELD_OUT: draw_maps("Donut", 6, seed=1), "augmented": draw_maps("Center", 7, seed=2)}
    for name, each in maps.items():
        write_images(there.sets / f"{name}.npz", look_at(each, there.score_size, there.good_gray))
    jury = Jury(there, Workplace(read_profile("local"), 1, 1), None)

    gray = np.where(maps[HELD_OUT] == OFF, 0, 200).astype(np.uint8)
    cut = look_at(cut_gray(gray, maps[HELD_OUT] != OFF, 100), there.score_size, there.good_gray)
    (of_cut,) = jury.see([HELD_OUT, "augmented"], [cut])
    scores = jury.compare("augmented")
    assert (scores["extractor"], scores["dimensions"]) == (classifier.path.name, TINY_NETWORK["features"])
    assert scores["extractor_sha256"] == jury.describe()["sha256"]
    assert (scores["n_a"], scores["n_b"]) == (6, 7) and scores["fid"] > 0
    assert scores["from_cache"] == (True, True), "what was seen once is not looked at again"
    assert scores["kid"] is not None and scores["inception_score"]["b"]["mean"] >= 1

    network = open_extractor(str(classifier.path))
    assert hasattr(network, "answer_rows")
    for name, each in maps.items():
        expected = network.answer_rows({"map": each})
        np.testing.assert_allclose(jury.seen(name).features, expected.features, rtol=1e-5, atol=1e-6)
    failed = np.where(maps[HELD_OUT] == OFF, OFF, 2).astype(np.uint8)
    np.testing.assert_allclose(of_cut.features, network.answer_rows({"map": failed}).features, rtol=1e-5, atol=1e-6)


def test_only_a_network_of_maps_is_shown_good_dies_and_only_then_is_it_another_look(
    file: Path, classifier: RunDirectory
) -> None:
    own, known = ground(file, classifier.path), ground(file, "efficientnet-lite0")
    assert (own.good_gray, known.good_gray) == (GRAY[PASS], 0)
    first, second = (next(step for step in plan_study(each) if step.name == "images") for each in (own, known))
    assert dict(first.decisive) == {**second.decisive, "good_gray": GRAY[PASS]}


def test_a_run_that_cannot_judge_is_refused_before_any_work(
    file: Path, classifier: RunDirectory, tmp_path: Path
) -> None:
    spectra = store_run(tmp_path, spectra_job(tmp_path, samples=32))
    save_untrained(spectra, "vanilla_cnn", SMALL_NETWORK, (128,))
    for there, where, says in (
        (ground(file, classifier.path, score_size=24), "score_size", "maps of 16 dies across, and these have 24"),
        (ground(file, spectra.path), "extractor", "tells no classes"),
    ):
        with pytest.raises(UsageError, match=says) as refused:
            check_study(there, 1, "gloo")
        assert refused.value.where == f"wafers.study.{where}"
        assert not there.path.exists()
