"""An extractor says the same of an image whoever asks, in whatever company; one that cannot be is refused by name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.evaluate.extraction_shares import RANKS
from tests.evaluate.image_runs import TINY_NETWORK, save_pictures, save_untrained, stored_maps, wafer_run
from tests.train.stored_run import SMALL_NETWORK, small_job, store_run
from xpshpc.errors import EnvironmentFault, UsageError
from xpshpc.evaluate.extractors import describe_extractor, open_extractor, open_set
from xpshpc.evaluate.extractors.batches import unique_images
from xpshpc.evaluate.extractors.extract import extract_share
from xpshpc.evaluate.extractors.own_network import nearest_values
from xpshpc.evaluate.extractors.resize import RESIZES, resize_images
from xpshpc.evaluate.images import open_images
from xpshpc.evaluate.images.stored_rows import StoredRows
from xpshpc.evaluate.predict import Predictor
from xpshpc.run_directory import RunDirectory, open_run
from xpshpc.store.read import Store

GRAY = np.array([0, 127, 255], np.uint8)


def noise(n: int, size: int = 24) -> NDArray[np.uint8]:
    return np.random.default_rng(size).integers(0, 256, (n, size, size)).astype(np.uint8)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A run of wafer maps with a network, and with three maps in quarantine."""
    run = wafer_run(tmp_path_factory.mktemp("trained"), quarantined={0: 3})
    save_untrained(run, "wafer_cnn", TINY_NETWORK, (16, 16, 2))
    return run


def test_looking_at_an_extractor_needs_no_tensorflow() -> None:
    program = (
        "import sys; from xpshpc.evaluate.extractors import describe_extractor as describe\n"
        "told = describe('efficientnet-lite0')\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)\n"
        "assert told['dimensions'] == 1280 and told['resize'] == 'lanczos' and len(told['sha256']) == 64, told"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.networks
def test_the_same_bits_for_any_ranks_order_and_repetition(tmp_path: Path) -> None:
    different = noise(45)
    images = different[np.random.default_rng(1).integers(0, 45, 70)]
    np.savez(tmp_path / "set.npz", images=images)
    answer = tmp_path / "answer.npz"
    arguments = ["-m", "tests.evaluate.extraction_shares", str(tmp_path / "set.npz"), str(answer)]
    subprocess.run([sys.executable, *arguments], check=True, cwd=Path(__file__).parents[2])
    with np.load(answer) as found:
        features, probabilities = found["features_1"], found["probabilities_1"]
        assert features.shape == (70, 1280) and probabilities.shape == (70, 1000)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
        for ranks in RANKS:
            np.testing.assert_array_equal(found[f"features_{ranks}"], features)
            np.testing.assert_array_equal(found[f"probabilities_{ranks}"], probabilities)
        np.testing.assert_array_equal(found["backwards"][::-1], features)
    # Equal images have equal features, and others have others.
    _, place = unique_images(images)
    assert len(np.unique(features, axis=0)) == place.max() + 1


@pytest.mark.networks
def test_a_trained_run_looks_at_stored_samples_and_at_pictures_of_them_alike(
    trained: RunDirectory, tmp_path: Path
) -> None:
    model = str(trained.model)
    rows, extractor = open_set(trained.path, model), open_extractor(model)
    assert isinstance(rows, StoredRows)
    told = describe_extractor(model)
    assert told["dimensions"] == extractor.dimensions == TINY_NETWORK["features"] and told["classes"]
    maps = stored_maps(trained)
    pictures = open_set(save_pictures(tmp_path, GRAY[maps]), model)
    from_store, from_pictures = (extract_share(each, extractor, 0, 1) for each in (rows, pictures))
    assert len(from_store.features) == len(maps) == 37
    np.testing.assert_array_equal(from_store.features, from_pictures.features)
    assert from_store.probabilities is not None
    np.testing.assert_allclose(from_store.probabilities.sum(axis=1), 1, atol=1e-5)
    problem = open_run(trained.path)[1].problem()
    expected = Predictor(trained.model, 64).predict(problem.features({"map": maps}))
    np.testing.assert_allclose(from_store.features, expected.features, atol=1e-5)
    by_three = [extract_share(rows, extractor, rank, 3).features for rank in range(3)]
    np.testing.assert_array_equal(np.concatenate(by_three), from_store.features)
    # More ranks than samples: some have none, and say how wide their empty rows are.
    shares = [extract_share(open_set(trained.path, model, limit=2), extractor, rank, 3) for rank in range(3)]
    assert [share.features.shape for share in shares] == [(0, 6), (1, 6), (1, 6)]
    assert {share.probabilities.shape[1] for share in shares} == {from_store.probabilities.shape[1]}
    with pytest.raises(UsageError, match="images of 24 × 24 for a network of 16 × 16"):
        extractor.answer(noise(3))


@pytest.mark.networks
def test_spectra_have_features_by_a_spectrum_network(trained: RunDirectory, tmp_path: Path) -> None:
    run = store_run(tmp_path, small_job(tmp_path, samples=64))
    problem = open_run(run.path)[1].problem()
    counts = Store(run).read_shard(0, problem.reads)
    inputs = problem.features(counts)
    save_untrained(run, "vanilla_cnn", SMALL_NETWORK, inputs.shape[1:])
    name = str(run.path)
    found = extract_share(open_set(run.path, name), open_extractor(name), 0, 1)
    told = describe_extractor(name)
    assert found.features.shape == (64, told["dimensions"]) and not told["classes"]
    expected = Predictor(run.model, len(inputs)).predict(inputs).features
    np.testing.assert_allclose(found.features[: len(inputs)], expected, rtol=1e-5, atol=1e-5)
    assert found.probabilities is None
    with pytest.raises(UsageError, match="hold no images"):
        open_images(run.path)
    with pytest.raises(UsageError, match="samples of spectra for a network of wafers"):
        open_set(run.path, str(trained.path))
    with pytest.raises(UsageError, match="takes images only"):
        extract_share(open_set(run.path, name), _ImagesOnly(), 0, 1)


class _ImagesOnly:
    """An extractor that has only ever seen images."""

    name, sha256, dimensions, resize = "eye", "", 1, "none"

    def answer(self, images: Any) -> Any:
        raise AssertionError("it was asked for features of what it cannot see")

    features = answer


@pytest.mark.networks
def test_inception_answers_as_its_weights_say(tmp_path: Path) -> None:
    import h5py
    import keras
    from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group
    from PIL import Image

    keras.utils.set_random_seed(3)
    network = keras.applications.InceptionV3(weights=None, include_top=True)
    weights = tmp_path / "inception.h5"
    with h5py.File(weights, "w") as file:
        save_weights_to_hdf5_group(file, network)
    images = noise(3, 48)
    extractor = open_extractor("inception-v3", weights=weights)
    assert describe_extractor("inception-v3", weights=weights)["dimensions"] == extractor.dimensions == 2048
    answer = extractor.answer(images)
    sized = [Image.fromarray(image).resize((299, 299), Image.Resampling.LANCZOS).convert("RGB") for image in images]
    inputs = keras.applications.inception_v3.preprocess_input(np.stack(sized).astype(np.float32))
    whole = keras.Model(network.input, [network.get_layer("avg_pool").output, network.output])
    features, probabilities = (np.asarray(part) for part in whole(inputs, training=False))
    np.testing.assert_allclose(answer.features, features, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(answer.probabilities, probabilities, rtol=1e-3, atol=1e-6)
    with h5py.File(weights, "a") as file:
        del file["conv2d"]["conv2d"]
    with pytest.raises(UsageError, match="not the weights of InceptionV3"):
        open_extractor("inception-v3", weights=weights)
    with h5py.File(weights, "a") as file:
        del file["predictions"]
    with pytest.raises(UsageError, match="no layer `predictions`"):
        describe_extractor("inception-v3", weights=weights)


def test_inception_is_never_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(EnvironmentFault, match="no weights of InceptionV3") as raised:
        describe_extractor("inception-v3")
    assert "--weights" in raised.value.try_
    cached = Path(raised.value.where)
    assert cached.is_relative_to(tmp_path)
    cached.parent.mkdir()
    cached.write_bytes(b"half a download")
    with pytest.raises(UsageError, match="its MD5 is"):
        describe_extractor("inception-v3")
    with pytest.raises(UsageError, match="not an HDF5 file"):
        describe_extractor("inception-v3", weights=cached)


@pytest.mark.parametrize(
    ("name", "options", "why"),
    [
        ("inception", {}, r"unknown extractor 'inception'.*inception-v3"),
        ("efficientnet-lite0", {"sha256": "0" * 64}, "not 0000"),
        ("efficientnet-lite0", {"weights": Path("absent.pth")}, "no such file"),
        ("efficientnet-lite0", {"weights": Path(__file__)}, "not a checkpoint"),
        ("efficientnet-lite0", {"resize": "nearest"}, "unknown resizing 'nearest'"),
    ],
)
def test_an_extractor_that_cannot_be_is_refused_by_name(name: str, options: dict[str, Any], why: str) -> None:
    for ask in (describe_extractor, open_extractor):
        with pytest.raises(UsageError, match=why):
            ask(name, **options)


@pytest.mark.networks
def test_a_run_that_cannot_extract_is_refused_by_name(trained: RunDirectory, tmp_path: Path) -> None:
    import keras

    with pytest.raises(UsageError, match="looks at its own size"):
        describe_extractor(str(trained.path), resize="lanczos")
    run = wafer_run(tmp_path, samples=16)
    with pytest.raises(UsageError, match="no trained model"):
        describe_extractor(str(run.path))
    run.train.mkdir()
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="other")]).save(run.model)
    with pytest.raises(UsageError, match="no layer named `features`"):
        describe_extractor(str(run.path))
    run.model.write_bytes(b"torn")
    with pytest.raises(UsageError, match="not a saved Keras model"):
        describe_extractor(str(run.path))


@pytest.mark.parametrize("how", RESIZES)
def test_resizing_keeps_gray_levels_and_what_has_the_size_already(how: Any) -> None:
    images = noise(3, 40)
    np.testing.assert_array_equal(resize_images(images, 40, how), images)
    for size in (16, 90):
        sized = resize_images(images, size, how)
        assert sized.shape == (3, size, size) and sized.min() >= 0 and sized.max() <= 255
        # A filter that looks at all pixels keeps the mean; picking single ones of this noise would miss it by 4.
        np.testing.assert_allclose(sized.mean(axis=(1, 2)), images.mean(axis=(1, 2)), atol=1.5)
    np.testing.assert_array_equal(resize_images(np.full((1, 8, 8), 77, np.uint8), 21, how), 77)


def test_each_different_image_is_looked_at_once() -> None:
    images = noise(4)[[0, 1, 0, 2, 2, 0, 3]]
    different, place = unique_images(images)
    assert different.tolist() == [0, 1, 3, 6]
    np.testing.assert_array_equal(images[different][place], images)


def test_gray_levels_are_taken_for_the_value_that_is_nearest() -> None:
    levels = np.array([0, 63, 64, 127, 190, 191, 192, 255], np.uint8)
    assert nearest_values(levels[None, None], GRAY).ravel().tolist() == [0, 0, 1, 1, 1, 1, 2, 2]
    np.testing.assert_array_equal(nearest_values(noise(2), None), noise(2))
