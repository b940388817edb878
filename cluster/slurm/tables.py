"""SLURM's tables of jobs, partitions and limits, read by pure functions."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from xpshpc.cluster.site import seconds

COLUMN = "\x1f"
"""Ends each field of squeue and sinfo: no name or comment holds it."""

JOB_FIELDS = (
    "JobArrayID",
    "Name",
    "State",
    "Reason",
    "NodeList",
    "exit_code",
    "SubmitTime",
    "StartTime",
    "EndTime",
    "TimeLeft",
    "RestartCnt",
    "Comment",
)
PARTITION_FIELDS = ("Partition", "Available", "Time", "Nodes", "CPUs", "Memory", "Gres")
ACCOUNTED_FIELDS = "JobID,JobName,State,Reason,NodeList,ExitCode,Submit,Start,End,Comment"

_WAITING = frozenset({"PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD"})
_OVER = frozenset(
    {
        "BOOT_FAIL",
        "CANCELLED",
        "COMPLETED",
        "DEADLINE",
        "FAILED",
        "NODE_FAIL",
        "OUT_OF_MEMORY",
        "PREEMPTED",
        "REVOKED",
        "TIMEOUT",
    }
)


@dataclass(frozen=True)
class JobState:
    """A job, or one task of an array ("123_4"), as SLURM tells of it; times are seconds since the epoch."""

    job_id: str
    name: str
    state: str
    reason: str = ""
    nodes: str = ""
    exit_code: int | None = None
    submitted: float | None = None
    started: float | None = None
    ended: float | None = None
    time_left_s: float | None = None
    restarts: int = 0
    comment: str = ""

    @property
    def waiting(self) -> bool:
        return self.state in _WAITING

    @property
    def over(self) -> bool:
        return self.state in _OVER

    @property
    def active(self) -> bool:
        """In the queue, on nodes, or between the two."""
        return not self.over

    @property
    def whole_id(self) -> str:
        """The job's own number, or that of the array it belongs to."""
        return self.job_id.partition("_")[0]


@dataclass(frozen=True)
class Partition:
    """A queue of the site; `max_time_s` is None where it has no limit, `gres` is as SLURM writes it."""

    name: str
    state: str
    default: bool
    max_time_s: int | None
    nodes: int
    cpus_per_node: int
    memory_mb: int
    gres: str


@dataclass(frozen=True)
class SlurmLimits:
    """What the site allows: array indices stay below `max_array`; None where SLURM tells no number of jobs."""

    max_array: int
    max_submit_jobs: int | None
    cluster_name: str


def queue_format(fields: tuple[str, ...]) -> str:
    """The --Format of squeue and sinfo for these fields, of any width."""
    return ",".join(f"{field}:{COLUMN}" for field in fields)


def read_queue(output: str) -> list[JobState]:
    """Jobs from squeue's output, with JOB_FIELDS as its format."""
    jobs = []
    for row in _rows(output, len(JOB_FIELDS)):
        job_id, name, state, reason, nodes, code, submitted, started, ended, left, restarts, comment = row
        job = JobState(
            job_id,
            name,
            _first_word(state),
            "" if reason == "None" else reason,
            nodes,
            None,
            _instant(submitted),
            _instant(started),
            None,
            _duration(left),
            int(restarts) if restarts.isdecimal() else 0,
            "" if comment == "(null)" else comment,
        )
        jobs.append(_ended(job, ended, _exit_code(code)) if job.over else job)
    return jobs


def read_accounts(output: str) -> list[JobState]:
    """Jobs from the output of sacct --parsable2 with ACCOUNTED_FIELDS; a comment may hold the separator."""
    jobs = []
    for line in output.splitlines():
        parts = line.split("|", 9)
        if len(parts) != 10:
            continue
        job_id, name, state, reason, nodes, code, submitted, started, ended, comment = parts
        job = JobState(
            job_id,
            name,
            _first_word(state),
            "" if reason == "None" else reason,
            "" if nodes == "None assigned" else nodes,
            None,
            _instant(submitted),
            _instant(started),
            comment=comment,
        )
        jobs.append(_ended(job, ended, _accounted_code(code)) if job.over else job)
    return jobs


def read_partitions(output: str) -> list[Partition]:
    """Partitions from sinfo's output, with PARTITION_FIELDS as its format; unequal nodes count as the largest."""
    found: dict[str, Partition] = {}
    for name, state, time, nodes, cpus, memory, gres in _rows(output, len(PARTITION_FIELDS)):
        plain = name.removesuffix("*")
        limit = _duration(time)
        row = Partition(
            plain,
            state,
            name.endswith("*"),
            None if limit is None else int(limit),
            _number(nodes),
            _number(cpus),
            _number(memory),
            "" if gres == "(null)" else gres,
        )
        found[plain] = _joined(found[plain], row) if plain in found else row
    return list(found.values())


def read_limits(configuration: str, submit_limits: str) -> SlurmLimits:
    """Limits from `scontrol show config` and from sacctmgr's columns of numbers (empty where nothing is accounted)."""
    values = dict(re.findall(r"^(\w+)\s*= (.*?)\s*$", configuration, re.MULTILINE))
    numbers = [int(word) for word in re.split(r"[|\s]+", submit_limits) if word.isdecimal()]
    return SlurmLimits(
        int(values.get("MaxArraySize", "1001")), min(numbers, default=None), values.get("ClusterName", "")
    )


def split_array(count: int, max_array: int, room: int | None = None) -> list[range]:
    """Consecutive pieces of range(count), none longer than `max_array`, all together no longer than `room`.

    A piece is one job array with the indices 0, 1, …, since an index stays below MaxArraySize; where the piece begins
    is told to its tasks as an argument. What has no room now is left for later.
    """
    total = count if room is None else min(count, max(room, 0))
    return [range(first, min(first + max_array, total)) for first in range(0, total, max_array)]


def _rows(output: str, columns: int) -> Iterator[list[str]]:
    for line in output.split("\n"):
        parts = line.split(COLUMN)
        if len(parts) == columns + 1:
            yield [part.strip() for part in parts[:columns]]


def _first_word(state: str) -> str:
    return state.split(" ", 1)[0].rstrip("+")


def _ended(job: JobState, ended: str, exit_code: int | None) -> JobState:
    """Of a job that is not over, SLURM's end is the time limit's and its exit code nobody's."""
    return replace(job, ended=_instant(ended), exit_code=exit_code, time_left_s=None)


def _exit_code(status: str) -> int | None:
    """squeue shows what wait() gave; -N stands for signal N, as in Python's subprocess."""
    return os.waitstatus_to_exitcode(int(status)) if status.isdecimal() else None


def _accounted_code(text: str) -> int | None:
    """sacct shows code:signal."""
    match = re.fullmatch(r"(\d+):(\d+)", text)
    return None if match is None else int(match[1]) or -int(match[2])


def _instant(text: str) -> float | None:
    return float(text) if text.isdecimal() and int(text) > 0 else None


def _duration(text: str) -> float | None:
    try:
        return float(seconds(text))
    except ValueError:
        return None


def _number(text: str) -> int:
    digits = re.match(r"\d+", text)
    return int(digits[0]) if digits else 0


def _joined(one: Partition, other: Partition) -> Partition:
    return replace(
        one,
        nodes=one.nodes + other.nodes,
        cpus_per_node=max(one.cpus_per_node, other.cpus_per_node),
        memory_mb=max(one.memory_mb, other.memory_mb),
        gres=",".join(dict.fromkeys(gres for gres in (one.gres, other.gres) if gres)),
    )
