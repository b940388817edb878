"""How many maps of each class a study's file has in each of its splits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xpshpc.config import nearest
from xpshpc.errors import UsageError
from xpshpc.wafers.maps import SPLITS, SplitName
from xpshpc.wafers.settings import Originals, Study

_FEWEST = 2
"""Maps that have a spread."""


@dataclass(frozen=True)
class Census:
    """Names of the file's classes, and the number of usable maps by split and class."""

    classes: tuple[str, ...]
    counts: Mapping[SplitName, Mapping[str, int]]

    def of(self, split: SplitName, name: str) -> int:
        return self.counts[split].get(name, 0)

    @property
    def told_apart(self) -> tuple[str, ...]:
        """The classes that a classifier can learn and be tested on."""
        return tuple(name for name in self.classes if self.of("train", name) and self.of("test", name))

    def others(self, name: str) -> tuple[str, ...]:
        """Those besides this one."""
        return tuple(other for other in self.told_apart if other != name)

    @property
    def tested(self) -> int:
        """Maps on which classifiers are compared."""
        return sum(self.of("test", name) for name in self.told_apart)


@dataclass(frozen=True)
class HeldOut:
    """The splits whose maps of the studied class nothing is made of: those that choose the threshold, and those that
    judge in the end."""

    choosing: tuple[SplitName, ...]
    judging: tuple[SplitName, ...]

    @property
    def is_parted(self) -> bool:
        """Whether the judges had no part in the choice."""
        return self.choosing != self.judging


def part_held_out(study: Study, census: Census) -> HeldOut:
    """Validation maps choose and test maps judge, where there is a choice and both splits have maps enough; else all do
    both."""
    both = tuple(study.held_out)
    there_is_a_choice = study.mode == "auto" and len(study.thresholds) > 1
    enough = len(set(both)) == 2 and all(census.of(split, study.defect) >= _FEWEST for split in both)
    if there_is_a_choice and enough:
        return HeldOut(("validation",), ("test",))
    return HeldOut(both, both)


def take_census(originals: Originals, seed: int) -> Census:
    """Counts what may be taken: without maps that two splits share, where the settings leave these out.

    Raises UsageError for a file that cannot be read.
    """
    import numpy as np

    from xpshpc.wafers.choose import choose_originals

    counts: dict[SplitName, dict[str, int]] = {}
    classes: tuple[str, ...] = ()
    for split in SPLITS:
        try:
            found = choose_originals(all_of(originals, split), seed)
        except UsageError:
            if split == "train":
                raise
            continue
        classes = found.classes
        numbers = np.bincount(found.label, minlength=len(classes))
        counts[split] = {name: int(number) for name, number in zip(classes, numbers, strict=True)}
    return Census(classes, {split: counts.get(split, {}) for split in SPLITS})


def all_of(originals: Originals, split: SplitName, *classes: str, per_class: int | None = None) -> Originals:
    """The same file's maps of another split; of these classes, of all without any."""
    return originals.model_copy(update={"split": split, "classes": classes, "per_class": per_class})


def check_defect(census: Census, defect: str, originals: int, held_out: tuple[SplitName, ...]) -> None:
    """Raises UsageError where the file has not the maps of the class that a study needs."""
    if defect not in census.classes:
        raise UsageError(
            f"the file has no class {defect!r}{nearest(defect, census.classes)}", where="wafers.study.defect"
        )
    there = census.of("train", defect)
    if there < originals:
        raise UsageError(
            f"{originals} maps of {defect} are asked for, and split train has {there}",
            where="wafers.study.originals",
            try_=f"--set wafers.study.originals={there}" if there >= 2 else "another class",
        )
    for split in held_out:
        if not census.of(split, defect):
            raise UsageError(f"split {split} has no map of {defect}", where="wafers.study.held_out")
    kept = sum(census.of(split, defect) for split in held_out)
    if kept < _FEWEST:
        raise UsageError(
            f"{kept} map of {defect} is held out, and one image has no spread that could be compared",
            where="wafers.study.held_out",
            try_='--set wafers.study.held_out=["validation","test"]',
        )
