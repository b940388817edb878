"""What must be known of a network before it may read a spectrum: its card, `model.json` beside `model.keras`."""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from xpshpc.errors import UsageError
from xpshpc.run_directory import RunDirectory
from xpshpc.spectra.elements import ELEMENT_INDEX
from xpshpc.spectra.learning.calibration import Calibration
from xpshpc.spectra.learning.task import XpsTask, read_task

TRAIN_FIRST = "xpshpc train RUN makes a model; give its run directory or model.keras with --model"


class _CardFile(BaseModel):
    """The keys of the card that reading a spectrum needs; a card tells more."""

    model_config = ConfigDict(extra="ignore")

    kinetic_energy_eV: list[float]
    elements: list[str]
    photon_energy_eV: float
    sha256: str | None = None
    task: dict[str, Any] = Field(default_factory=dict)
    calibration: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class ModelCard:
    """A network on the disk: its file, its energy axis (eV, kinetic), the elements it names, the source it learned.

    `task` tells how spectra are handed to it, `calibration` what its own errors are worth; None where that is unknown.
    """

    model: Path
    kinetic_energy_eV: NDArray[np.float64]
    elements: tuple[str, ...]
    photon_energy_eV: float
    task: XpsTask = field(default_factory=XpsTask)
    calibration: Calibration | None = None
    sha256: str | None = None


def find_model(path: Path) -> ModelCard:
    """The model of a run directory or a `.keras` file, by its card; the network itself is not loaded.

    Raises UsageError where a file is missing or damaged.
    """
    model = RunDirectory(path).model if path.is_dir() else path
    if path.is_dir() and not model.is_file() and (path / model.name).is_file():
        model = path / model.name
    if not model.is_file():
        raise UsageError("no trained model here", where=str(model), try_=TRAIN_FIRST)
    _check_archive(model)
    card = model.with_suffix(".json")
    try:
        told = _CardFile.model_validate(json.loads(card.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise UsageError(
            "the model's card is missing: its energy axis and elements cannot be known",
            where=str(card),
            try_=TRAIN_FIRST,
        ) from None
    except (OSError, ValueError) as error:
        what = f"{error.error_count()} keys missing or wrong" if isinstance(error, ValidationError) else str(error)
        raise UsageError(f"the model's card is damaged: {what}", where=str(card), try_=TRAIN_FIRST) from None
    axis = np.asarray(told.kinetic_energy_eV, dtype=np.float64)
    _check_card(card, axis, told.elements)
    if told.sha256 is not None:
        _check_hash(model, told.sha256)
    return ModelCard(
        model,
        axis,
        tuple(told.elements),
        told.photon_energy_eV,
        _read_task(card, told.task),
        _read_calibration(card, told.calibration),
        told.sha256,
    )


def _read_task(card: Path, told: dict[str, Any]) -> XpsTask:
    try:
        return read_task(told)
    except UsageError as error:
        raise UsageError(f"the card's task is wrong: {error.what}", where=str(card), try_=TRAIN_FIRST) from None


def _read_calibration(card: Path, told: dict[str, Any]) -> Calibration | None:
    try:
        return Calibration.model_validate(told) if told else None
    except ValidationError as error:
        raise UsageError(
            f"the card's calibration is damaged: {error.error_count()} keys missing or wrong",
            where=str(card),
            try_=TRAIN_FIRST,
        ) from None


def _check_archive(model: Path) -> None:
    """Keras reads over flipped bits; the checksums of the archive do not."""
    try:
        with zipfile.ZipFile(model) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, OSError, EOFError):
        raise UsageError("this is no Keras model", where=str(model), try_=TRAIN_FIRST) from None
    if damaged is not None:
        raise UsageError(f"the model is damaged: {damaged} fails its checksum", where=str(model), try_=TRAIN_FIRST)


def _check_hash(model: Path, sha256: str) -> None:
    with model.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            raise UsageError("this is not the model that its card was written for", where=str(model), try_=TRAIN_FIRST)


def _check_card(card: Path, axis: NDArray[np.float64], elements: list[str]) -> None:
    steps = np.diff(axis)
    if len(axis) < 2 or not np.all(np.isfinite(axis)) or not np.all(steps > 0) or np.ptp(steps) > 1e-3 * steps.mean():
        raise UsageError("the card's energy axis is not ascending in equal steps", where=str(card), try_=TRAIN_FIRST)
    unknown = [element for element in elements if element not in ELEMENT_INDEX]
    if unknown or len(set(elements)) != len(elements):
        raise UsageError(f"the card's elements are wrong: {unknown or 'one stands twice'}", where=str(card))
