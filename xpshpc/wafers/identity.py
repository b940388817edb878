"""What decides the bytes of a data set of maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xpshpc.wafers.content import content_hash
from xpshpc.wafers.generator_card import read_generator_card
from xpshpc.wafers.settings import WaferSettings


def decisive(settings: WaferSettings) -> dict[str, Any]:
    """The settings (JSON) that decide the bytes: files and models by what they hold, not by where they are.

    Raises UsageError if a file that is named is missing.
    """
    told: dict[str, Any] = {
        "size": settings.size,
        "augmentation": settings.augmentation.model_dump(mode="json"),
        "patterns": settings.patterns.model_dump(mode="json"),
        "mixture": [part.model_dump(mode="json") for part in settings.mixture],
    }
    if settings.originals is not None:
        chosen = settings.originals.model_dump(mode="json", exclude={"file"})
        chosen["content"] = content_hash(Path(settings.originals.file), where="wafers.originals.file")
        told["originals"] = chosen
    if settings.generator is not None:
        card = read_generator_card(Path(settings.generator.model))
        generator = settings.generator.model_dump(mode="json", exclude={"model"})
        generator["content"] = content_hash(card.model, where="wafers.generator.model")
        generator["card"] = card.decisive()
        told["generator"] = generator
    return told
