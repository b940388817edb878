"""The source of a job, by its name."""

from __future__ import annotations

from pathlib import Path

from xpshpc.errors import UsageError
from xpshpc.wafers.augmentation import Augmenter
from xpshpc.wafers.generator_card import read_generator_card
from xpshpc.wafers.settings import WaferSettings
from xpshpc.wafers.sources.augmented import AugmentedMaker
from xpshpc.wafers.sources.generated import GeneratedMaker, check_generator
from xpshpc.wafers.sources.maker import Maker
from xpshpc.wafers.sources.mixture import MixtureMaker, part_seeds
from xpshpc.wafers.sources.originals import OriginalMaker, find_originals
from xpshpc.wafers.sources.source import WaferSource
from xpshpc.wafers.sources.synthetic import SyntheticMaker


def make_source(name: str, settings: WaferSettings, seed: int) -> WaferSource:
    """The source of that name. Maps are read when they are first needed, or checked.

    Raises UsageError where the job lacks what the source needs.
    """
    if name == "mixture":
        return WaferSource(settings, seed, _mixture(settings, seed))
    return WaferSource(settings, seed, _maker(name, settings, seed, seed))


def _maker(name: str, settings: WaferSettings, chosen_by: int, seed: int) -> Maker:
    """The maker of one kind of maps. Originals are chosen by the job's seed, the same for all parts of a mixture."""
    match name:
        case "originals":
            return OriginalMaker(find_originals(settings, chosen_by, name))
        case "augmented":
            return AugmentedMaker(find_originals(settings, chosen_by, name), Augmenter(settings.augmentation, seed))
        case "synthetic":
            return SyntheticMaker(settings, seed)
        case "generated":
            return _generated(settings, seed)
        case _:
            raise ValueError(f"no source is called {name!r}")


def _generated(settings: WaferSettings, seed: int) -> GeneratedMaker:
    if settings.generator is None:
        raise UsageError(
            'source = "generated" needs a trained generator, and the job names none',
            where="wafers.generator",
            try_='[wafers.generator] with model = "runs/NAME/train/model.keras"',
        )
    card = read_generator_card(Path(settings.generator.model))
    check_generator(settings, settings.generator, card)
    return GeneratedMaker(settings, settings.generator, card, seed)


def _mixture(settings: WaferSettings, seed: int) -> MixtureMaker:
    if not settings.mixture:
        raise UsageError(
            'source = "mixture" has no parts',
            where="wafers.mixture",
            try_='mixture = [{ source = "augmented", samples = 440 }, { source = "synthetic", samples = 440 }]',
        )
    seeds = part_seeds(seed, len(settings.mixture))
    makers = [_maker(part.source, settings, seed, own) for part, own in zip(settings.mixture, seeds, strict=True)]
    return MixtureMaker(settings.mixture, makers)
