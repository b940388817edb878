"""Sources of maps: each sample follows from (job, seed, index), and what cannot be made is said before any work."""

import numpy as np
import pytest

from tests.wafers.small_files import CLASSES, EACH, wafer_job, write_generator, write_originals
from xpshpc.errors import UsageError
from xpshpc.generate.generate import generate
from xpshpc.run_directory import RunDirectory
from xpshpc.source import AttendedSource, CheckedSource, CountedSource
from xpshpc.store.read import Store

ORIGINALS = EACH * len(CLASSES)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_originals(tmp_path_factory.mktemp("originals") / "maps.npz").parent


def make(job_file, indices=None):
    source = job_file.source()
    source.check()
    return source.make(np.arange(job_file.job.generate.samples) if indices is None else indices)


def job(files, source, samples, **wafers):
    return wafer_job(files, source, samples, originals={"file": "maps.npz", "classes": list(CLASSES)}, **wafers)


def mixed(files, **more):
    parts = [("originals", 12), ("augmented", 20), ("synthetic", 30), ("synthetic", 30)]
    return job(
        files,
        "mixture",
        92,
        augmentation={"keep_originals": False},
        patterns={"classes": list(CLASSES)},
        mixture=[{"source": name, "samples": samples} for name, samples in parts],
        **more,
    )


def keys(maps):
    return [one.tobytes() for one in maps]


def test_originals_come_once_each_in_shuffled_order(files):
    rows = make(job(files, "originals", ORIGINALS))
    assert sorted(rows["original"].tolist()) == list(range(ORIGINALS))
    assert rows["original"].tolist() != list(range(ORIGINALS))
    assert (rows["label"] == rows["original"] // EACH).all()
    assert rows["map"].shape == (ORIGINALS, 24, 24)


@pytest.mark.networks
def test_augmented_maps_hold_the_originals_once_and_change_each_as_often(files):
    originals = make(job(files, "originals", ORIGINALS))
    by_place = dict(zip(originals["original"].tolist(), originals["map"], strict=True))
    rows = make(job(files, "augmented", 5 * ORIGINALS))
    assert np.bincount(rows["original"]).tolist() == [5] * ORIGINALS
    assert (rows["label"] == rows["original"] // EACH).all()
    unchanged = [
        (one == by_place[place]).all() for one, place in zip(rows["map"], rows["original"].tolist(), strict=True)
    ]
    assert sorted(rows["original"][unchanged].tolist()) == list(range(ORIGINALS))
    assert len(set(keys(rows["map"]))) == 5 * ORIGINALS
    changed = make(job(files, "augmented", 7, augmentation={"keep_originals": False}))
    assert not set(keys(changed["map"])) & set(keys(originals["map"]))


def test_synthetic_maps_have_their_classes(files):
    rows = make(wafer_job(files, "synthetic", 60, patterns={"classes": ["Near-full", "None"], "yield_loss": [0, 0.1]}))
    failed = (rows["map"] == 2).sum(axis=(1, 2)) / (rows["map"] > 0).sum(axis=(1, 2))
    assert ((failed > 0.5) == (rows["label"] == 0)).all()
    assert (rows["original"] == -1).all()
    assert 10 < rows["label"].sum() < 50


@pytest.mark.networks
def test_a_mixture_holds_all_its_parts_spread_over_the_data_set(files):
    rows = make(mixed(files))
    assert (rows["original"] >= 0).sum() == 32
    assert 8 < (rows["original"][:46] >= 0).sum() < 24
    assert len(set(keys(rows["map"]))) == 92, "two parts of one kind draw different maps"
    order = np.random.default_rng(1).permutation(92)
    piecewise = [make(mixed(files), order[start : start + 9]) for start in range(0, 92, 9)]
    for name, values in rows.items():
        assert np.array_equal(np.concatenate([piece[name] for piece in piecewise]), values[order])


@pytest.mark.networks
def test_a_generator_makes_each_map_from_its_own_numbers(files, tmp_path):
    model = write_generator(tmp_path / "train")
    settings = {"size": 12, "generator": {"model": str(model), "classes": ["Donut", "Scratch"], "threshold": 140}}
    job_file = wafer_job(tmp_path, "generated", 150, **settings)
    rows = make(job_file)
    assert {spec.name for spec in job_file.source().arrays()} == set(rows)
    assert np.bincount(rows["label"]).tolist() == [75, 75]
    on = rows["map"][0] > 0
    assert 0.6 < on.mean() < 0.9, "the mask is a disc"
    assert ((rows["map"] == 2) == (rows["gray"] >= 140) & on).all()
    assert ((rows["map"] > 0) == on).all()
    assert len(set(keys(rows["gray"]))) == 150
    single = make(job_file, np.array([149, 3, 64]))
    assert np.array_equal(single["gray"], rows["gray"][[149, 3, 64]])

    alone = write_generator(tmp_path / "alone", conditional=False)
    rows = make(wafer_job(tmp_path, "generated", 3, size=12, generator={"model": str(alone)}))
    assert (rows["label"] == 0).all()


@pytest.mark.networks
def test_workers_make_the_same_maps(files, tmp_path):
    job_file, run = mixed(files), RunDirectory(tmp_path / "run")
    assert generate(job_file, run, workers=1).committed == 92
    store, expected = Store(run), make(mixed(files))
    for name, values in expected.items():
        stored = [store.read_shard(shard, [name])[name] for shard in range(6)]
        assert np.array_equal(np.concatenate(stored)[:92], values)
    assert job_file.source().attributes()["classes"] == list(CLASSES)


@pytest.mark.parametrize(
    ("source", "samples", "says"),
    [
        ("originals", 22, r"the originals are 12 maps, and 22 are asked for\n  try: generate.samples = 12"),
        ("augmented", 5, r"the originals, which are kept, are 12 maps already, and 5 are asked for"),
    ],
)
def test_a_wrong_number_is_found_before_any_work(files, tmp_path, source, samples, says):
    run = RunDirectory(tmp_path / "run")
    with pytest.raises(UsageError, match=says):
        generate(job(files, source, samples), run, workers=1)
    assert not run.path.exists()


def test_the_parts_of_a_mixture_add_up_and_each_is_checked(files):
    with pytest.raises(UsageError, match=r"are 7 maps, and 8 are asked for\n  try: generate.samples = 7"):
        make(job(files, "mixture", 8, mixture=[{"source": "synthetic", "samples": 7}]))
    with pytest.raises(
        UsageError, match=r'mixture\.0\.samples: part "originals": the originals are 12 .*\n .*try: samples = 12'
    ):
        make(job(files, "mixture", 8, mixture=[{"source": "originals", "samples": 8}]))


@pytest.mark.parametrize(
    ("source", "wafers", "says"),
    [
        ("originals", {}, r"wafers\.originals: source = \"originals\" needs measured maps"),
        ("augmented", {}, r"wafers\.originals: source = \"augmented\" needs measured maps"),
        ("generated", {}, r"wafers\.generator: source = \"generated\" needs a trained generator"),
        ("generated", {"generator": {"model": "gone.keras", "classes": ["Donut"]}}, "no trained generator here"),
        ("mixture", {}, r"wafers\.mixture: source = \"mixture\" has no parts"),
        ("mixture", {"mixture": [{"source": "augmented", "samples": 3}]}, r"wafers\.originals: .*needs measured maps"),
        ("originals", {"originals": {"file": "gone.npz"}}, r"gone\.npz"),
        ("sythetic", {}, "did you mean 'synthetic'"),
    ],
)
def test_what_a_source_lacks_is_said(tmp_path, source, wafers, says):
    with pytest.raises(UsageError, match=says):
        make(wafer_job(tmp_path, source, 3, **wafers))


@pytest.mark.networks
def test_a_generator_that_does_not_fit_is_refused(tmp_path):
    model = write_generator(tmp_path / "train")

    def refused(says, size=12, card=None, **generator):
        with pytest.raises(UsageError, match=says):
            make(wafer_job(tmp_path, "generated", 3, size=size, generator={"model": str(model), **generator}))

    refused("makes maps of 12 × 12, and the job asks for 24", size=24)
    refused(r"has not learned 'Donat' \(did you mean 'Donut'\?\)", classes=["Donat"])
    card = model.with_suffix(".json")
    told = card.read_text()
    card.write_text(told.replace('"fail"', '"three"'))
    refused("good dies of this generator have gray level 128: all fail with threshold 127")
    card.write_text(told.replace('"generate"', '"classify"'))
    refused("is no generator of maps")
    card.write_text(told.replace('"conditional": true', '"conditional": false'))
    refused("learned 3 classes without telling them apart")
    card.write_text(told[:-1] + ', "sha256": "00"}')
    refused("is not the file that its card tells of")
    card.write_text("{")
    refused("is damaged")
    card.unlink()
    refused("card is missing")


def test_a_source_of_maps_is_counted_checked_and_says_what_it_prepares(files):
    source = job(files, "originals", ORIGINALS).source()
    assert isinstance(source, CountedSource) and isinstance(source, CheckedSource)
    assert isinstance(source, AttendedSource)
    steps = []
    source.attend(steps.append)
    assert steps == ["reading the originals"]
