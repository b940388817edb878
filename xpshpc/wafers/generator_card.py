"""What must be known of a generator before it may make maps: its card, `model.json` beside `model.keras`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from xpshpc.errors import UsageError
from xpshpc.run_directory import RunDirectory

WHERE = "wafers.generator.model"
TRAIN_FIRST = 'a job with network = "dcgan" and [train.task] goal = "generate" makes one: xpshpc train JOB'

Encoding = Literal["fail", "three"]
"""Whether an image tells only which dies fail, or off, pass and fail by three levels."""


class _Disc(BaseModel):
    """The dies on the wafer: a disc of so many dies across, in the middle of the image."""

    model_config = ConfigDict(extra="forbid")

    disc_diameter: float = Field(gt=0)


class _CardFile(BaseModel):
    """The keys of the card that making maps needs; a card tells more."""

    model_config = ConfigDict(extra="ignore")

    goal: Literal["generate"]
    latent: int = Field(gt=0)
    size: int = Field(gt=0, le=512)
    classes: tuple[str, ...] = Field(min_length=1)
    conditional: bool
    encoding: Encoding
    mask: _Disc | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class GeneratorCard:
    """A generator on the disk. `mask` (size, size) says which dies lie on the wafer."""

    model: Path
    latent: int
    size: int
    classes: tuple[str, ...]
    conditional: bool
    encoding: Encoding
    mask: NDArray[np.bool_]
    sha256: str | None

    def decisive(self) -> dict[str, Any]:
        """What of the card decides the bytes of maps, as JSON."""
        return {
            "latent": self.latent,
            "size": self.size,
            "classes": list(self.classes),
            "conditional": self.conditional,
            "encoding": self.encoding,
            "mask": np.packbits(self.mask).tobytes().hex(),
        }


def read_generator_card(path: Path) -> GeneratorCard:
    """The card of a saved generator; the network itself is not loaded.

    Raises UsageError where a file is missing, damaged, or another network's.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder", where=WHERE, try_=str(RunDirectory(path).model))
    if not path.is_file():
        raise UsageError(f"no trained generator here: {path}", where=WHERE, try_=TRAIN_FIRST)
    card = path.with_suffix(".json")
    try:
        told = json.loads(card.read_bytes())
    except FileNotFoundError:
        raise UsageError(f"the generator's card is missing: {card}", where=WHERE, try_=TRAIN_FIRST) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"the generator's card {card} is damaged: {error}", where=WHERE, try_=TRAIN_FIRST) from None
    if not isinstance(told, dict) or told.get("goal") != "generate":
        raise UsageError(f"{path} is no generator of maps", where=WHERE, try_=TRAIN_FIRST)
    try:
        read = _CardFile.model_validate(told)
    except ValidationError as error:
        raise UsageError(
            f"the generator's card {card} has {error.error_count()} keys missing or wrong",
            where=WHERE,
            try_=TRAIN_FIRST,
        ) from None
    across = read.size if read.mask is None else read.mask.disc_diameter
    return GeneratorCard(
        path,
        read.latent,
        read.size,
        read.classes,
        read.conditional,
        read.encoding,
        disc(read.size, across),
        read.sha256,
    )


def disc(size: int, across: float) -> NDArray[np.bool_]:
    """The dies of a square map (size, size) whose middle lies on a round wafer, `across` dies wide, in its middle."""
    from_middle = np.arange(size) - (size - 1) / 2.0
    return np.asarray(np.hypot(from_middle[:, None], from_middle) <= across / 2.0)
