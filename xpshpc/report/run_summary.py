"""What a run left on the disk, read once for its report. Stages that are missing are None; nothing is computed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xpshpc.config import JobFile, Train
from xpshpc.evaluate.evaluate import Evaluation, read_evaluation
from xpshpc.events import read_events
from xpshpc.plan.identity import data_hash
from xpshpc.report.incarnations import Incarnation, read_incarnations
from xpshpc.report.search_story import SearchStory, has_begun, read_search_story
from xpshpc.report.timeline import Timeline, gather_timeline
from xpshpc.run_directory import RunDirectory
from xpshpc.search.ledger import journal_path
from xpshpc.store.identity import read_identity
from xpshpc.store.manifest import read_manifest
from xpshpc.store.record import CommitRecord, Quarantined
from xpshpc.train.history import EpochFinished, history_path, read_history
from xpshpc.train.result import TrainResult, read_result

MOST_QUARANTINED_LISTED = 50


@dataclass(frozen=True)
class DataSummary:
    """The data set: counts of samples, where it was made and what it took.

    `failures` counts failed attempts by cause, `hosts` shards by host; `core_s` are core-seconds, failed attempts
    included; `begun` and `finished` are seconds since the epoch of the first and last commit.
    """

    planned: int
    committed: int
    quarantined: int
    listed_quarantined: tuple[Quarantined, ...]
    shards: int
    shards_planned: int
    failures: dict[str, int]
    hosts: dict[str, int]
    versions: dict[str, str]
    bytes: int
    core_s: float
    begun: float | None
    finished: float | None

    @property
    def pending(self) -> int:
        return self.planned - self.committed - self.quarantined


@dataclass(frozen=True)
class Stage:
    """What a stage took: seconds by the clock (None: not told) and core-seconds."""

    name: str
    wall_s: float | None
    core_s: float
    processes: int | None


@dataclass(frozen=True)
class Analysis:
    """What the network answered to one measured file; `svg` is its figure, if there is one.

    `answers` holds numbers, and tables of numbers, by name.
    """

    file: str
    name: str
    answers: dict[str, Any]
    remarks: tuple[str, ...]
    svg: bytes | None


@dataclass(frozen=True)
class RunSummary:
    """Everything that a report tells of a run.

    `learned` is the run whose network is told of, `train` how it was asked for: this run or, where it has trained none,
    its search's best trial.
    """

    name: str
    job: dict[str, Any]
    data_hash: str
    data: DataSummary | None
    history: tuple[EpochFinished, ...]
    training: TrainResult | None
    evaluation: Evaluation | None
    analyses: tuple[Analysis, ...]
    stages: tuple[Stage, ...]
    timeline: Timeline | None
    incarnations: tuple[Incarnation, ...]
    search: SearchStory | None
    learned: RunDirectory
    train: Train
    is_best_trial: bool


def summarise_run(run: RunDirectory, job_file: JobFile) -> RunSummary:
    """Reads a run's records, history, metrics, search and analyses.

    Raises VerificationError at a torn commit record, UsageError for a search that cannot be taken.
    """
    data = _read_data(run)
    search = read_search_story(run, job_file)
    best = None if search is None or history_path(run).is_file() else search.best
    learned = best.run(run) if best else run
    training = read_result(learned)
    evaluation = read_evaluation(learned)
    own = (None, None) if best else (training, evaluation)
    return RunSummary(
        run.name,
        job_file.resolved(),
        data_hash(job_file),
        data,
        tuple(read_history(history_path(learned))),
        training,
        evaluation,
        tuple(read_analyses(run)),
        tuple(_account(run, data, *own, search)),
        gather_timeline(event for event in read_events(run.events) if "time" in event),
        read_incarnations(run.slurm / "history.jsonl"),
        search,
        learned,
        (best.job_file if best else job_file).job.train,
        is_best_trial=best is not None,
    )


def _read_data(run: RunDirectory) -> DataSummary | None:
    identity = read_identity(run)
    if identity is None:
        return None
    manifest = read_manifest(run, identity.plan())
    return tally_records(manifest.records(), identity.samples, len(manifest.plan), identity.versions)


def tally_records(
    records: Iterable[CommitRecord], planned: int, shards_planned: int, versions: dict[str, str]
) -> DataSummary:
    """The summary of a plan of `planned` samples of which these records are committed."""
    failures: Counter[str] = Counter()
    hosts: Counter[str] = Counter()
    listed: list[Quarantined] = []
    committed = quarantined = shards = size = 0
    core_s = 0.0
    begun = finished = None
    for record in records:
        shards += 1
        committed += record.samples
        quarantined += len(record.quarantined)
        listed += record.quarantined[: max(0, MOST_QUARANTINED_LISTED - len(listed))]
        failures.update(attempt.cause for attempt in record.attempts)
        hosts[record.host] += 1
        size += record.stored_bytes
        core_s += record.core_s
        began = record.finished - record.seconds
        begun = began if begun is None else min(begun, began)
        finished = record.finished if finished is None else max(finished, record.finished)
    return DataSummary(
        planned,
        committed,
        quarantined,
        tuple(listed),
        shards,
        shards_planned,
        dict(failures.most_common()),
        dict(hosts.most_common()),
        versions,
        size,
        core_s,
        begun,
        finished,
    )


def _account(
    run: RunDirectory,
    data: DataSummary | None,
    training: TrainResult | None,
    evaluation: Evaluation | None,
    search: SearchStory | None,
) -> Iterable[Stage]:
    if data is not None and data.shards:
        yield Stage("generate", measure_sessions(read_events(run.events)), data.core_s, None)
    if search is not None and has_begun(run):
        core_s = 3600 * sum(trial.core_hours for trial in search.trials)
        told = read_events(journal_path(run))
        yield Stage("search", measure_sessions(told, start="SearchStarted"), core_s, None)
    if training is not None:
        yield Stage("train", training.seconds, training.seconds * training.ranks, training.ranks)
    if evaluation is not None:
        yield Stage("evaluate", evaluation.seconds, evaluation.seconds * evaluation.ranks, evaluation.ranks)


def measure_sessions(events: Iterable[Mapping[str, Any]], *, start: str = "StageStarted") -> float | None:
    """Seconds by the clock of all sessions of a stage, each from its start to its last event; None without any.

    What a session did after its last event is not counted, nor is the pause before the next one: a run that was killed
    and called again shows the time it worked.
    """
    total, started, last = 0.0, None, 0.0
    for event in events:
        if event["event"] == start:
            total += 0.0 if started is None else last - started
            started = event["time"]
        last = event["time"]
    return None if started is None else total + last - started


def read_analyses(run: RunDirectory) -> list[Analysis]:
    """The answers of analyze/analysis.json; none where the file is missing or damaged."""
    try:
        told = json.loads((run.analyze / "analysis.json").read_bytes())["spectra"]
        return [
            Analysis(
                str(spectrum["file"]),
                str(spectrum.get("name") or Path(spectrum["file"]).name),
                {key: value for key, value in spectrum.items() if _is_number(value) or _is_table(value)},
                tuple(map(str, spectrum.get("remarks", ()))),
                _read_figure(run, spectrum),
            )
            for spectrum in told
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_number, value.values()))


def _read_figure(run: RunDirectory, spectrum: dict[str, Any]) -> bytes | None:
    """The figure that an analysis names, if it is an SVG file inside the run."""
    named = spectrum.get("svg") or spectrum.get("plot")
    if not named:
        return None
    path = (run.analyze / Path(named).name).resolve()
    if path.suffix != ".svg" or path.parent != run.analyze.resolve() or not path.is_file():
        return None
    return path.read_bytes()
