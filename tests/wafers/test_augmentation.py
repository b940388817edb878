"""Augmented maps are made of dies, lie on their originals' wafers, and follow from seed and index."""

import numpy as np
import pytest

from xpshpc.plan.seeds import Streams
from xpshpc.wafers.augmentation import Augmenter, keep_wafer
from xpshpc.wafers.augmentation.changes import Changes, draw_changes
from xpshpc.wafers.augmentation.layers import Layers
from xpshpc.wafers.maps import FAIL, OFF
from xpshpc.wafers.patterns import draw_maps
from xpshpc.wafers.settings import Augmentation, Patterns

pytestmark = pytest.mark.networks

SIZE, SAMPLES = 31, 90
INDICES = np.arange(SAMPLES)
STILL = {"rotation_degrees": 0, "shear": 0, "flip_horizontal": False, "flip_vertical": False}
EVERYTHING = Augmentation(zoom=0.2, shift=0.1, shear=0.2)


@pytest.fixture(scope="module")
def maps():
    return np.stack(draw_maps(Patterns(dies=(SIZE, SIZE)), Streams(1), INDICES, INDICES % 9))


def augment(maps, seed=4, indices=INDICES, **settings):
    return Augmenter(Augmentation(**settings), seed).augment(maps, indices)


def test_values_stay_those_of_dies_and_the_wafer_stays_where_it_is(maps):
    changed = Augmenter(EVERYTHING, 4).augment(maps, INDICES)
    assert set(np.unique(changed)) <= {0, 1, 2}
    assert ((changed == OFF) == (maps == OFF)).all()
    assert (changed != maps).any(axis=(1, 2)).all()


def test_a_sample_follows_from_seed_and_index_alone(maps):
    whole = Augmenter(EVERYTHING, 4).augment(maps, INDICES)
    parts = [Augmenter(EVERYTHING, 4).augment(maps[i : i + 7], INDICES[i : i + 7]) for i in range(0, SAMPLES, 7)]
    assert (np.concatenate(parts) == whole).all()
    assert (Augmenter(EVERYTHING, 4).augment(maps[::-1], INDICES[::-1])[::-1] == whole).all()
    assert (Augmenter(EVERYTHING, 5).augment(maps, INDICES) != whole).any()


def test_with_nothing_allowed_nothing_changes(maps):
    assert (augment(maps, **STILL) == maps).all()


def test_flips_are_exact_and_each_comes_half_of_the_time(maps):
    flipped = augment(maps, **{**STILL, "flip_horizontal": True})
    turned = (flipped == maps[:, :, ::-1]).all(axis=(1, 2))
    still = (flipped == maps).all(axis=(1, 2))
    assert (turned | still).all()
    assert 0.3 < turned.mean() < 0.7
    upright = augment(maps, **{**STILL, "flip_vertical": True})
    assert ((upright == maps[:, ::-1]).all(axis=(1, 2)) | (upright == maps).all(axis=(1, 2))).all()


def test_what_the_layers_are_given_does_what_their_own_draws_do(maps):
    """A rotation by our matrix is the library's; so are zoom and shift."""
    import keras

    images = maps[..., None].astype(np.float32)
    of_library = keras.layers.RandomRotation(0.5, fill_mode="constant", interpolation="nearest", seed=1)
    transformation = of_library.get_random_transformation(images)
    angle = np.deg2rad(np.asarray(transformation["angle"]))
    library = np.asarray(of_library.transform_images(images, transformation))[..., 0]
    ours = Layers().change(maps, turned(angle))
    assert np.mean(library != ours) < 1e-3

    move = keras.layers.RandomTranslation(0.2, 0.2, fill_mode="constant", interpolation="nearest")
    settings = Augmentation(**STILL, shift=0.2)
    changes = draw_changes(settings, Streams(4), INDICES, SIZE)
    translations = -changes.matrix[:, :, 2].astype(np.float32)
    library = np.asarray(move.transform_images(images, {"translations": translations}))[..., 0]
    assert (library == Layers().change(maps, changes)).all()


def turned(angle):
    cos, sin, middle = np.cos(angle), np.sin(angle), (SIZE - 1) / 2
    linear = np.stack([np.stack([cos, -sin], axis=1), np.stack([sin, cos], axis=1)], axis=1)
    offset = middle - linear @ np.array([middle, middle])
    no = np.zeros(len(angle), dtype=bool)
    return Changes(no, no, np.concatenate([linear, offset[:, :, None]], axis=2))


def test_the_middle_of_the_wafer_stays_in_the_middle():
    """Rotation, shear and zoom are about the centre, so that a Center stays one."""
    spot = np.ones((SAMPLES, SIZE, SIZE), np.uint8)
    spot[:, SIZE // 2 - 2 : SIZE // 2 + 3, SIZE // 2 - 2 : SIZE // 2 + 3] = FAIL
    changed = augment(spot, zoom=0.3, shear=0.5)
    for one in changed:
        rows, columns = np.nonzero(one == FAIL)
        assert np.hypot(rows.mean() - SIZE // 2, columns.mean() - SIZE // 2) < 0.75


def test_bounds_hold(maps):
    shifted = draw_changes(Augmentation(**STILL, shift=0.1), Streams(4), np.arange(2000), SIZE).matrix[:, :, 2]
    assert 0.09 * SIZE < np.abs(shifted).max() <= 0.1 * SIZE
    quarter = draw_changes(Augmentation(rotation_degrees=90, shear=0), Streams(4), np.arange(2000), SIZE).matrix
    assert quarter[:, 0, 0].min() >= 0 and quarter[:, 0, 1].min() < -0.99 and quarter[:, 0, 1].max() > 0.99


def test_dies_from_outside_pass_and_places_off_the_wafer_stay_so():
    original = np.array([[[0, 1], [2, 1]]], np.uint8)
    changed = np.array([[[2, 0], [0, 2]]], np.uint8)
    assert keep_wafer(changed, original).tolist() == [[[0, 1], [1, 2]]]
