"""Measured surveys in, compositions out: every file is read and checked before the network is loaded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.spectra.analysis import Analysis, SpectrumAnalysis, describe, state_coverage
from xpshpc.spectra.figures.line_marks import choose_marks
from xpshpc.spectra.figures.spectrum_plot import plot_spectrum
from xpshpc.spectra.lines.line_table import line_table
from xpshpc.spectra.lines.sources import xray_sources
from xpshpc.spectra.measured import MeasuredSpectrum, bring_to_axis, describe_extension, read_measured
from xpshpc.spectra.measured.scale import Scale
from xpshpc.spectra.measured.spectrum import shift_binding_energy
from xpshpc.spectra.model_card import ModelCard, find_model
from xpshpc.spectra.trained_network import ask_network

MARKED_AT_PERCENT = 1.0
SAME_SOURCE_eV = 1.0
"""Photon energies that differ by less are the same anode's line, quoted differently."""


def analyze(
    files: Sequence[Path],
    model: Path,
    *,
    scale: Scale | None = None,
    photon_energy_eV: float | None = None,
    charge_shift_eV: float = 0.0,
    divide_by_transmission: bool = True,
    plot_directory: Path | None = None,
    plot_suffix: str = ".svg",
) -> Analysis:
    """Reads measured files and asks a trained network for composition and overlayer thickness.

    Fractions come with the interval that holds the truth nine times in ten, where the model's card has a calibration.
    How often it did was measured on simulated samples that the network had not seen: of a sample unlike any that was
    simulated, such as another overlayer or a charged surface, it promises nothing.

    `model` is a run directory or a `model.keras`. `scale` and `photon_energy_eV` win over what the files say;
    `charge_shift_eV` is added to the binding energies. With a `plot_directory`, a figure of each spectrum is written
    there. Raises UsageError, before anything is computed, for a file that is no spectrum, does not cover the network's
    axis or was measured with another source, and for a model that is missing or does not fit its card.
    """
    if not files:
        raise UsageError("no measured file is given", where="analyze", try_="xpshpc analyze survey.vms --model RUN")
    if not np.isfinite(charge_shift_eV) or abs(charge_shift_eV) > 100:
        raise UsageError(
            f"{charge_shift_eV:g} eV is no charge shift", where="--charge-shift", try_="--charge-shift 3.2"
        )
    card = find_model(model)
    spectra, rows = read_surveys(
        files,
        card.kinetic_energy_eV,
        card.photon_energy_eV,
        scale=scale,
        stated_photon_energy_eV=photon_energy_eV,
        charge_shift_eV=charge_shift_eV,
        divide_by_transmission=divide_by_transmission,
    )
    answer = ask_network(card, np.stack(rows))
    answers = [describe(spectrum, card, answer, place) for place, spectrum in enumerate(spectra)]
    if plot_directory is not None:
        names = _plot_names(answers, plot_suffix)
        answers = [
            _plot(answer, plot_directory / name, card, row)
            for answer, name, row in zip(answers, names, rows, strict=True)
        ]
    return Analysis(card.model, tuple(answers), state_coverage(card, answer))


def read_surveys(
    files: Sequence[Path],
    axis_eV: NDArray[np.float64],
    photon_energy_eV: float,
    *,
    scale: Scale | None = None,
    stated_photon_energy_eV: float | None = None,
    charge_shift_eV: float = 0.0,
    divide_by_transmission: bool = True,
) -> tuple[list[MeasuredSpectrum], list[NDArray[np.float64]]]:
    """All spectra of some files, and each brought onto a network's axis (kinetic energies in eV), (channels,).

    `photon_energy_eV` is that of the network's spectra; the other arguments are those of `analyze`, and so are the
    errors.
    """
    spectra: list[MeasuredSpectrum] = []
    rows: list[NDArray[np.float64]] = []
    for file in files:
        for spectrum in read_measured(file, scale=scale, photon_energy_eV=stated_photon_energy_eV):
            fitted = _fit_to_source(shift_binding_energy(spectrum, charge_shift_eV), photon_energy_eV)
            rows.append(bring_to_axis(fitted, axis_eV, divide_by_transmission=divide_by_transmission))
            extension = describe_extension(fitted, axis_eV)
            spectra.append(replace(fitted, remarks=(*fitted.remarks, *([extension] if extension else []))))
    return spectra, rows


def _fit_to_source(spectrum: MeasuredSpectrum, learned_eV: float) -> MeasuredSpectrum:
    """Refuses a spectrum of another source: against the photoelectrons its Auger lines stand elsewhere."""
    measured = spectrum.photon_energy_eV
    if measured is None:
        remark = f"photon energy not stated; taken as the network's, {learned_eV:g} eV"
        return replace(spectrum, remarks=(*spectrum.remarks, remark))
    if abs(measured - learned_eV) > SAME_SOURCE_eV:
        raise UsageError(
            f"measured with {measured:g} eV photons, but the network learned spectra of {learned_eV:g} eV",
            where=f"{spectrum.file} ({spectrum.name})",
            try_=f"a model trained for {measured:g} eV, or --photon-energy if the file is mistaken",
        )
    return spectrum


def _plot_names(answers: Sequence[SpectrumAnalysis], suffix: str) -> list[str]:
    """A file name for each figure, all different, with nothing in it that a file system could take amiss."""
    names: list[str] = []
    for answer in answers:
        parts = dict.fromkeys([answer.file.stem, answer.name])
        stem = re.sub(r"[^\w.-]+", "_", " ".join(parts)).strip("._")[:100] or "spectrum"
        number = 1
        while (name := f"{stem}{suffix}" if number == 1 else f"{stem}_{number}{suffix}") in names:
            number += 1
        names.append(name)
    return names


def _plot(answer: SpectrumAnalysis, path: Path, card: ModelCard, row: NDArray[np.float64]) -> SpectrumAnalysis:
    axis = card.kinetic_energy_eV
    found = {e: share for e, share in answer.composition_at_percent.items() if share >= MARKED_AT_PERCENT}
    sources = [
        one for one in xray_sources().values() if abs(one.photon_energy_eV - card.photon_energy_eV) < SAME_SOURCE_eV
    ]
    marks = choose_marks(line_table(sources[0].name), list(found), float(axis[0]), float(axis[-1])) if sources else []
    plot_spectrum(
        path,
        axis,
        row,
        card.photon_energy_eV,
        marks,
        title=answer.name,
        subtitle=f"{answer.file.name}: elements of {MARKED_AT_PERCENT:g} at.% and more; "
        f"overlayer {answer.overlayer_A:.1f} Å",
        legend={element: f"{element} {share:.1f} at.%" for element, share in found.items()},
    )
    return replace(answer, plot=path)
