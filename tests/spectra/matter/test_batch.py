"""Drawn samples: inside their ranges, independent of company, and told apart by seed and index alone."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from xpshpc.plan.seeds import Streams
from xpshpc.spectra.matter.batch import SampleBatch, draw_batch
from xpshpc.spectra.settings import Instrument, Samples


def draw(indices, seed=3, samples=None, instrument=None, **rest) -> SampleBatch:
    return draw_batch(samples or Samples(), instrument or Instrument(), 2, Streams(seed), np.asarray(indices), **rest)


def test_a_slice_of_a_batch_is_the_batch_of_the_slice():
    whole, part = draw(np.arange(50))[10:20], draw(np.arange(10, 20))
    assert len(whole) == 10
    for field in fields(SampleBatch):
        np.testing.assert_array_equal(getattr(whole, field.name), getattr(part, field.name), err_msg=field.name)


def test_another_seed_makes_other_samples():
    one, other = draw(np.arange(200)), draw(np.arange(200), seed=4)
    assert (one.elements != other.elements).mean() > 0.9
    assert (one.overlayer_A != other.overlayer_A).all() and (one.peak_counts != other.peak_counts).all()


@pytest.mark.parametrize("recipe", ["mixtures", "pure_sums", "compounds"])
def test_compositions_sum_to_one(recipe):
    composition = draw(np.arange(300), samples=Samples(recipe=recipe)).composition()
    assert composition.shape == (300, 80) and composition.dtype == np.float32
    np.testing.assert_allclose(composition.sum(axis=1), 1.0, atol=1e-6)


def test_quantities_fill_their_ranges():
    instrument = Instrument(
        background_scale=(0.5, 1.5),
        charging_shift_eV=(-2, 4),
        analyser_fwhm_eV=(0.4, 1.2),
        transmission_exponent=(0, 1),
    )
    batch = draw(np.arange(4000), samples=Samples(chemical_shift_eV=3, overlayer_A=(5, 25)), instrument=instrument)
    for values, low, high in (
        (batch.background_scale, 0.5, 1.5),
        (batch.charging_shift_eV, -2, 4),
        (batch.analyser_fwhm_eV, 0.4, 1.2),
        (batch.transmission_exponent, 0, 1),
        (batch.shifts, -3, 3),
        (batch.overlayer_A, 5, 25),
        (batch.overlayer_shifts, -0.5, 0.5),
        (np.log(batch.peak_counts), np.log(3000), np.log(50_000)),
    ):
        width = high - low
        assert low <= values.min() < low + 0.01 * width and high - 0.01 * width < values.max() <= high
        assert values.mean() == pytest.approx(0.5 * (low + high), abs=5 * width / np.sqrt(12 * 4000))


def test_own_loss_functions_are_optional():
    samples = Samples(elements=("Si", "O"), elements_per_sample=(1, 2))
    assert draw(np.arange(100), samples=samples).loss.any()
    assert not draw(np.arange(100), samples=samples, loss_functions="universal").loss.any()


def test_everything_drawn_survives_its_storage():
    batch = draw(np.arange(100), samples=Samples(recipe="compounds", compounds_per_sample=(1, 2)))
    for field in fields(SampleBatch):
        values = getattr(batch, field.name)
        if values.dtype.kind == "f":
            np.testing.assert_array_equal(values, values.astype(np.float32), err_msg=field.name)
