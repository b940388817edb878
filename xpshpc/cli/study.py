"""xpshpc run of a job that is a study: a chain of runs as one command, whose last line is one JSON object."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xpshpc.cli import show_study
from xpshpc.cli.answer import console, print_json
from xpshpc.cli.call import answer_call
from xpshpc.cli.status_page import watch_lines
from xpshpc.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from xpshpc.cli.call import Call
    from xpshpc.cli.status_page import Look
    from xpshpc.config import JobFile
    from xpshpc.events import Event, Listener
    from xpshpc.run_directory import RunDirectory


def is_study(job_file: JobFile) -> bool:
    """Whether a job is a chain of runs and no single one."""
    return getattr(job_file.settings, "study", None) is not None


def refuse_study(job_file: JobFile, command: str, target: Path) -> None:
    """Raises UsageError for a study where a command takes a single run."""
    if is_study(job_file):
        raise UsageError(
            f"{command} takes a single run, and this job is a study of many",
            where=str(target),
            try_=f"xpshpc run {target}, which does what is left of it; its runs are in the folder steps",
        )


def run_study_job(call: Call, dry_run: bool) -> int:
    """Does all steps of a study, then its page; or shows them with what they took before."""
    from xpshpc.studies.check import check_study
    from xpshpc.studies.ground import find_ground
    from xpshpc.studies.journal import read_costs
    from xpshpc.studies.outcome import tell_outcome
    from xpshpc.studies.page import write_page
    from xpshpc.studies.plan import describe_plan, plan_study
    from xpshpc.studies.run_study import run_study
    from xpshpc.studies.workplace import Workplace

    ground = find_ground(call.run.path, call.job_file)
    check_study(ground, call.ranks, call.profile.launcher)
    steps = plan_study(ground)
    if dry_run:
        answer = describe_plan(ground, steps, read_costs(ground.path))
        answer_call(call, answer, show_study.show_plan)
        return ExitCode.DONE
    with _progress(call.as_json) as listen:
        told = _StepTeller(listen, [step.name for step in steps], quiet=call.as_json)
        found = run_study(ground, Workplace(call.profile, call.workers, call.ranks), told)
    outcome = tell_outcome(ground, steps, found, read_costs(ground.path))
    write_page(ground, outcome)
    if not call.as_json:
        show_study.show_outcome(console(), outcome)
    sys.stdout.write(json.dumps(outcome, ensure_ascii=False, allow_nan=False) + "\n")
    sys.stdout.flush()
    return ExitCode.DONE


def show_study_status(run: RunDirectory, job_file: JobFile, *, as_json: bool, every_s: float | None = None) -> None:
    """Says which steps of a study are done, and which one is under way; again `every_s` seconds until all are done."""
    if as_json:
        print_json(read_study_status(run, job_file))
        return
    if every_s is None:
        for line in show_study.describe_status(read_study_status(run, job_file)):
            console().print(line, markup=False)
        return

    def look() -> Look:
        answer = read_study_status(run, job_file)
        return tuple(show_study.describe_status(answer)), not answer["to_do"]

    watch_lines(console(), look, every_s)


def read_study_status(run: RunDirectory, job_file: JobFile) -> dict[str, Any]:
    """How far a study is, as JSON."""
    from xpshpc.studies.ground import find_ground
    from xpshpc.studies.journal import read_costs, step_under_way
    from xpshpc.studies.plan import plan_study

    costs, under_way = read_costs(run.path), step_under_way(run.path)
    steps = plan_study(find_ground(run.path, job_file))
    done = [step.name for step in steps if step.name in costs and costs[step.name].done]
    return {
        "run": str(run.path),
        "step": under_way,
        "done": done,
        "to_do": [step.name for step in steps if step.name not in done],
        "wall_s": round(sum(cost.wall_s for cost in costs.values()), 1),
    }


class _StepTeller:
    """Passes events on, and writes a line on stderr where a step begins."""

    def __init__(self, listen: Listener, names: list[str], *, quiet: bool) -> None:
        self._listen = listen
        self._names = names
        self._quiet = quiet and not sys.stderr.isatty()

    def __call__(self, event: Event) -> None:
        from xpshpc.studies.journal import StepStarted

        if isinstance(event, StepStarted) and not self._quiet:
            place = self._names.index(event.step) + 1
            sys.stderr.write(f"step {place} of {len(self._names)}: {event.step}\n")
            sys.stderr.flush()
        self._listen(event)


def _progress(as_json: bool) -> Any:
    from xpshpc.report.progress import TerminalProgress

    return TerminalProgress(quiet_in_logs=as_json)
