"""The scores on measured spectra of known composition as evaluate/measured.json keeps them, read back with care."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from xpshpc.config.section import tell_faults
from xpshpc.errors import UsageError

Share = Annotated[float, Field(ge=0, le=1)]
AtPercent = Annotated[float, Field(ge=0, le=100)]


class _Kept(BaseModel):
    """A table of the file. Keys that are not needed here are passed by: the file may get more of them."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class KeptSurvey(_Kept):
    """One spectrum: its known composition and the found one with intervals, all in at.%, and how far they are apart.

    `missed` and `wrongly_named` are elements, `outside` those whose interval does not hold the known fraction.
    """

    file: str
    name: str
    known_at_percent: dict[str, AtPercent]
    composition_at_percent: dict[str, AtPercent]
    interval_at_percent: dict[str, tuple[AtPercent, AtPercent]]
    accuracy: float = Field(ge=-1, le=1)
    missed: tuple[str, ...]
    wrongly_named: tuple[str, ...]
    outside: tuple[str, ...]


class KeptElementSets(_Kept):
    """The share of spectra whose elements are all right."""

    correct: Share


class KeptCoverage(_Kept):
    """How often intervals hold what is known: as `stated`, and as `measured` over `n` of them."""

    stated: Share
    measured: Share
    n: int = Field(gt=0)


class KeptScores(_Kept):
    """All of the file; `coverage` None: the network stated no intervals."""

    accuracy: float = Field(ge=-1, le=1)
    rmse: float = Field(ge=0, le=1)
    element_set: KeptElementSets
    coverage: KeptCoverage | None
    spectra: tuple[KeptSurvey, ...] = Field(min_length=1)


def read_survey_scores(told: Any) -> KeptScores:
    """The scores that a JSON value tells. Raises UsageError naming the first fault of one that tells something else."""
    try:
        return KeptScores.model_validate(told)
    except ValidationError as error:
        fault = tell_faults(error, KeptScores)[0]
        raise UsageError(
            f"these are no scores of measured spectra: {fault}", try_="xpshpc evaluate RUN --measured TABLE"
        ) from None
