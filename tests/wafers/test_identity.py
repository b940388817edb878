"""A data set of maps is what its settings and its files' contents make of it, wherever the files lie."""

import json
import shutil

import pytest

from tests.wafers.small_files import CLASSES, wafer_job, write_originals
from xpshpc.errors import UsageError
from xpshpc.plan.identity import data_hash
from xpshpc.wafers.content import content_hash
from xpshpc.wafers.identity import decisive
from xpshpc.wafers.settings import Generator, Originals, WaferSettings


def hashed(folder, file, **wafers):
    return data_hash(wafer_job(folder, "augmented", 60, originals={"file": str(file)}, **wafers))


def test_a_file_may_move_but_not_change(tmp_path):
    file = write_originals(tmp_path / "maps.npz")
    here = hashed(tmp_path, file)
    moved = shutil.copy(file, tmp_path / "elsewhere.npz")
    assert hashed(tmp_path, moved) == here
    write_originals(file, seed=2)
    assert hashed(tmp_path, file) != here
    assert hashed(tmp_path, moved) == here


def test_a_file_stands_beside_its_job(tmp_path):
    write_originals(tmp_path / "maps.npz")
    assert hashed(tmp_path, "maps.npz") == hashed(tmp_path, tmp_path / "maps.npz")


def test_what_changes_the_maps_changes_the_identity(tmp_path):
    file = write_originals(tmp_path / "maps.npz")
    found = [
        hashed(tmp_path, file),
        hashed(tmp_path, file, size=25),
        hashed(tmp_path, file, augmentation={"zoom": 0.1}),
        hashed(tmp_path, file, patterns={"classes": ["Donut"]}),
        hashed(tmp_path, file, mixture=[{"source": "synthetic", "samples": 3}]),
        data_hash(wafer_job(tmp_path, "augmented", 60, originals={"file": str(file), "per_class": 3})),
    ]
    assert len(set(found)) == len(found)


def test_a_folder_is_the_files_in_it(tmp_path):
    for place in ("one", "two"):
        (tmp_path / place / "Donut").mkdir(parents=True)
        (tmp_path / place / "Donut" / "a.png").write_bytes(b"a")
    one, two = tmp_path / "one", tmp_path / "two"
    assert content_hash(one, where="x") == content_hash(two, where="x")
    (two / "Donut" / ".thumbnail").write_bytes(b"hidden")
    assert content_hash(one, where="x") == content_hash(two, where="x")
    (two / "Donut" / "a.png").rename(two / "Donut" / "b.png")
    assert content_hash(one, where="x") != content_hash(two, where="x")


def write_card(folder, **changes):
    (folder / "model.keras").write_bytes(b"weights")
    told = {"goal": "generate", "latent": 5, "size": 48, "classes": CLASSES, "conditional": True, "encoding": "fail"}
    (folder / "model.json").write_text(json.dumps({**told, **changes}))
    return WaferSettings(generator=Generator(model=str(folder / "model.keras")))


def test_a_generator_is_its_weights_and_what_its_card_says_of_the_maps(tmp_path):
    first = decisive(write_card(tmp_path))
    assert decisive(write_card(tmp_path, training={"wall_s": 3.0})) == first
    assert decisive(write_card(tmp_path, mask={"disc_diameter": 40})) != first
    json.dumps(first)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"no such file: .*gone\.npz"):
        decisive(WaferSettings(originals=Originals(file=str(tmp_path / "gone.npz"))))
    with pytest.raises(UsageError, match=r"no trained generator here: .*gone\.keras"):
        decisive(WaferSettings(generator=Generator(model=str(tmp_path / "gone.keras"))))
