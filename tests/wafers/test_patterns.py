"""Drawn patterns have their failed dies where their names say."""

from functools import cache

import numpy as np
from scipy.ndimage import label

from xpshpc.plan.seeds import Streams
from xpshpc.wafers.maps import CLASSES, FAIL, OFF
from xpshpc.wafers.patterns import draw_classes, draw_maps
from xpshpc.wafers.patterns.grid import make_grid
from xpshpc.wafers.settings import Patterns

STREAMS = Streams(11)
DIES, SAMPLES = 40, 60
GRID = make_grid(DIES)
QUIET = Patterns(dies=(DIES, DIES), yield_loss=(0.0, 0.0))
NOISY = Patterns(dies=(DIES, DIES))


@cache
def failed(name, settings=QUIET, first=0):
    """Which dies failed on maps of one class, (n, DIES, DIES)."""
    classes = np.full(SAMPLES, settings.classes.index(name))
    maps = np.stack(draw_maps(settings, STREAMS, np.arange(first, first + SAMPLES), classes))
    assert ((maps == OFF) == ~GRID.on).all()
    return maps == FAIL


def share(fails, where):
    """The share of the dies there that failed, for each map."""
    return (fails & where).sum(axis=(1, 2)) / where.sum()


def test_a_center_fails_in_the_middle_only():
    fails = failed("Center")
    assert (share(fails, GRID.radius < 0.1) > 0.4).mean() > 0.9
    assert share(fails, (GRID.radius > 0.8) & GRID.on).max() == 0


def test_a_donut_has_a_hole_and_a_good_edge():
    fails = failed("Donut")
    profile = [share(fails, (GRID.radius >= r) & (GRID.radius < r + 0.1)).mean() for r in np.arange(0, 1, 0.1)]
    assert np.argmax(profile) in (2, 3, 4)
    assert profile[0] < 0.25 * max(profile)
    assert max(profile[9:]) == 0


def test_an_edge_ring_goes_around_and_leaves_the_middle_good():
    fails = failed("Edge-Ring")
    assert share(fails, GRID.radius < 0.8).max() == 0
    angle = np.arctan2(GRID.y, GRID.x)
    sectors = [fails[:, (GRID.radius > 0.9) & (np.abs(angle - at) < np.pi / 8)].any(axis=1) for at in (-2, -1, 0, 1, 2)]
    assert np.mean(sectors) > 0.9


def test_an_edge_loc_is_at_one_side_of_the_edge():
    fails = failed("Edge-Loc")
    assert share(fails, GRID.radius < 0.6).max() == 0
    resultant = np.array([np.abs(np.mean(np.exp(1j * np.arctan2(GRID.y, GRID.x)[one]))) for one in fails])
    assert resultant.min() > 0.7


def test_a_loc_is_one_cluster_away_from_centre_and_edge():
    fails = failed("Loc")
    middle = np.array([[GRID.x[one].mean(), GRID.y[one].mean()] for one in fails])
    away = np.hypot(*middle.T)
    assert away.min() > 0.3 and away.max() < 0.72
    spread = np.array(
        [np.hypot(GRID.x[one] - x, GRID.y[one] - y).mean() for one, (x, y) in zip(fails, middle, strict=True)]
    )
    assert spread.max() < 0.3


def test_a_scratch_is_connected_long_and_thin():
    for one in failed("Scratch"):
        parts, count = label(one, np.ones((3, 3)))
        assert count and np.bincount(parts.ravel())[1:].max() > 0.3 * one.sum()
        places = np.stack([GRID.x[one], GRID.y[one]])
        thin, long = np.sqrt(np.linalg.eigvalsh(np.cov(places)))
        assert long > 2.5 * thin
    assert failed("Scratch").sum(axis=(1, 2)).max() < 0.1 * GRID.on.sum()


def test_whole_wafers_fail_as_much_as_their_names_say():
    assert share(failed("Near-full"), GRID.on).min() > 0.6
    random = share(failed("Random"), GRID.on)
    assert random.min() > 0.2 and random.max() < 0.6
    assert not failed("None").any()


def test_every_wafer_loses_dies_besides_its_pattern():
    lost = share(failed("None", NOISY), GRID.on)
    assert lost.min() > 0.0 and lost.max() < 0.22
    assert abs(lost.mean() - 0.085) < 0.02


def test_radial_and_angular_features_tell_the_classes_apart():
    def features(fails):
        rings = [share(fails, (GRID.radius >= r) & (GRID.radius < r + 0.2) & GRID.on) for r in np.arange(0, 1, 0.2)]
        angle = np.arctan2(GRID.y, GRID.x)
        turns = [
            np.sort(
                [share(fails, GRID.on & inside & (np.abs(angle - at) < np.pi / 6)) for at in np.arange(-3, 3.1, 1)], 0
            )
            for inside in (GRID.radius > 0.8, GRID.radius <= 0.8)
        ]
        largest = []
        for one in fails:
            parts, count = label(one, np.ones((3, 3)))
            largest.append(np.bincount(parts.ravel())[1:].max() / GRID.on.sum() if count else 0.0)
        return np.stack([*rings, *turns[0], *turns[1], np.array(largest)], axis=1)

    known = [features(failed(name, NOISY)) for name in CLASSES]
    asked = [features(failed(name, NOISY, 1000)) for name in CLASSES]
    deviation = np.concatenate(known).std(axis=0)
    right = []
    for place, rows in enumerate(asked):
        far = [
            np.sort(np.linalg.norm((rows[:, None] - other[None]) / deviation, axis=2), axis=1)[:, :3].mean(axis=1)
            for other in known
        ]
        right.append(np.mean(np.argmin(far, axis=0) == place))
    assert np.mean(right) > 0.85, dict(zip(CLASSES, right, strict=True))


def test_a_sample_follows_from_seed_and_index_alone():
    settings, indices = Patterns(), np.arange(40)
    classes = draw_classes(settings, STREAMS, indices)
    whole = draw_maps(settings, STREAMS, indices, classes)
    backwards = draw_maps(settings, STREAMS, indices[::-1].copy(), classes[::-1].copy())
    single = [draw_maps(settings, STREAMS, indices[i : i + 1], classes[i : i + 1])[0] for i in range(40)]
    other = draw_maps(settings, Streams(12), indices, classes)
    for one, same, alone in zip(whole, backwards[::-1], single, strict=True):
        assert np.array_equal(one, same) and np.array_equal(one, alone)
    assert not any(np.array_equal(one, drawn) for one, drawn in zip(whole, other, strict=True))
    assert {map.shape[0] for map in whole} <= set(range(26, 61))


def test_classes_come_in_their_shares():
    settings = Patterns(classes=("Donut", "Loc", "Scratch"), shares=(3.0, 1.0, 0.0))
    drawn = np.bincount(draw_classes(settings, STREAMS, np.arange(4000)), minlength=3)
    assert drawn[2] == 0
    assert abs(drawn[0] - 3000) < 150
