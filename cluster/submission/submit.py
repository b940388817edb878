"""A chain of jobs handed to SLURM, recorded before and after each, and taken back whole if one of them is refused."""

from __future__ import annotations

import getpass
import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from xpshpc.cluster.slurm.client import JobState, Slurm, SlurmUnreachable
from xpshpc.cluster.submission.chain import PIPELINE, Chain
from xpshpc.cluster.submission.record import (
    Submission,
    SubmittedJob,
    read_submission,
    submission_path,
    write_submission,
)
from xpshpc.errors import UsageError, XpshpcError
from xpshpc.run_directory import RunDirectory, write_atomically

_READERS = {"search", "train", "evaluate"}
_MAKERS = {"generate", PIPELINE}
_ENDED_S = 60.0
_POLL_S = 0.5


def queued_jobs(run: Path, slurm: Slurm) -> tuple[Submission, list[JobState]] | None:
    """The last submission of a run and those of its jobs that still wait or run; None if there are none."""
    submission = read_submission(run)
    if submission is None:
        return None
    known = slurm.jobs(submission.job_ids) if submission.job_ids else []
    unrecorded = slurm.jobs() if any(job.job_id is None for job in submission.jobs) else []
    found = {job.job_id: job for job in submission.own([*known, *unrecorded]) if job.active}
    ordered = sorted(found.values(), key=lambda job: int(job.whole_id))
    return (submission, ordered) if found else None


def refuse_second(run: Path, slurm: Slurm) -> None:
    """Raises UsageError naming who submitted a run whose jobs are still queued or running."""
    found = queued_jobs(run, slurm)
    if found is None:
        return
    submission, jobs = found
    ids = ", ".join(f"{job.job_id} ({job.name}, {job.state})" for job in jobs)
    raise UsageError(
        f"this run was submitted by {submission.user} on {submission.host}, and its jobs are in the queue: {ids}",
        where=str(run),
        try_=f"xpshpc status {run}; --steal cancels these jobs and submits again",
    )


def refuse_awaited(run: Path, slurm: Slurm) -> None:
    """Raises UsageError where jobs of a run wait for all of its shards, and none that would make missing ones."""
    found = queued_jobs(run, slurm)
    stages = {} if found is None else found[0].stages_of(found[1])
    readers = {job_id: stage for job_id, stage in stages.items() if stage in _READERS}
    if readers and not _MAKERS & set(stages.values()):
        jobs = ", ".join(f"job {job_id} ({stage})" for job_id, stage in readers.items())
        raise UsageError(
            f"{jobs} in the queue would miss shards that are pending again, and no job makes them",
            where=str(run),
            try_=f"scancel {' '.join(readers)}; then this again, and xpshpc submit {run}",
        )


def cancel_queued(run: Path, slurm: Slurm, sleep: Callable[[float], None] = time.sleep) -> None:
    """Cancels the jobs of a run's last submission and waits until they have ended.

    Raises UsageError where they do not, or are another user's.
    """
    waited = 0.0
    while (found := queued_jobs(run, slurm)) is not None:
        submission, jobs = found
        if submission.user != getpass.getuser():
            raise UsageError(
                f"the jobs are those of {submission.user}, who alone can cancel them",
                where=str(run),
                try_=f"ask for: scancel {' '.join(job.whole_id for job in jobs)}",
            )
        if waited >= _ENDED_S:
            raise UsageError(
                f"the old jobs did not end within {_ENDED_S:.0f} s", where=str(run), try_="squeue --me, then again"
            )
        if waited == 0:
            slurm.cancel({job.whole_id for job in jobs})
        sleep(_POLL_S)
        waited += _POLL_S


def submit_chain(run: RunDirectory, chain: Chain, profile: str, slurm: Slurm) -> Submission:
    """Writes the scripts into the run and submits them, each to begin after the one before it.

    If one is refused, those before it are cancelled and nothing stays behind; the refusal is raised. If SLURM stops
    answering, what was submitted stays recorded, so that it is found later.
    """
    (run.logs / "slurm").mkdir(parents=True, exist_ok=True)
    scripts = [run.slurm / f"{job.name}.sbatch" for job in chain.jobs]
    submission = Submission(
        getpass.getuser(), socket.gethostname(), time.time(), profile, slurm.limits().cluster_name, uuid.uuid4().hex
    )
    try:
        for job, script in zip(chain.jobs, scripts, strict=True):
            write_atomically(script, job.text.encode())
            before = submission.jobs[-1:]
            depends_on = tuple(each.job_id for each in before if each.job_id is not None)
            waiting = SubmittedJob(job.name, None, str(script), depends_on)
            submission = submission.with_job(waiting)
            write_submission(run.path, submission)
            after = [f"--dependency=afterok:{':'.join(depends_on)}", "--kill-on-invalid-dep=yes"] if depends_on else []
            job_id = slurm.submit(script, options=after, token=submission.mark(job.name))
            submission = submission.with_job(replace(waiting, job_id=job_id))
            write_submission(run.path, submission)
    except SlurmUnreachable:
        raise
    except XpshpcError:
        slurm.cancel(submission.job_ids)
        for path in (submission_path(run.path), *scripts):
            path.unlink(missing_ok=True)
        raise
    return submission
