"""What of a run has been submitted to SLURM: RUN/slurm/submission.json, written before and after each sbatch."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from xpshpc.cluster.slurm.client import JobState
from xpshpc.errors import EnvironmentFault
from xpshpc.run_directory import RunDirectory, write_atomically


@dataclass(frozen=True)
class SubmittedJob:
    """A stage's job; `job_id` is None from the moment before sbatch until its answer is recorded."""

    stage: str
    job_id: str | None
    script: str
    depends_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class Submission:
    """Who submitted a run, from where, when (seconds since the epoch), on which profile, and its jobs in order.

    `token` begins the comment of each job: by it a job is found whose number was never recorded.
    """

    user: str
    host: str
    submitted: float
    profile: str
    cluster: str
    token: str
    jobs: tuple[SubmittedJob, ...] = ()

    def mark(self, stage: str) -> str:
        """The comment of a stage's job."""
        return f"xpshpc:{self.token}:{stage}"

    def with_job(self, job: SubmittedJob) -> Submission:
        """The same submission with this job, in place of the stage's job that was there."""
        known = [job if each.stage == job.stage else each for each in self.jobs]
        return replace(self, jobs=tuple(known if job in known else [*known, job]))

    @property
    def job_ids(self) -> tuple[str, ...]:
        return tuple(job.job_id for job in self.jobs if job.job_id is not None)

    def stages_of(self, jobs: Iterable[JobState]) -> dict[str, str]:
        """The stage of each of some jobs of this submission, by the job's number."""
        known = {job.job_id: job.stage for job in self.jobs}
        return {job.whole_id: known.get(job.whole_id) or job.comment.rpartition(":")[2] for job in jobs}

    def own(self, jobs: Iterable[JobState]) -> list[JobState]:
        """Those of some jobs that belong to this submission, by their number or by their comment."""
        prefix = self.mark("")
        return [job for job in jobs if job.whole_id in self.job_ids or job.comment.startswith(prefix)]


def submission_path(run: Path) -> Path:
    """Where the submission of the run in this folder is recorded."""
    return RunDirectory(run).slurm / "submission.json"


def write_submission(run: Path, submission: Submission) -> None:
    """Records a submission."""
    write_atomically(submission_path(run), json.dumps(asdict(submission), indent=1).encode() + b"\n")


def read_submission(run: Path) -> Submission | None:
    """The last submission of a run; None if it never was submitted. Raises EnvironmentFault at a foreign file."""
    path = submission_path(run)
    try:
        tables = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        raise _foreign(path) from None
    try:
        jobs = [SubmittedJob(**{**job, "depends_on": tuple(job["depends_on"])}) for job in tables.pop("jobs")]
        return Submission(**tables, jobs=tuple(jobs))
    except (TypeError, KeyError, AttributeError):
        raise _foreign(path) from None


def _foreign(path: Path) -> EnvironmentFault:
    return EnvironmentFault("this is no record of a submission", where=str(path), try_=f"look at it, then rm {path}")
