"""How maps are looked at: made and real ones alike, and noise that differs from them in its places alone."""

from __future__ import annotations

import numpy as np

from tests.studies.small_study import draw_maps
from xpshpc.studies.look import cut_gray, look_at, make_noise
from xpshpc.studies.pictures import draw_sheet, gray_of
from xpshpc.wafers.maps import FAIL, OFF, PASS


def test_a_map_cut_from_its_own_gray_levels_looks_as_it_did():
    maps = draw_maps("Donut", 5, seed=1)
    gray = np.where(maps == FAIL, 255, 0).astype(np.uint8)
    for threshold in (1, 40, 254):
        assert (cut_gray(gray, maps != OFF, threshold) == maps).all()
        assert (look_at(cut_gray(gray, maps != OFF, threshold), 32) == look_at(maps, 32)).all()


def test_no_die_fails_off_the_wafer():
    maps = draw_maps("Donut", 3, seed=1)
    cut = cut_gray(np.full(maps.shape, 255, np.uint8), maps != OFF, 100)
    assert ((cut == OFF) == (maps == OFF)).all() and (cut[maps != OFF] == FAIL).all()


def test_fewer_dies_fail_at_a_higher_threshold():
    gray = np.random.default_rng(3).integers(0, 256, (4, 16, 16)).astype(np.uint8)
    failed = [(cut_gray(gray, np.ones(gray.shape, bool), level) == FAIL).sum() for level in range(1, 255, 11)]
    assert failed == sorted(failed, reverse=True) and failed[0] > failed[-1]


def test_an_image_has_two_gray_levels_at_any_size():
    maps = draw_maps("Edge-Ring", 4, seed=2)
    for size in (None, 16, 24, 48):
        images = look_at(maps, size)
        assert images.dtype == np.uint8 and images.shape[1:] == (size or 16, size or 16)
        assert set(np.unique(images)) == {0, 255}
    assert (look_at(maps, None, good_gray=127) == gray_of(maps)).all()


def test_noise_fails_as_often_on_the_same_wafers_and_has_no_ring():
    maps = draw_maps("Donut", 40, seed=4)
    noise = make_noise(maps, 400, seed=5)
    assert ((noise == OFF) == (maps == OFF)[np.arange(400) % 40]).all()
    on_wafer = maps[0] != OFF
    share = (maps == FAIL)[:, on_wafer].mean()
    assert abs((noise == FAIL)[:, on_wafer].mean() - share) < 0.01
    often = (noise == FAIL).mean(axis=0)[on_wafer]
    assert often.std() < 0.06 < (maps == FAIL).mean(axis=0)[on_wafer].std()
    assert (noise == make_noise(maps, 400, seed=5)).all() and (noise != make_noise(maps, 400, seed=6)).any()


def test_a_sheet_shows_every_image_once():
    maps = draw_maps("Center", 7, seed=1)
    sheet = draw_sheet(gray_of(maps), most=5)
    assert sheet.shape == (2 * 18 + 2, 3 * 18 + 2)
    assert (sheet[2:18, 2:18] == gray_of(maps)[0]).all() and (sheet[20:36, 20:36] == gray_of(maps)[4]).all()
    assert (gray_of(maps)[maps == PASS] == 127).all()
