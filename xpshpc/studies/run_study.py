"""A study, step by step: what is done is not done again, and what each step takes is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xpshpc.config import JobFile, validate_job
from xpshpc.errors import XpshpcError
from xpshpc.events import EventLog, Listener
from xpshpc.run_directory import RunDirectory, alone_in, save_job
from xpshpc.store.read import Store
from xpshpc.studies.answers import find_answer
from xpshpc.studies.diets import choose_others, diets_of, write_diet
from xpshpc.studies.ground import Ground
from xpshpc.studies.journal import JOURNAL, StepFinished, StepStarted, StepStopped
from xpshpc.studies.jury import Jury
from xpshpc.studies.look import read_maps_of
from xpshpc.studies.meter import Meter, disk_bytes
from xpshpc.studies.plan import TEST, plan_study, with_threshold
from xpshpc.studies.scores import find_threshold, score_sets_of, write_sets
from xpshpc.studies.step import Step, Work
from xpshpc.studies.workplace import Workplace

Found = dict[str, dict[str, Any]]
"""What steps told (JSON), by their names."""


def run_study(ground: Ground, place: Workplace, on_event: Listener) -> Found:
    """Does all steps of a study, and returns what they told.

    Stopped at any moment, the same call goes on; with nothing left it computes nothing. Raises UsageError if another
    process works on the study, and what the stages raise.
    """
    ground.path.mkdir(parents=True, exist_ok=True)
    with alone_in(ground.path, "working on"), EventLog(ground.path / JOURNAL, on_event) as journal:
        save_job(RunDirectory(ground.path), ground.job_file)
        under_way = _UnderWay(ground, place, on_event)
        for step in plan_study(ground):
            meter = Meter()
            try:
                journal.emit(StepStarted(step.name))
                with meter:
                    reused = under_way.do(step)
            except (XpshpcError, KeyboardInterrupt, OSError) as error:
                why = error.what if isinstance(error, XpshpcError) else str(error) or type(error).__name__
                usage = meter.usage
                journal.emit(StepStopped(step.name, why, usage.wall_s, usage.cpu_s, usage.peak_bytes))
                raise
            usage, disk = meter.usage, sum(map(disk_bytes, _places(ground, step)))
            journal.emit(StepFinished(step.name, reused, usage.wall_s, usage.cpu_s, usage.peak_bytes, disk))
    return under_way.found


def _places(ground: Ground, step: Step) -> list[Path]:
    """Where a step leaves what it makes; a step that trains on another's run leaves a network there."""
    if step.run is None:
        return [ground.path / file for file in step.files]
    run = RunDirectory(ground.run(step.run))
    if Work.GENERATE not in step.work:
        return [run.train]
    return [run.data, run.commits] if step.work == (Work.GENERATE,) else [run.path]


@dataclass
class _UnderWay:
    """The steps that were done so far, and what they told."""

    ground: Ground
    place: Workplace
    listen: Listener
    found: Found = field(default_factory=dict)

    def do(self, step: Step) -> bool:
        """Does a step; tells whether there was nothing left to do."""
        if step.run is None:
            return self._find(step)
        run = RunDirectory(self.ground.run(step.run))
        job_file = validate_job(self._tables(step), where=f"step {step.name}", folder=run.path)
        told = {work: self._stage(work, run, job_file) for work in step.work}
        self.found[step.name] = {work.value: answer for work, answer in told.items()}
        return all(_was_there(work, answer) for work, answer in told.items())

    def _stage(self, work: Work, run: RunDirectory, job_file: JobFile) -> dict[str, Any]:
        """One stage of the engine on a step's run, as JSON."""
        place = self.place
        if work is Work.GENERATE:
            from xpshpc.generate.generate import generate

            return generate(job_file, run, workers=place.workers, profile=place.profile, on_event=self.listen).as_json()
        if work is Work.TRAIN:
            from xpshpc.train.launch import train

            threads = place.threads_per_rank
            return train(run, job_file, threads_per_rank=threads, on_event=self.listen, **place.gang("train")).as_json()
        from xpshpc.evaluate.evaluate import evaluate

        test = RunDirectory(self.ground.run(TEST))
        return evaluate(run, job_file, other=test, on_event=self.listen, **place.gang("evaluate")).as_json()

    def _tables(self, step: Step) -> Mapping[str, Any]:
        tables = step.tables
        if tables is None:
            tables = next(each.tables for each in plan_study(self.ground) if each.run == step.run and each.tables)
        chosen = self.found.get("thresholds")
        return tables if chosen is None else with_threshold(tables, chosen["threshold"])

    def _find(self, step: Step) -> bool:
        ground, jury = self.ground, Jury(self.ground, self.place, self.listen)
        (work,) = step.work
        finders = {
            Work.IMAGES: lambda: write_sets(ground),
            Work.SWEEP: lambda: find_threshold(jury),
            Work.SCORES: lambda: score_sets_of(jury),
            Work.MAPS: lambda: write_diets(ground),
        }
        asked = {
            "runs": {name: Store(RunDirectory(ground.run(name))).plan.data_hash for name in step.reads},
            "decisive": dict(step.decisive),
            "extractor": jury.describe()["sha256"] if work in (Work.SWEEP, Work.SCORES) else None,
        }
        answer = find_answer(ground.path, step.name, asked, finders[work], files=step.files)
        self.found[step.name] = answer.found
        return answer.reused


def _was_there(work: Work, answer: Mapping[str, Any]) -> bool:
    return answer["made"] == 0 if work is Work.GENERATE else bool(answer["reused"])


def write_diets(ground: Ground) -> dict[str, Any]:
    """Writes what each classifier learns from; answers with the numbers of maps."""
    settings, study, census = ground.settings, ground.study, ground.census
    assert settings.originals is not None, "find_ground has seen them"
    job = ground.job_file.job
    others = choose_others(settings.originals, study, census, settings.size, job.seed)
    diets = diets_of(study, census, job.generate.samples)
    for diet in diets:
        made = read_maps_of(ground.run(name) for name in diet.runs)
        write_diet(ground.diets / f"{diet.name}.npz", made, study, others, census.told_apart)
    return {"n": {diet.name: {"made": diet.made, "others": diet.others} for diet in diets}}
