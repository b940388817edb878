"""A measured spectrum, and the checks that a row of numbers must pass to be called one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xpshpc.errors import UsageError
from xpshpc.spectra.measured.scale import EnergyStatement, Scale, settle_scale, to_kinetic_energy

FEWEST_POINTS = 50
WIDEST_STEP_eV = 5.0
"""Peaks of a survey are about 2 eV wide; a hole wider than this can hide a whole element."""

KINETIC_HEADROOM_eV = 50.0
"""How far a kinetic axis may run past the photon energy, where there is nothing but noise to measure."""


@dataclass(frozen=True)
class MeasuredSpectrum:
    """One measured spectrum on the kinetic scale, referenced to the Fermi level: KE = hν − BE.

    `kinetic_energy_eV`, `intensity` (counts or counts/s) and `transmission` (relative, or None) are float64 of one
    length, energies strictly ascending. `scale` is the scale of the file. The work function is kept as the file states
    it and never applied: a calibrated spectrometer has it in its energies already. `step_eV` is the median step.
    """

    name: str
    file: Path
    kinetic_energy_eV: NDArray[np.float64]
    intensity: NDArray[np.float64]
    transmission: NDArray[np.float64] | None
    photon_energy_eV: float | None
    work_function_eV: float | None
    scale: Scale
    step_eV: float
    remarks: tuple[str, ...] = ()

    @property
    def window_eV(self) -> tuple[float, float]:
        """Lowest and highest measured kinetic energy."""
        return float(self.kinetic_energy_eV[0]), float(self.kinetic_energy_eV[-1])


@dataclass(frozen=True)
class Columns:
    """Energies as a file has them, with what was counted there; `places` tells where in the file each row stands."""

    energy_eV: NDArray[np.float64]
    intensity: NDArray[np.float64]
    transmission: NDArray[np.float64] | None
    places: Sequence[str]


@dataclass(frozen=True)
class UncheckedSpectrum:
    """What a reader found: columns, and what the file says of them. `name` is None where the file gives none."""

    name: str | None
    columns: Columns
    statement: EnergyStatement
    remarks: tuple[str, ...] = ()


def shift_binding_energy(spectrum: MeasuredSpectrum, shift_eV: float) -> MeasuredSpectrum:
    """The spectrum with `shift_eV` added to all binding energies (charge correction)."""
    if shift_eV == 0:
        return spectrum
    remark = f"{shift_eV:+g} eV added to the binding energies"
    return replace(
        spectrum, kinetic_energy_eV=spectrum.kinetic_energy_eV - shift_eV, remarks=(*spectrum.remarks, remark)
    )


def check_spectrum(
    name: str, file: Path, columns: Columns, statement: EnergyStatement, remarks: Sequence[str] = ()
) -> MeasuredSpectrum:
    """Makes a spectrum of a file's columns, or says why they are none.

    Raises UsageError for too few points, values that are not finite, negative or constant intensities, energies that
    repeat or turn round, holes in the axis, and an energy scale that cannot be known.
    """
    _check_numbers(file, name, columns)
    ascending = bool(columns.energy_eV[0] < columns.energy_eV[-1])
    columns = columns if ascending else _turned_round(columns)
    _check_axis(file, name, columns)
    scale, photon_energy, found = settle_scale(
        columns.energy_eV, columns.intensity, statement, where=f"{file} ({name})"
    )
    kinetic = to_kinetic_energy(columns.energy_eV, scale, photon_energy)
    intensity, transmission = columns.intensity, columns.transmission
    if scale == "binding":
        kinetic, intensity = kinetic[::-1], intensity[::-1]
        transmission = transmission[::-1] if transmission is not None else None
    _check_reach(file, name, kinetic, scale, photon_energy)
    return MeasuredSpectrum(
        name=name,
        file=file,
        kinetic_energy_eV=np.ascontiguousarray(kinetic),
        intensity=np.ascontiguousarray(intensity),
        transmission=None if transmission is None else np.ascontiguousarray(transmission),
        photon_energy_eV=photon_energy,
        work_function_eV=statement.work_function_eV,
        scale=scale,
        step_eV=float(np.median(np.diff(kinetic))),
        remarks=(*remarks, *found),
    )


def _turned_round(columns: Columns) -> Columns:
    transmission = columns.transmission[::-1] if columns.transmission is not None else None
    return Columns(columns.energy_eV[::-1], columns.intensity[::-1], transmission, columns.places[::-1])


def _check_numbers(file: Path, name: str, columns: Columns) -> None:
    points = len(columns.energy_eV)
    if points < FEWEST_POINTS:
        raise UsageError(
            f"{points} points are too few for a spectrum (at least {FEWEST_POINTS})",
            where=f"{file} ({name})",
            try_="give a survey spectrum with two columns: energy and intensity",
        )
    named = {"energy": columns.energy_eV, "intensity": columns.intensity}
    if columns.transmission is not None:
        named["transmission"] = columns.transmission
    for what, values in named.items():
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            raise UsageError(
                f"the {what} is {values[bad[0]]}, not a finite number",
                where=f"{file}, {columns.places[bad[0]]}",
                try_="remove or repair this row and export again",
            )
    negative = np.flatnonzero(columns.intensity < 0)
    if len(negative):
        raise UsageError(
            f"the intensity is negative ({columns.intensity[negative[0]]:g}); counts cannot be",
            where=f"{file}, {columns.places[negative[0]]}",
            try_="export the spectrum as measured, before any background is subtracted",
        )
    if np.ptp(columns.intensity) == 0:
        raise UsageError(
            f"the intensity is {columns.intensity[0]:g} everywhere; there is no spectrum in it",
            where=f"{file} ({name})",
            try_="check that the intensity column is the one that was exported",
        )
    if columns.transmission is not None and not np.all(columns.transmission > 0):
        bad = np.flatnonzero(columns.transmission <= 0)
        raise UsageError(
            f"the transmission is {columns.transmission[bad[0]]:g}; it must be positive",
            where=f"{file}, {columns.places[bad[0]]}",
            try_="export again without the transmission, or with a calibrated one",
        )


def _check_axis(file: Path, name: str, columns: Columns) -> None:
    steps = np.diff(columns.energy_eV)
    wrong = np.flatnonzero(steps <= 0)
    if len(wrong):
        at = int(wrong[0]) + 1
        what = "repeats" if steps[wrong[0]] == 0 else "turns round"
        raise UsageError(
            f"the energy axis {what} at {columns.energy_eV[at]:g} eV; energies must rise or fall all the way",
            where=f"{file}, {columns.places[at]}",
            try_="put one spectrum in one file, with the energy in the first column",
        )
    widest = int(np.argmax(steps))
    if steps[widest] > WIDEST_STEP_eV:
        raise UsageError(
            f"nothing was measured between {columns.energy_eV[widest]:g} and {columns.energy_eV[widest + 1]:g} eV; "
            f"steps may be {WIDEST_STEP_eV:g} eV at most",
            where=f"{file}, {columns.places[widest + 1]}",
            try_="give a survey spectrum without holes; 1 eV steps or finer are best",
        )


def _check_reach(
    file: Path, name: str, kinetic: NDArray[np.float64], scale: Scale, photon_energy_eV: float | None
) -> None:
    if kinetic[0] <= 0:
        raise UsageError(
            f"on the {scale} scale this spectrum would reach down to {kinetic[0]:g} eV kinetic energy",
            where=f"{file} ({name})",
            try_=f"--scale {'kinetic' if scale == 'binding' else 'binding'}, or another --photon-energy",
        )
    if photon_energy_eV is not None and kinetic[-1] > photon_energy_eV + KINETIC_HEADROOM_eV:
        raise UsageError(
            f"on the {scale} scale this spectrum would reach up to {kinetic[-1]:g} eV kinetic energy, "
            f"past the photon energy of {photon_energy_eV:g} eV",
            where=f"{file} ({name})",
            try_=f"--scale {'kinetic' if scale == 'binding' else 'binding'}, or another --photon-energy",
        )
