"""Which classes a job's maps have, and in which order: what a stored label is a place in."""

from __future__ import annotations

from pathlib import Path

from xpshpc.wafers.generator_card import read_generator_card
from xpshpc.wafers.maps import CLASSES
from xpshpc.wafers.settings import Originals, WaferSettings


def class_names(settings: WaferSettings) -> tuple[str, ...]:
    """The classes of a job: those of its originals, or of its generator, or of its patterns, the first that it has.

    Sources of one job have these in common, so that maps of all of them are labelled alike. Raises what the readers of
    a file or of a generator's card raise.
    """
    if settings.originals is not None:
        return settings.originals.classes or _of_file(settings.originals)
    if settings.generator is not None:
        own = tuple(dict.fromkeys(settings.generator.classes))
        return own or read_generator_card(Path(settings.generator.model)).classes
    return settings.patterns.classes


def _of_file(originals: Originals) -> tuple[str, ...]:
    """The classes of the public table, which need not be read for them; packed maps and folders may have others."""
    from xpshpc.wafers.readers.read import PICKLES, read_maps

    path = Path(originals.file)
    return CLASSES if path.suffix.lower() in PICKLES else read_maps(path).classes
