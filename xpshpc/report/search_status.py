"""How a run's search stands, for its status: read from the journal and the trials' curves, nothing is changed."""

from __future__ import annotations

from typing import Any

from xpshpc.errors import UsageError
from xpshpc.report.search_story import has_begun
from xpshpc.run_directory import RunDirectory, open_run
from xpshpc.search.result import SearchResult, read_search
from xpshpc.search.state import State
from xpshpc.search.trial import describe_parameters
from xpshpc.store.lease import read_owner
from xpshpc.train.history import history_path, read_history


def read_search_status(run: RunDirectory) -> dict[str, Any] | None:
    """Counts of trials by state, the best so far, those under way, and the time left (seconds, None: not to be told).

    None where no search has begun, or the run's job has none any more that could be taken.
    """
    if not has_begun(run):
        return None
    try:
        _, job_file = open_run(run.path)
        result = read_search(run, job_file)
    except UsageError:
        return None
    owner = read_owner(run, stage="search")
    working = owner is not None and owner[1]
    told = result.as_json()
    return {
        "working": working,
        "owner": str(owner[0]) if owner else "",
        **{
            key: told[key] for key in ("trials", *map(str, State), "metric", "goal", "ended", "core_hours", "gpu_hours")
        },
        "best": told["best"],
        "under_way": _list_under_way(run, result),
        "time_left_s": result.seconds_to_come if working else None,
    }


def _list_under_way(run: RunDirectory, result: SearchResult) -> list[dict[str, Any]]:
    """The running trials with the epochs they have done."""
    running = [trial for trial in result.trials if result.outcomes[trial.id].state is State.RUNNING]
    return [
        {
            "id": trial.id,
            "label": trial.name or describe_parameters(trial.parameters),
            "repeat": trial.repeat,
            "epochs_done": len(read_history(history_path(trial.run(run)))),
            "epochs": trial.job_file.job.train.epochs,
        }
        for trial in running
    ]
