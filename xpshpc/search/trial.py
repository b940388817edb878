"""A trial: one training with settings of its own on the data of a run, in a folder that is a run itself.

search/trials/<id>/   job.toml   data.zarr -> ../../../data.zarr   commits -> ../../../commits   train/   logs/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from xpshpc.config import JobFile, set_dotted, validate_job
from xpshpc.errors import UsageError
from xpshpc.plan.identity import hash_json
from xpshpc.run_directory import RunDirectory
from xpshpc.train.result import settings_hash

Source = Literal["point", "grid", "random", "tpe"]
"""Where a trial's parameters come from."""

_ID_DIGITS = 12
_SHARED = ("data.zarr", "commits")


@dataclass(frozen=True)
class Trial:
    """The training of a point of the search: `parameters` by dotted key of the job file.

    `repeat` counts the trainings of one point from 0; `settings` is the hash of all that decides the network, and gives
    the trial its identity: the same settings are the same trial in every search of the run. `name` is the point's where
    it was spelt out, `source` tells who suggested it.
    """

    parameters: Mapping[str, Any]
    repeat: int
    job_file: JobFile
    settings: str
    name: str = ""
    source: Source = "grid"

    @property
    def id(self) -> str:
        return self.settings[:_ID_DIGITS]

    @cached_property
    def point(self) -> str:
        """What all trainings of one point share: the hash of its parameters."""
        return hash_json(self.parameters)

    def run(self, parent: RunDirectory) -> RunDirectory:
        """Where the trial is, inside the run that holds the data."""
        return RunDirectory(parent.search / "trials" / self.id)


def make_trial(
    job_file: JobFile, parameters: Mapping[str, Any], repeat: int, *, name: str = "", source: Source = "grid"
) -> Trial:
    """The trial of these parameters. Raises UsageError, naming every fault, where the job does not take them.

    The first repeat trains with the job's own training seed, so that its network is the one `xpshpc train` would give.
    """
    tables = job_file.resolved()
    tables.pop("search", None)
    for dotted, value in parameters.items():
        set_dotted(tables, dotted, value)
    if repeat:
        set_dotted(tables, "train.seed", repeat_seed(job_file.job.training_seed, repeat))
    where = f"point {name}" if name else f"trial {describe_parameters(parameters)}"
    own = validate_job(tables, where=where, folder=job_file.folder)
    return Trial(dict(parameters), repeat, own, settings_hash(own), name, source)


def repeat_seed(seed: int, repeat: int) -> int:
    """A training seed far from those of other repeats and other seeds."""
    return int(hash_json([seed, repeat])[:12], 16)


def describe_parameters(parameters: Mapping[str, Any]) -> str:
    """Parameters in one line: learning_rate 0.003, filters_1 16."""
    return ", ".join(f"{short_key(dotted)} {value}" for dotted, value in parameters.items())


def short_key(dotted: str) -> str:
    """The last part of a dotted key."""
    return dotted.rpartition(".")[2]


def prepare_folder(trial: Trial, parent: RunDirectory) -> RunDirectory:
    """Makes the trial's folder, with links to the data and the records of the run it belongs to.

    The links are relative, so that a run can be moved as a whole. Raises UsageError where their name is taken.
    """
    run = trial.run(parent)
    run.path.mkdir(parents=True, exist_ok=True)
    for name in _SHARED:
        link, target = run.path / name, Path("..", "..", "..", name)
        if link.is_symlink() and link.readlink() == target:
            continue
        try:
            link.symlink_to(target, target_is_directory=True)
        except FileExistsError:
            raise UsageError(
                "a trial reads the data of its run by a link, and something else has the link's name",
                where=str(link),
                try_=f"move {link} away and call again",
            ) from None
    return run
