"""Changes on the fly follow from a row's place alone, and do to a spectrum what an instrument would."""

import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from xpshpc.domain import Place
from xpshpc.spectra.learning.augmentation import BLOCK_ROWS, augment
from xpshpc.spectra.learning.task import Augmentation

pytestmark = pytest.mark.networks

CHANNELS, STEP_EV = 100, 0.5
HERE = Place(seed=2**62 + 7, epoch=3, step=11, first=0)
EVERYTHING = Augmentation(dose=(50, 5000), shift_eV=3.0, gain=0.3, background=0.2)


def peaks(rows, centre=60.0, width=3.0, height=1000.0):
    channel = np.arange(CHANNELS)
    return np.tile(height * np.exp(-((channel - centre) ** 2) / (2 * width**2)), (rows, 1)).astype(np.float32)


def flat(rows, height=1000.0):
    return np.full((rows, CHANNELS), height, np.float32)


@pytest.mark.parametrize("cuts", [(24,), (1, 2), (7, 29), (16, 32), (5, 6, 44)])
def test_any_number_of_ranks_gets_the_same_bytes(cuts):
    counts = np.random.default_rng(1).poisson(peaks(48) + 2).astype(np.uint16)
    whole = augment(counts, EVERYTHING, STEP_EV, HERE)
    assert whole.dtype == np.float32
    edges = (0, *cuts, len(counts))
    parts = [augment(counts[low:high], EVERYTHING, STEP_EV, replace(HERE, first=low)) for low, high in pairwise(edges)]
    assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_every_row_seed_epoch_and_step_has_draws_of_its_own_and_repeats_them():
    counts = peaks(3 * BLOCK_ROWS)
    whole = augment(counts, EVERYTHING, STEP_EV, HERE)
    assert len(np.unique(whole, axis=0)) == len(counts)
    np.testing.assert_array_equal(whole, augment(counts, EVERYTHING, STEP_EV, HERE))
    for other in (replace(HERE, seed=1), replace(HERE, epoch=4), replace(HERE, step=12), replace(HERE, first=16)):
        assert not np.isclose(whole, augment(counts, EVERYTHING, STEP_EV, other)).all(axis=1).any()


def test_nothing_asked_for_changes_nothing():
    counts = peaks(4)
    assert augment(counts, Augmentation(), STEP_EV, HERE) is counts


def test_nothing_asked_for_needs_no_tensorflow():
    program = (
        "import sys, numpy as np\n"
        "from xpshpc.domain import Place\n"
        "from xpshpc.spectra.learning.augmentation import augment\n"
        "from xpshpc.spectra.learning.task import Augmentation\n"
        "augment(np.zeros((2, 9)), Augmentation(), 1.0, Place(0, 0, 0, 0))\n"
        "sys.exit('tensorflow' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("dose", [2.0, 100.0, 10_000.0])
def test_the_noise_is_that_of_so_many_counts(dose):
    counts = np.tile(np.linspace(250, 1000, CHANNELS, dtype=np.float32), (1600, 1))
    noisy = augment(counts, Augmentation(dose=(dose, dose)), STEP_EV, HERE)
    expected = counts[0] / 1000 * dose
    seen = noisy / 1000 * dose
    assert noisy.min() >= 0
    # 1600 rows know a mean to 2.5 % of its deviation, a variance to 3.5 % (more where few counts make it skew).
    np.testing.assert_allclose(seen.mean(axis=0), expected, atol=5 * np.sqrt(dose / 1600))
    np.testing.assert_allclose(seen.var(axis=0), expected - 1 / 8, rtol=0.25)
    assert seen.var(axis=0).sum() == pytest.approx((expected - 1 / 8).sum(), rel=0.03)
    across = np.corrcoef(seen[:, 40], seen[:, 41])[0, 1]
    assert abs(across) < 0.1


def test_hardly_any_counts_keep_their_mean():
    counts = flat(1600, 1.0)
    counts[:, 0] = 1000
    seen = augment(counts, Augmentation(dose=(100, 100)), STEP_EV, HERE)[:, 1:]
    assert seen.min() >= 0
    assert seen.mean() == pytest.approx(1.0, rel=0.02)


def test_doses_are_spread_evenly_on_a_logarithmic_scale():
    seen = augment(flat(1600), Augmentation(dose=(100, 10_000)), STEP_EV, HERE)
    logarithm = np.log10(1 / seen.var(axis=1) * 1000**2)
    assert 1.8 < logarithm.min() < 2.2 and 3.8 < logarithm.max() < 4.2
    assert logarithm.mean() == pytest.approx(3.0, abs=0.06)


def test_a_shift_moves_the_peak_and_keeps_its_counts():
    counts = peaks(800)
    moved = augment(counts, Augmentation(shift_eV=4.0), STEP_EV, HERE)
    np.testing.assert_allclose(moved.sum(axis=1), counts.sum(axis=1), rtol=1e-4)
    centre_eV = moved @ np.arange(CHANNELS) / moved.sum(axis=1) * STEP_EV
    shift_eV = centre_eV - 60 * STEP_EV
    assert np.abs(shift_eV).max() <= 4.001
    assert shift_eV.min() < -3.9 and shift_eV.max() > 3.9
    assert shift_eV.mean() == pytest.approx(0, abs=0.35)
    for row, shift in zip(moved, shift_eV, strict=True):
        np.testing.assert_allclose(row, peaks(1, centre=60 + shift / STEP_EV)[0], atol=3)


def test_a_shift_repeats_the_ends_and_stays_above_zero():
    edge = np.where(np.arange(CHANNELS) < 50, 1000.0, 0.0).astype(np.float32)
    moved = augment(np.tile(edge, (200, 1)), Augmentation(shift_eV=5.0), STEP_EV, HERE)
    assert moved.min() == 0
    np.testing.assert_allclose(moved[:, 0], 1000, rtol=1e-6)
    np.testing.assert_array_equal(moved[:, -1], 0)


def test_gain_tilts_a_spectrum_about_its_middle():
    tilted = augment(flat(1000), Augmentation(gain=0.4), STEP_EV, HERE) / 1000
    np.testing.assert_allclose(tilted.mean(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.diff(tilted, n=2, axis=1), 0, atol=1e-5)
    change = tilted[:, -1] - tilted[:, 0]
    assert -0.4 <= change.min() < -0.38 and 0.38 < change.max() <= 0.4


def test_background_is_smooth_and_falls_towards_high_energy():
    added = augment(peaks(1000, height=500), Augmentation(background=0.1), STEP_EV, HERE) - peaks(1, height=500)
    assert added.min() >= -1e-4
    assert 45 < added.max() <= 50 + 1e-3
    assert np.diff(added, axis=1).max() <= 1e-3
    # No step is narrower than some channels of a hundred.
    assert np.abs(np.diff(added, axis=1)).max() < 50 / 3


@pytest.mark.parametrize("settings", [EVERYTHING, *(Augmentation(dose=(10, 10)), Augmentation(shift_eV=1.0))])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_stays_so_and_harms_no_other_row(settings, value):
    counts = peaks(20)
    spoilt = counts.copy()
    spoilt[7, 30] = value
    seen, sound = (augment(rows, settings, STEP_EV, HERE) for rows in (spoilt, counts))
    assert not np.isfinite(seen[7]).all()
    others = np.arange(20) != 7
    np.testing.assert_array_equal(seen[others], sound[others])


def test_an_empty_spectrum_stays_empty():
    dark = np.zeros((2, CHANNELS), np.uint16)
    np.testing.assert_array_equal(augment(dark, EVERYTHING, STEP_EV, HERE), 0)


def test_one_change_more_leaves_the_draws_of_the_others():
    shifted = augment(flat(8) * np.linspace(1, 2, CHANNELS, dtype=np.float32), Augmentation(shift_eV=2), STEP_EV, HERE)
    both = augment(
        flat(8) * np.linspace(1, 2, CHANNELS, dtype=np.float32), Augmentation(shift_eV=2, gain=0.1), STEP_EV, HERE
    )
    ratio = both / shifted
    np.testing.assert_allclose(np.diff(ratio, n=2, axis=1), 0, atol=1e-5)
