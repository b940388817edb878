"""How a run's network fares with measured samples of known answers: the science's figures, or why there are none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xpshpc.config import JobFile
from xpshpc.domain import Panel
from xpshpc.errors import UsageError
from xpshpc.run_directory import RunDirectory
from xpshpc.train.result import file_hash

MEASURED = "measured.json"
"""The scores on measured samples, in the run's folder evaluate/; what is in it, the science knows."""


@dataclass(frozen=True)
class MeasuredScores:
    """Figures of the scores; `remark` says why a file that is there has none."""

    panels: Sequence[Panel] = ()
    remark: str = ""


def draw_measured(run: RunDirectory, job_file: JobFile) -> MeasuredScores:
    """The figures of a run's evaluate/measured.json; neither figures nor remark where there is no such file."""
    path = run.evaluate / MEASURED
    if not path.is_file():
        return MeasuredScores()
    try:
        told = json.loads(path.read_bytes())
        if _is_of_another_network(told, run):
            return MeasuredScores(remark=_leave_out("it is of a network that the run has no longer"))
        panels = job_file.domain.panels(job_file.settings, {}, {}, {}, {"measured": told})
    except (OSError, ValueError, RecursionError):
        return MeasuredScores(remark=_leave_out("it is damaged"))
    except UsageError as error:
        return MeasuredScores(remark=_leave_out(error.what))
    if not panels:
        return MeasuredScores(remark=_leave_out(f"nothing in it is of {job_file.domain.section}"))
    return MeasuredScores(panels)


def _is_of_another_network(told: Any, run: RunDirectory) -> bool:
    judged = told.get("model_sha256") if isinstance(told, dict) else None
    return judged is not None and not (run.model.is_file() and file_hash(run.model) == judged)


def _leave_out(why: str) -> str:
    return f"evaluate/{MEASURED} is left out: {why}. xpshpc evaluate RUN --measured TABLE writes it anew."
