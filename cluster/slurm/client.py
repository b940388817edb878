"""The one place that speaks to SLURM: jobs submitted, looked at, changed and ended; what the site has and allows."""

from __future__ import annotations

import os
import pwd
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from xpshpc.cluster.slurm.commands import Commands, Patience, SlurmRefused, SlurmUnreachable, refusal, words_of
from xpshpc.cluster.slurm.tables import (
    ACCOUNTED_FIELDS,
    JOB_FIELDS,
    PARTITION_FIELDS,
    JobState,
    Partition,
    SlurmLimits,
    queue_format,
    read_accounts,
    read_limits,
    read_partitions,
    read_queue,
    split_array,
)
from xpshpc.cluster.slurm.words import Verdict, lacks_accounting, read_submitted

__all__ = [
    "JobState",
    "Partition",
    "Slurm",
    "SlurmLimits",
    "SlurmRefused",
    "SlurmUnreachable",
    "own_job",
    "restarts",
    "split_array",
]

_ANSWER_S = 60.0
_SHORTEST_ANSWER_S = 5.0
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 20.0
_IDS_AT_ONCE = 200
_KEPT_VARIABLES = ("SLURM_CONF", "SLURM_CONF_SERVER")


def own_job(environment: Mapping[str, str] = os.environ) -> str | None:
    """The job this process runs in ("123", or "123_4" in an array); None outside SLURM."""
    array, task = environment.get("SLURM_ARRAY_JOB_ID"), environment.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else environment.get("SLURM_JOB_ID") or None


def restarts(environment: Mapping[str, str] = os.environ) -> int:
    """How often this process's job has been put back into the queue."""
    text = environment.get("SLURM_RESTART_COUNT", "")
    return int(text) if text.isdecimal() else 0


class Slurm:
    """SLURM's commands. Failures that pass are waited out for `patience_s` seconds, then SlurmUnreachable is raised.

    `environment` is added to this process's own, of which the SLURM_* and SBATCH_* variables are left out: a job asked
    for from within another one is otherwise shaped by it.
    """

    def __init__(
        self,
        *,
        patience_s: float = 300.0,
        environment: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._commands = Commands(patience_s, environment or {}, clock, sleep)
        self._accounting = True

    def submit(
        self,
        script: Path,
        arguments: Sequence[str] = (),
        *,
        options: Sequence[str] = (),
        array: range | None = None,
        token: str | None = None,
    ) -> str:
        """Submits a batch script and returns the job's number.

        `token` becomes the job's comment; it is looked for in the queue before anything is submitted a second time, so
        that a lost answer makes no second job, and neither does a call with a token that was used before. Raises
        SlurmRefused, SlurmUnreachable.
        """
        mark = token or f"xpshpc:{uuid.uuid4().hex}"
        command = ["sbatch", "--parsable", f"--comment={mark}", *_array_option(array), *options, str(script)]
        doubtful = token is not None
        patience = self._commands.patience()
        while True:
            if doubtful and (found := self._marked(mark, patience)):
                return found[0]
            answer, verdict = self._commands.run([*command, *arguments])
            job_id = read_submitted(answer.output)
            if verdict is Verdict.DONE and job_id is not None:
                return self._only_one(mark, job_id, patience) if doubtful else job_id
            if verdict in (Verdict.REFUSED, Verdict.GONE, Verdict.MISSING):
                raise refusal(answer, verdict, str(script))
            doubtful = True
            patience.wait(answer)

    def jobs(self, job_ids: Iterable[str] | None = None, *, name: str | None = None) -> list[JobState]:
        """Our jobs, or these ones, with those that ended lately; tasks of an array one by one.

        Ids that SLURM does not know are left out. Raises SlurmRefused, SlurmUnreachable.
        """
        return self._jobs(job_ids, name, self._commands.patience())

    def cancel(self, job_ids: Iterable[str], *, signal: str | None = None) -> None:
        """Cancels jobs, or sends them a signal by its name; unknown and ended ids are no error.

        KILL reaches all that a job has started, any other signal its batch script alone, as before a time limit.
        """
        ids = sorted(set(job_ids))
        how = ["--full" if signal == "KILL" else "--batch", f"--signal={signal}"] if signal else []
        for first in range(0, len(ids), _IDS_AT_ONCE):
            self._commands.ask(["scancel", "--quiet", *how, *ids[first : first + _IDS_AT_ONCE]], gone=True)

    def requeue(self, job_id: str) -> None:
        """Puts a job back into the queue."""
        self._commands.ask(["scontrol", "requeue", job_id])

    def update(self, job_id: str, **fields: str) -> None:
        """Changes fields of a job by their SLURM names, e.g. StartTime="now+60"."""
        settings = [f"{key}={value}" for key, value in fields.items()]
        self._commands.ask(["scontrol", "update", f"JobId={job_id}", *settings])

    def test(self, script: Path, arguments: Sequence[str] = (), options: Sequence[str] = ()) -> None:
        """Asks SLURM whether it would take this job, and submits nothing. Raises SlurmRefused with SLURM's words."""
        self._commands.ask(["sbatch", "--test-only", *options, str(script), *arguments], where=str(script))

    def partitions(self) -> list[Partition]:
        """The partitions of the site."""
        answer = self._commands.ask(["sinfo", "--noheader", f"--Format={queue_format(PARTITION_FIELDS)}"])
        return read_partitions(answer.output)

    def limits(self, *, account: str | None = None, qos: str | None = None) -> SlurmLimits:
        """What the site allows this user, for an account and a QOS where they are named."""
        configuration = self._commands.ask(["scontrol", "show", "config"]).output
        return read_limits(configuration, self._submit_limits(account, qos) if self._accounting else "")

    def expand(self, nodes: str) -> list[str]:
        """The single names in SLURM's way of writing many, such as node[1-4]."""
        return self._commands.ask(["scontrol", "show", "hostnames", nodes]).output.split() if nodes else []

    def end_of(self, job_id: str) -> float | None:
        """When a running job's time is up, in seconds since the epoch; None if it has no limit or does not run."""
        answer = self._commands.ask(["squeue", "--noheader", f"--jobs={job_id}", "--states=RUNNING", "--format=%e"])
        words = answer.output.split()
        return float(words[0]) if words and words[0].isdecimal() else None

    def _jobs(self, job_ids: Iterable[str] | None, name: str | None, patience: Patience) -> list[JobState]:
        what = ["squeue", "--noheader", "--states=all", "--array", f"--Format={queue_format(JOB_FIELDS)}"]
        if name is not None:
            what.append(f"--name={name}")
        if job_ids is None:
            return read_queue(self._commands.ask([*what, f"--user={_user()}"], patience=patience).output)
        ids = list(dict.fromkeys(job_ids))
        found: list[JobState] = []
        for first in range(0, len(ids), _IDS_AT_ONCE):
            some = ",".join(ids[first : first + _IDS_AT_ONCE])
            answer = self._commands.ask([*what, f"--jobs={some}"], patience=patience, gone=True)
            found += read_queue(answer.output) if answer.ok else []
        known = {job.job_id for job in found} | {job.whole_id for job in found}
        forgotten = [job_id for job_id in ids if job_id not in known]
        return found + self._accounted(forgotten, name, patience)

    def _accounted(self, job_ids: Sequence[str], name: str | None, patience: Patience) -> list[JobState]:
        if not job_ids or not self._accounting:
            return []
        command = ["sacct", "--noheader", "--allocations", "--parsable2", f"--format={ACCOUNTED_FIELDS}"]
        answer = self._optional([*command, f"--jobs={','.join(job_ids)}"], patience)
        return [job for job in read_accounts(answer) if name is None or job.name == name]

    def _submit_limits(self, account: str | None, qos: str | None) -> str:
        patience = self._commands.patience()
        user = ["sacctmgr", "--noheader", "--parsable2", "show", "assoc", "where", f"user={_user()}"]
        words = self._optional(
            [*user, *([f"account={account}"] if account else []), "format=MaxSubmitJobs,GrpSubmitJobs"], patience
        )
        if qos and self._accounting:
            service = ["sacctmgr", "--noheader", "--parsable2", "show", "qos", qos]
            words += self._optional([*service, "format=MaxSubmitJobsPerUser,GrpSubmitJobs"], patience)
        return words

    def _optional(self, command: Sequence[str], patience: Patience) -> str:
        """What an accounting command says; nothing, now and ever after, where SLURM keeps no accounts."""
        while True:
            answer, verdict = self._commands.run(command)
            if verdict is Verdict.DONE:
                return answer.output
            if lacks_accounting(words_of(answer)) or verdict is not Verdict.AGAIN:
                self._accounting = False
                return ""
            patience.wait(answer)

    def _marked(self, mark: str, patience: Patience) -> list[str]:
        """Jobs that bear this mark, the first one first; one that sbatch refused while it was made does not count."""
        jobs = [job for job in self._jobs(None, None, patience) if job.comment == mark]
        made = {job.whole_id for job in jobs if not (job.state == "FAILED" and job.started is None)}
        return sorted(made, key=int)

    def _only_one(self, mark: str, job_id: str, patience: Patience) -> str:
        """Keeps the first of the jobs with this mark: an answer lost long ago may have made one after all."""
        first, *doubles = self._marked(mark, patience) or [job_id]
        if doubles:
            self.cancel(doubles)
        return first


def _array_option(array: range | None) -> list[str]:
    if array is None:
        return []
    if not array:
        raise ValueError("an array without tasks")
    step = f":{array.step}" if array.step != 1 else ""
    return [f"--array={array[0]}-{array[-1]}{step}"]


def _user() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name
