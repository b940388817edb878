"""The embedded source: samples that depend on nothing but the job, the seed and their index."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.spectra.simulation.nominal_samples import nominal_batch
from xpshpc.errors import UsageError
from xpshpc.spectra.elements import ELEMENT_INDEX, ELEMENTS
from xpshpc.spectra.embedded import EmbeddedSource, stored_batch
from xpshpc.spectra.matter.batch import draw_batch
from xpshpc.spectra.settings import SpectraSettings
from xpshpc.spectra.simulation.simulator import Simulator
from xpshpc.spectra.transport.loss_functions import LOSS_FUNCTIONS


@pytest.fixture(scope="module")
def source() -> EmbeddedSource:
    return EmbeddedSource(SpectraSettings(), seed=20)


@settings(max_examples=15)
@given(indices=st.lists(st.integers(0, 2**34), min_size=1, max_size=9, unique=True))
def test_a_sample_is_the_same_alone_and_in_company(source, indices):
    together = source.make(np.array(indices))
    for row, index in enumerate(indices):
        alone = source.make(np.array([index]))
        for name, values in alone.items():
            np.testing.assert_array_equal(values[0], together[name][row], err_msg=name)


@pytest.mark.parametrize("recipe", ["mixtures", "pure_sums", "compounds"])
def test_expected_counts_are_equal_to_the_last_bit_however_a_batch_is_split(recipe):
    """Also where a block ends inside the batch, and where samples of different loss functions take turns."""
    job = SpectraSettings.model_validate({"samples": {"recipe": recipe}})
    source = EmbeddedSource(job, seed=5)
    batch = source.draw(np.arange(140))
    batch = replace(batch, loss=np.arange(140) % len(LOSS_FUNCTIONS))
    whole = source.simulator.expected(batch)
    for size in (1, 2, 7, 64, 100):
        start = 33
        piece = source.simulator.expected(batch[start : min(start + size, 140)])
        np.testing.assert_array_equal(piece.counts, whole.counts[start : start + size])
        for row in range(len(piece.counts)):
            mine, its = piece.lines.sample == row, whole.lines.sample == start + row
            np.testing.assert_array_equal(piece.line_counts[mine], whole.line_counts[its])


def test_a_stored_sample_can_be_made_again_from_its_parameters(source):
    indices = np.array([3, 77, 12_345])
    made = source.make(indices)
    np.testing.assert_array_equal(source.measure(stored_batch(made, indices)), made["spectrum"])


def test_arrays_are_what_the_source_says(source):
    made = source.make(np.arange(5))
    assert set(made) == {spec.name for spec in source.arrays()}
    for spec in source.arrays():
        assert made[spec.name].shape == (5, *spec.shape) and made[spec.name].dtype == spec.dtype


def test_drawn_samples_are_compositions(source):
    job = SpectraSettings()
    batch = draw_batch(job.samples, job.instrument, 2, source._streams, np.arange(4000))
    composition = batch.composition()
    np.testing.assert_allclose(composition.sum(axis=1), 1.0, atol=1e-6)
    count = (composition > 0).sum(axis=1)
    assert count.min() == 1 and count.max() == 5
    np.testing.assert_allclose(np.bincount(count)[1:] / 4000, 0.2, atol=0.03)
    chance = (composition > 0).mean(axis=0)
    np.testing.assert_allclose(chance, 3 / 80, atol=5 * np.sqrt(3 / 80 / 4000))
    assert np.abs(batch.shifts).max() <= 5.0 and np.abs(batch.overlayer_shifts).max() <= 0.5
    assert batch.overlayer_A.min() >= 0 and batch.overlayer_A.max() <= 40.0


@pytest.mark.parametrize("symbol", ELEMENTS)
def test_every_element_makes_a_spectrum(source, symbol):
    batch = nominal_batch(SpectraSettings(), source.simulator, {symbol: 1.0}, overlayer_A=0.0)
    found = source.simulator.expected(batch)
    assert np.isfinite(found.counts).all() and (found.counts >= 0).all()
    assert (source.simulator.table.element[found.lines.line] == ELEMENT_INDEX[symbol]).all()
    assert found.line_counts.max() > 0.0


def test_too_many_counts_are_refused_before_they_are_cut_off():
    with pytest.raises(ValueError, match="overflow uint16"):
        SpectraSettings.model_validate({"instrument": {"peak_counts": [100, 65_000]}})
    SpectraSettings.model_validate({"instrument": {"peak_counts": [100, 65_000], "counts": "float32"}})


def test_an_unknown_formula_for_the_overlayer_is_refused():
    with pytest.raises(UsageError):
        Simulator(
            SpectraSettings.model_validate({"samples": {"overlayer": "C5Qq"}}).samples,
            SpectraSettings().instrument,
            SpectraSettings().physics,
        )
