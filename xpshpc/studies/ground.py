"""What all steps of a study share: where it is, its job, its settings, and what its file of maps has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from xpshpc.config import JobFile
from xpshpc.errors import UsageError
from xpshpc.studies.census import Census, HeldOut, part_held_out, take_census
from xpshpc.wafers.maps import GRAY, PASS
from xpshpc.wafers.settings import Study, WaferSettings

STEPS = "steps"
"""The folder of a study in which its steps' runs are."""

SETS, DIETS = "sets", "diets"
"""The folders of the images that are scored, and of the maps that classifiers learn from."""


@dataclass(frozen=True)
class Ground:
    """A study before its steps are known."""

    path: Path
    job_file: JobFile
    settings: WaferSettings
    study: Study
    census: Census

    @property
    def sets(self) -> Path:
        """Where the images are that are scored."""
        return self.path / SETS

    @property
    def diets(self) -> Path:
        """Where the maps are that classifiers learn from."""
        return self.path / DIETS

    @property
    def score_size(self) -> int:
        """Dies across the images that are scored."""
        return self.study.score_size or self.settings.size

    @property
    def good_gray(self) -> int:
        """Gray level of good dies in the images that are scored: a network that learned maps sees them as it did."""
        from xpshpc.evaluate.extractors.choice import find_run

        return 0 if find_run(self.study.extractor) is None else GRAY[PASS]

    @property
    def held_out(self) -> HeldOut:
        """Which real maps choose the threshold, and which ones judge."""
        return part_held_out(self.study, self.census)

    def run(self, name: str) -> Path:
        return self.path / STEPS / name


def study_of(job_file: JobFile) -> Study | None:
    """The study that a job asks for, if it does."""
    settings = job_file.settings
    return settings.study if isinstance(settings, WaferSettings) else None


def find_ground(path: Path, job_file: JobFile) -> Ground:
    """Raises UsageError for a job that is no study, or whose originals cannot be read."""
    settings, study = job_file.settings, study_of(job_file)
    if study is None or not isinstance(settings, WaferSettings):
        raise UsageError("this job is no study", where="wafers.study", try_="xpshpc run jobs/wafer-gan.toml")
    if settings.originals is None:
        raise UsageError(
            "a study begins with measured maps, and no file is named",
            where="wafers.originals.file",
            try_="--set wafers.originals.file=PATH",
        )
    return Ground(path.absolute(), job_file, settings, study, take_census(settings.originals, job_file.job.seed))
