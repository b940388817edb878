"""What must be known of a network before it may read a spectrum: its card, `model.json` beside `model.keras`."""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from xpshpc.errors import UsageError
from xpshpc.run_directory import RunDirectory
from xpshpc.spectra.elements import ELEMENT_INDEX

TRAIN_FIRST = "xpshpc train RUN makes a model; give its run directory or model.keras with --model"


class _CardFile(BaseModel):
    """The keys of the card that reading a spectrum needs; a card tells more."""

    model_config = ConfigDict(extra="ignore")

    kinetic_energy_eV: list[float]
    elements: list[str]
    photon_energy_eV: float
    sha256: str | None = None


@dataclass(frozen=True)
class ModelCard:
    """A network on the disk: its file, its energy axis (eV, kinetic), the elements it names, the source it learned."""

    model: Path
    kinetic_energy_eV: NDArray[np.float64]
    elements: tuple[str, ...]
    photon_energy_eV: float


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
    return ModelCard(model, axis, tuple(told.elements), told.photon_energy_eV)


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
