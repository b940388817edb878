"""One spectrum of a described sample: what is drawn, counted and listed agree with one another."""

from __future__ import annotations

import numpy as np
import pytest

from xpshpc.errors import UsageError
from xpshpc.spectra.detection.nominal import nominal_instrument
from xpshpc.spectra.settings import Instrument, SpectraSettings
from xpshpc.spectra.simulate import simulate_sample


def settings(**instrument: object) -> SpectraSettings:
    return SpectraSettings(instrument=Instrument(**{"detector_background": (0.0, 0.0), **instrument}))


def test_the_strongest_channel_has_the_dose_and_no_channel_less_than_the_dark_counts() -> None:
    spectrum = simulate_sample("Cu", settings(peak_counts=(100.0, 20_000.0), detector_background=(0.02, 0.02)))
    assert spectrum.intensity.max() == pytest.approx(20_000.0)
    assert spectrum.intensity.min() >= 0.02 * 20_000.0


def test_a_layer_of_the_samples_own_material_changes_nothing() -> None:
    one, other = (simulate_sample(sample, settings()) for sample in ("Si", "Si | 12 Å; Si"))
    np.testing.assert_allclose(other.intensity, one.intensity, rtol=1e-6)


def test_transmission_is_what_the_settings_say() -> None:
    flat = simulate_sample("Ag", settings(transmission_exponent=(0.0, 0.0))).intensity
    falling = simulate_sample("Ag", settings(transmission_exponent=(0.7, 0.7)))
    ratio = falling.intensity / flat / falling.kinetic_energy_eV**-0.7
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)
    table = ((400.0, 1.0), (1500.0, 3.0))
    tabled = simulate_sample("Ag", settings(transmission_exponent=(0.0, 0.0), transmission_table=table))
    ratio = tabled.intensity / flat / np.interp(tabled.kinetic_energy_eV, *np.array(table).T)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)


@pytest.mark.parametrize("name", ["charging_shift_eV", "work_function_eV"])
def test_charging_and_work_function_move_spectrum_and_lines_alike(name: str) -> None:
    """Both take energy from every electron; charging raises the binding energies that one reads off, and a work
    function, which the scale takes into account, does not."""
    moved = 8 * (1486.0 - 400.0) / 2048
    plain = simulate_sample("Au", settings())
    shifted = simulate_sample("Au", settings(**{name: (moved, moved) if name == "charging_shift_eV" else moved}))
    for one, other in zip(plain.lines[:5], shifted.lines[:5], strict=True):
        assert other.kinetic_energy_eV == pytest.approx(one.kinetic_energy_eV - moved)
    top = [float(one.kinetic_energy_eV[int(one.intensity.argmax())]) for one in (plain, shifted)]
    assert top[0] - top[1] == pytest.approx(moved)
    binding = [float(one.binding_energy_eV[int(one.intensity.argmax())]) for one in (plain, shifted)]
    assert binding[1] - binding[0] == pytest.approx(moved if name == "charging_shift_eV" else 0.0, abs=1e-6)
    assert shifted.lines[0].binding_energy_eV - plain.lines[0].binding_energy_eV == pytest.approx(
        moved if name == "charging_shift_eV" else 0.0, abs=1e-6
    )


def test_twice_the_background_is_twice_what_stands_above_the_lines() -> None:
    """The difference of background 2 and 1 is that of 1 and 0, once the dose is taken out."""

    def electrons(scale: float) -> np.ndarray:
        found = simulate_sample("Cu", settings(background_scale=(scale, scale), transmission_exponent=(0.0, 0.0)))
        top = found.kinetic_energy_eV > 1482.0
        return found.intensity / found.intensity[top].max()

    np.testing.assert_allclose(electrons(2.0) - electrons(1.0), electrons(1.0) - electrons(0.0), atol=0.05, rtol=0.02)


def test_noise_scatters_as_counts_do() -> None:
    plain, noisy = (simulate_sample("Fe", settings(), noise_seed=seed) for seed in (None, 3))
    pulls = (noisy.intensity - plain.intensity) / np.sqrt(plain.intensity)
    assert abs(pulls.mean()) < 0.1 and pulls.std() == pytest.approx(1.0, abs=0.08)
    assert nominal_instrument(settings().instrument).peak_counts == plain.intensity.max()


def test_a_density_is_for_a_sample_of_one_material() -> None:
    light, dense = (simulate_sample("Cu", settings(), density_g_cm3=density) for density in (4.0, 8.96))
    assert light.lines[0].imfp_A > dense.lines[0].imfp_A
    for density in (-1.0, float("nan")):
        with pytest.raises(UsageError, match="density"):
            simulate_sample("Cu", settings(), density_g_cm3=density)
