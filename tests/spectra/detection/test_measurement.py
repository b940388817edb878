"""From the spectrum that leaves the surface to counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpshpc.plan.seeds import Streams
from xpshpc.source import SampleError
from xpshpc.spectra.detection.measurement import detect, measure, resolve
from xpshpc.spectra.embedded import EmbeddedSource
from xpshpc.spectra.matter.batch import SampleBatch
from xpshpc.spectra.settings import Instrument, SpectraSettings

SETTINGS = SpectraSettings()
INSTRUMENT = SETTINGS.instrument
AXIS = INSTRUMENT.energy_axis()
LINE = np.exp(-0.5 * ((AXIS - 900.0) / 2.0) ** 2)


@pytest.fixture(scope="module")
def sample() -> SampleBatch:
    return EmbeddedSource(SETTINGS, 3).draw(np.array([7], dtype=np.int64))


@given(fwhm=st.floats(0.0, 5.0))
def test_resolution_keeps_areas_and_adds_variances(sample: SampleBatch, fwhm: float) -> None:
    wide = resolve(LINE[None, :], replace(sample, analyser_fwhm_eV=np.array([fwhm])), INSTRUMENT)[0]
    assert wide.sum() == pytest.approx(LINE.sum(), rel=1e-6)
    variance = np.sum(wide * (AXIS - 900.0) ** 2) / wide.sum()
    assert variance == pytest.approx(4.0 + (fwhm / 2.354820) ** 2 + INSTRUMENT.channel_eV**2 / 12.0, rel=1e-3)


@given(dark=st.floats(0.0, 0.5), dose=st.floats(10.0, 1e5), n=st.floats(0.0, 2.0), scale=st.floats(1e-9, 1e9))
def test_the_dose_sets_the_strongest_channel_whatever_the_unit(
    sample: SampleBatch, dark: float, dose: float, n: float, scale: float
) -> None:
    here = replace(
        sample,
        detector_background=np.array([dark]),
        peak_counts=np.array([dose]),
        transmission_exponent=np.array([n]),
    )
    counts = detect(scale * LINE[None, :], here, INSTRUMENT)[0]
    assert counts.max() == pytest.approx(dose)
    assert counts.min() == pytest.approx(dose * dark, abs=1e-9 * dose)


def test_a_table_of_transmission_does_what_the_same_power_law_does(sample: SampleBatch) -> None:
    flat = replace(sample, transmission_exponent=np.zeros(1))
    law = replace(sample, transmission_exponent=np.array([0.7]))
    pairs = tuple((float(energy), float(energy) ** -0.7) for energy in AXIS)
    table = INSTRUMENT.model_copy(update={"transmission_table": pairs})
    spectrum = 1.0 + LINE[None, :]
    np.testing.assert_allclose(detect(spectrum, flat, table), detect(spectrum, law, INSTRUMENT), rtol=1e-12)


def test_noise_is_that_of_the_index_and_counts_fit_their_type(sample: SampleBatch) -> None:
    expected = detect(1.0 + LINE[None, :], sample, INSTRUMENT)
    counts = measure(expected, sample, INSTRUMENT, Streams(3))
    assert counts.dtype == np.uint16
    np.testing.assert_array_equal(counts, measure(expected, sample, INSTRUMENT, Streams(3)))
    assert (counts != measure(expected, sample, INSTRUMENT, Streams(4))).any()
    assert counts.mean() == pytest.approx(expected.mean(), rel=0.01)
    still = Instrument(noise=False, counts="float32")
    np.testing.assert_array_equal(measure(expected, sample, still, Streams(3)), expected.astype(np.float32))
    with pytest.raises(SampleError, match=r"sample 7: .* overflow uint16"):
        measure(100.0 * expected, sample, INSTRUMENT, Streams(3))
