"""The wafer classifier as a learning problem: what it reads, how training maps are changed, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.wafers.measured_maps import made_up_map, made_up_set
from xpshpc.config import validate_job
from xpshpc.domain import Place
from xpshpc.errors import UsageError
from xpshpc.wafers.class_names import class_names
from xpshpc.wafers.learning.changes import apply_symmetries, change_maps, rotate
from xpshpc.wafers.learning.problem import make_problem
from xpshpc.wafers.learning.task import Changes
from xpshpc.wafers.maps import CLASSES, FAIL, OFF, PASS
from xpshpc.wafers.readers.packed import write_packed
from xpshpc.wafers.settings import WaferSettings

SIZE = 24
PLACE = Place(seed=7, epoch=3, step=11, first=0)


def wafers(n: int) -> np.ndarray:
    """Round wafers with dies that fail at random."""
    at = np.arange(SIZE) - (SIZE - 1) / 2
    on = np.hypot(at[:, None], at) <= SIZE / 2
    fails = np.random.default_rng(5).random((n, SIZE, SIZE)) < 0.3
    return np.where(on, np.where(fails, FAIL, PASS), OFF).astype(np.uint8)


def settings(**keys: Any) -> WaferSettings:
    return WaferSettings.model_validate({"size": SIZE, **keys})


def test_a_map_is_two_channels_and_a_label_one_of_its_jobs_classes() -> None:
    problem = make_problem(settings(patterns={"classes": ["Loc", "Donut"]}), {})
    maps = wafers(3)
    features = problem.features({"map": maps, "label": np.array([0, 1, 1], np.uint8)})
    assert features.shape == (3, SIZE, SIZE, 2) and features.dtype == np.float32
    np.testing.assert_array_equal(features[..., 0] + features[..., 1], maps)
    targets = problem.targets({"map": maps, "label": np.array([0, 1, 1], np.uint8)})
    np.testing.assert_array_equal(targets["class"], [[1, 0], [0, 1], [0, 1]])
    card = problem.model_card()
    assert (card["science"], card["size"], card["classes"]) == ("wafers", SIZE, ["Loc", "Donut"])


@pytest.mark.parametrize("changes", [Changes(), Changes(rotation_degrees=30), Changes(symmetries=False)])
def test_changes_follow_from_a_maps_place_however_a_batch_is_shared(changes: Changes) -> None:
    maps = wafers(24)
    whole = change_maps(maps, changes, PLACE)
    parts = [change_maps(maps[at : at + 8], changes, Place(7, 3, 11, at)) for at in (0, 8, 16)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert np.array_equal(whole, maps) == (not changes.symmetries and not changes.rotation_degrees)
    if changes.symmetries:
        assert not np.array_equal(change_maps(maps, changes, Place(7, 3, 12, 0)), whole)


def test_the_eight_symmetries_are_different_and_move_whole_dies() -> None:
    one = wafers(1)
    eight = apply_symmetries(np.repeat(one, 8, axis=0), np.arange(8))
    assert len({bytes(changed) for changed in eight}) == 8
    np.testing.assert_array_equal(eight[0], one[0])
    counts = [np.bincount(changed.ravel(), minlength=3) for changed in eight]
    np.testing.assert_array_equal(counts, [counts[0]] * 8)


def test_a_rotation_keeps_the_wafer_and_a_quarter_turn_is_exact() -> None:
    maps = wafers(5)
    angles = np.array([0.0, 0.3, -1.2, np.pi / 2, np.pi])
    turned = rotate(maps, angles)
    np.testing.assert_array_equal(turned == OFF, maps == OFF)
    assert set(np.unique(turned)) <= {OFF, PASS, FAIL}
    np.testing.assert_array_equal(turned[0], maps[0])
    assert any(np.array_equal(turned[3], np.rot90(maps[3], k)) for k in (1, 3))
    np.testing.assert_array_equal(turned[4], np.rot90(maps[4], 2))
    share = (turned == FAIL).sum(axis=(1, 2)) / (maps == FAIL).sum(axis=(1, 2))
    np.testing.assert_allclose(share, 1, atol=0.15)


def test_a_job_has_the_classes_of_what_makes_its_samples(tmp_path: Path) -> None:
    assert class_names(settings()) == CLASSES
    assert class_names(settings(originals={"file": "LSWMD.pkl"})) == CLASSES
    assert class_names(settings(originals={"file": "LSWMD.pkl", "classes": ["Loc", "Center"]})) == ("Loc", "Center")
    packed = tmp_path / "own.npz"
    write_packed(packed, made_up_set([made_up_map(0), made_up_map(1)], [0, 1], [0, 0], ("Ring", "Line")))
    assert class_names(settings(originals={"file": str(packed)})) == ("Ring", "Line")
    model = tmp_path / "model.keras"
    with pytest.raises(UsageError, match="no trained generator"):
        class_names(settings(generator={"model": str(model)}))
    model.write_bytes(b"")
    told = {"goal": "generate", "latent": 8, "size": SIZE, "conditional": False, "encoding": "fail"}
    model.with_suffix(".json").write_text(json.dumps(told | {"classes": ["Donut"]}))
    assert class_names(settings(generator={"model": str(model)})) == ("Donut",)
    twice = {"model": str(model), "classes": ["Loc", "Donut", "Loc"]}
    assert class_names(settings(generator=twice)) == ("Loc", "Donut")


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"train": {"task": {"gaol": "classify"}}}, "gaol: unknown key (did you mean 'goal'?)"),
        ({"train": {"task": {"goal": "clasify"}}}, "did you mean 'classify'?"),
        ({"train": {"task": {"augmentation": {"symetries": True}}}}, "did you mean 'symmetries'?"),
        ({"train": {"task": {"class_weights": {"Donat": 2.0}}}}, "unknown class(es) Donat"),
        ({"train": {"network": "wafer_cn"}}, "did you mean 'wafer_cnn'?"),
        ({"train": {"network": "dcgan"}}, "dcgan is a network to generate"),
        ({"train": {"parameters": {"width": [8]}}}, "did you mean 'widths'?"),
        ({"train": {"parameters": {"widths": [8] * 6}}}, "leave nothing of a map of 24 dies"),
    ],
)
def test_what_cannot_be_is_refused_with_the_next_thing_to_type(keys: dict[str, Any], told: str) -> None:
    train = {"network": "wafer_cnn", **keys.get("train", {})}
    tables = {
        "name": "w",
        "seed": 1,
        "generate": {"source": "synthetic", "samples": 512, "shard_samples": 256},
        "train": train,
        "wafers": {"size": SIZE},
    }
    with pytest.raises(UsageError) as error:
        validate_job(tables, where="test", folder=Path())
    assert told in str(error.value)
