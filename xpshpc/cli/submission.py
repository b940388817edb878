"""Commands for a cluster: submit a whole run to SLURM, and batch, by which its jobs run their stages."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xpshpc.cli import options
from xpshpc.cli.answer import console, print_json
from xpshpc.cli.call import check_stages, make_call
from xpshpc.cli.show_submission import show_chain, show_ready, show_submitted
from xpshpc.cli.stages import makes_samples
from xpshpc.cli.study import refuse_study
from xpshpc.cli.target import find_target
from xpshpc.errors import EnvironmentFault, ExitCode, UsageError

if TYPE_CHECKING:
    from xpshpc.cli.call import Call
    from xpshpc.cluster.site import Stage
    from xpshpc.cluster.slurm.client import Slurm
    from xpshpc.cluster.submission.chain import Chain
    from xpshpc.cluster.submission.record import Submission

_QUESTION_S = 15.0
_WITHOUT_PROFILE = ("report",)

Steal = Annotated[bool, typer.Option("--steal", help="Cancel the run's jobs in the queue, and submit it anew.")]
ShowScripts = Annotated[bool, typer.Option("--show-scripts", help="Show the batch scripts too.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Submit without asking.")]
Stages = Annotated[
    str | None,
    typer.Option(
        "--stages",
        metavar="STAGE,…",
        help="Of generate, search, train, evaluate, report. [default: those of xpshpc run]",
        show_default=False,
    ),
]


def add_commands(app: typer.Typer) -> None:
    """Adds this room's commands to the program."""
    app.command()(submit)
    app.command(hidden=True, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(batch)


def submit(
    target: options.Target,
    runs: options.Runs = options.RUNS,
    on: options.On = "auto",
    settings: options.Settings = None,
    stages: Stages = None,
    yes: Yes = False,
    dry_run: options.DryRun = False,
    show_scripts: ShowScripts = False,
    steal: Steal = False,
    as_json: options.AsJson = False,
) -> int:
    """Put a whole run on a SLURM cluster: a job for each stage, in a chain. Shows the cost, and asks first."""
    from xpshpc.cluster.slurm.client import Slurm
    from xpshpc.cluster.submission.chain import read_stages, whole_run
    from xpshpc.run_directory import alone_in
    from xpshpc.store.identity import check_owner

    call = _on_slurm(make_call(target, runs, on, settings, None, None, as_json), on)
    refuse_study(call.job_file, "submit", target)
    named = whole_run(searches=call.job_file.job.search is not None) if stages is None else read_stages(stages)
    if stages is None and makes_samples(call.job_file):
        named = tuple(stage for stage in named if stage != "evaluate")
    check_stages(call, named)
    check_owner(call.run, call.job_file)
    questions = Slurm(patience_s=min(_QUESTION_S, call.profile.site.limits.query_patience_s))
    chain = _plan(call, on, named, questions, dry_run)
    answer = _describe(call, chain)
    if not dry_run:
        _check_free(call, questions, steal)
    if not as_json:
        show_chain(console(), chain, answer, scripts=dry_run or show_scripts)
    if dry_run:
        if as_json:
            print_json({**answer, "dry_run": True})
        else:
            console().print("nothing was submitted (--dry-run)")
        return ExitCode.DONE
    if not yes:
        _ask(as_json)
    _check_site(call, chain, as_json)
    call.run.slurm.mkdir(parents=True, exist_ok=True)
    with alone_in(call.run.slurm, "submitting"):
        submission = _submit(call, chain, _name_of(on, call), questions, steal)
    jobs = [{"stage": job.stage, "job_id": job.job_id, "script": job.script} for job in submission.jobs]
    if as_json:
        print_json({**answer, "jobs": jobs})
    else:
        show_submitted(console(), call.run.path, submission)
    return ExitCode.DONE


def batch(
    context: typer.Context,
    stage: Annotated[str, typer.Argument(metavar="STAGE", help="A stage, or run for all of them.")],
    target: options.Target,
    runs: options.Runs = options.RUNS,
    on: options.On = "auto",
) -> int:
    """Run a stage within its SLURM job: stopped before the time is up, the job goes back into the queue, and on."""
    from xpshpc.cluster.profile import read_profile
    from xpshpc.cluster.site import Limits
    from xpshpc.cluster.submission.batch_job import BatchJob
    from xpshpc.cluster.submission.chain import STAGES

    if stage not in (*STAGES, "run"):
        raise UsageError(f"there is no stage {stage!r}", where="xpshpc batch", try_=f"one of {', '.join(STAGES)}, run")
    profile = read_profile(on)
    run, _ = find_target(target, runs, None)
    place = [] if stage in _WITHOUT_PROFILE else ["--on", _absolute(on) or profile.name]
    command = [sys.executable, "-m", "xpshpc", stage, str(target), "--runs", str(runs), *place, *context.args]
    limits = profile.slurm.limits if profile.slurm is not None else Limits()
    return BatchJob.of_this_process(stage, run.path.absolute(), limits, os.environ).attend(command)


def _on_slurm(call: Call, on: str) -> Call:
    from dataclasses import replace

    from xpshpc.run_directory import RunDirectory

    if call.profile.kind != "slurm":
        what = (
            "no profile recognises this place" if on == "auto" else f"profile {call.profile.name} is no SLURM cluster"
        )
        raise UsageError(what, where="--on", try_="--on PROFILE with kind = 'slurm'; xpshpc run works on this machine")
    return replace(call, run=RunDirectory(call.run.path.absolute()))


def _plan(call: Call, on: str, named: tuple[Stage, ...], slurm: Slurm, dry_run: bool) -> Chain:
    from xpshpc.cluster.submission.chain import Wish, plan_chain

    where = call.run, call.profile, _name_of(on, call), sys.executable
    wish = Wish(*where, named, call.workers, call.ranks, _trials_at_a_time(call))
    return plan_chain(wish, _jobs_left(call, slurm, dry_run))


def _trials_at_a_time(call: Call) -> int:
    asked = call.job_file.job.search
    return 1 if asked is None else asked.parallel


def _jobs_left(call: Call, slurm: Slurm, dry_run: bool) -> int | None:
    """How many jobs more the site lets us have, besides those of other runs; a dry run without SLURM does not know."""
    from xpshpc.cluster.submission.record import read_submission

    site = call.profile.site
    try:
        most = site.limits.max_jobs or slurm.limits(account=site.account, qos=site.qos).max_submit_jobs
        if most is None:
            return None
        queued = [job for job in slurm.jobs() if job.active]
    except EnvironmentFault:
        if dry_run:
            return site.limits.max_jobs
        raise
    before = read_submission(call.run.path)
    replaced = [] if before is None else before.own(queued)
    return max(0, most - (len(queued) - len(replaced)))


def _describe(call: Call, chain: Chain) -> dict[str, Any]:
    return {
        "run": str(call.run.path),
        "profile": call.profile.name,
        "demands": [demand.as_json() for demand in chain.demands],
        "cpu_hours": round(chain.cpu_hours, 3),
        "gpu_hours": round(chain.gpu_hours, 3),
        "merged": chain.merged,
        "scripts": {job.name: job.text for job in chain.jobs},
    }


def _check_free(call: Call, slurm: Slurm, steal: bool) -> None:
    """Raises UsageError where a coordinator works on the run, or its jobs are queued and shall not be cancelled."""
    from xpshpc.cluster.submission.submit import refuse_second
    from xpshpc.store.lease import read_owner

    if not steal:
        refuse_second(call.run.path, slurm)
    owner = read_owner(call.run)
    if owner is not None and owner[1]:
        raise UsageError(
            f"this run is being worked on by {owner[0]}",
            where=str(call.run.path),
            try_=f"xpshpc status {call.run.path}; stop that process first, its lease then ends",
        )


def _ask(as_json: bool) -> None:
    if as_json or not sys.stdin.isatty():
        raise UsageError("submitting needs a yes, and there is no terminal to ask at", where="--yes", try_="--yes")
    typer.confirm("Submit?", abort=True)


def _check_site(call: Call, chain: Chain, as_json: bool) -> None:
    from xpshpc.cluster.readiness.preflight import require_ready

    stages = tuple(stage for job in chain.jobs for stage in job.stages)
    checks = require_ready(
        call.profile,
        call.run.path,
        stages,
        workers=call.workers,
        ranks=call.ranks,
        parallel=_trials_at_a_time(call),
    )
    if not as_json:
        show_ready(console(), checks)


def _submit(call: Call, chain: Chain, profile: str, questions: Slurm, steal: bool) -> Submission:
    from xpshpc.cluster.slurm.client import Slurm
    from xpshpc.cluster.submission.submit import cancel_queued, submit_chain
    from xpshpc.run_directory import save_job

    if steal:
        cancel_queued(call.run.path, questions)
    _check_free(call, questions, steal=False)
    save_job(call.run, call.job_file)
    return submit_chain(call.run, chain, profile, Slurm(patience_s=call.profile.site.limits.query_patience_s))


def _name_of(on: str, call: Call) -> str:
    """By what the jobs find the profile, wherever they start."""
    return _absolute(on) or call.profile.name


def _absolute(on: str) -> str | None:
    return str(Path(on).absolute()) if "/" in on or on.endswith(".toml") else None
