"""srun for a gang of ranks: its command, its environment, and what its words mean."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from xpshpc.cluster.ranks.launchers import GLOO_TIMEOUT_S
from xpshpc.cluster.ranks.step import Step
from xpshpc.cluster.slurm.words import Verdict, judge

_KEPT = ("SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_JOBID", "SLURM_CLUSTER_NAME", "SLURM_WORKING_CLUSTER")
_TASK_END = re.compile(r"srun: error: (\S+): tasks? ([\d,-]+): (?:Exited with exit code (\d+)|([A-Z][\w /]*))")
_AFTERMATH = re.compile(r"Terminating StepId|forcing job termination|\*\*\* (?:STEP|JOB) .* CANCELLED")
_FATE = re.compile(
    r"DUE TO ([A-Z][A-Z ]+?)(?: \*\*\*|$)|(Node failure on \S+)|(oom-kill|Out Of Memory|exceeded memory limit)",
    re.MULTILINE,
)
_BUSY = re.compile(r"nodes are busy|temporarily disabled|already completing|step creation", re.IGNORECASE)
_ADRIFT = re.compile(r"Unable to confirm allocation|Job is pending execution|Expired or invalid job", re.IGNORECASE)
_SIGNALS = {signal.strsignal(number): number for number in signal.valid_signals()}


def step_environment(inherited: Mapping[str, str], *, inside: bool) -> dict[str, str]:
    """The environment for srun: of SLURM's variables, only which cluster and, inside a job, which job.

    The rest would be taken as options, and some of them exclude each other.
    """
    return {
        name: value
        for name, value in inherited.items()
        if not name.startswith(("SLURM_", "SRUN_", "SBATCH_", "SALLOC_"))
        or name in _KEPT
        or name == "SLURM_RESTART_COUNT"
        or (inside and name.startswith("SLURM_JOB_"))
    }


def srun_command(
    step: Step,
    ranks: int,
    *,
    mpi: Literal["none", "pmix"],
    inside: bool,
    job_name: str,
    command: Sequence[str],
    outlive: bool = False,
) -> list[str]:
    """srun for a gang: a step of the job this process is in, or an allocation of its own.

    `outlive`: ranks, and the nodes they are on, go on when others fail.
    """
    words = ["srun", f"--nodes={step.nodes}", f"--ntasks={ranks}", f"--cpus-per-task={step.cpus_per_rank}"]
    if ranks == step.nodes * step.ranks_per_node:
        words.append(f"--ntasks-per-node={step.ranks_per_node}")
    if step.gres:
        words.append(f"--gres={step.gres}")
    words += [f"--mpi={mpi}", f"--job-name={job_name}", "--distribution=block", "--input=none"]
    # One rank's failure ends all, unless they are to outlive it; one that is done early is always waited with.
    words += [f"--kill-on-bad-exit={int(not outlive)}", "--wait=0"]
    if outlive:
        words.append("--no-kill")
    if inside and step.beside_others:
        return [*words, "--exact", f"--mem={step.memory_per_node_mb}M", *command]
    if inside:
        # Beside whatever else runs in the job, with all the memory the job has.
        return [*words, "--overlap", "--mem=0", *command]
    words.append(f"--mem={step.memory_per_node_mb}M")
    queue = ("partition", "account", "qos", "constraint", "reservation", "time")
    words += [f"--{name}={value}" for name in queue if (value := getattr(step, name)) is not None]
    return [*words, *step.options, *command]


def fitting_job(step: Step, ranks: int) -> str:
    """What a job that is too small for its gang would have to ask for."""
    cpus = step.ranks_per_node * step.cpus_per_rank
    return f"a job with --nodes={step.nodes} --cpus-per-task={cpus} for {ranks} ranks; xpshpc submit asks for that"


def gloo_meeting(address: str, port: int, interface: str | None) -> dict[str, str]:
    """Where the ranks of a Gloo gang find each other; which of them each one is, it finds in its task's variables."""
    place = {
        "HOROVOD_CONTROLLER": "gloo",
        "HOROVOD_CPU_OPERATIONS": "gloo",
        "HOROVOD_GLOO_RENDEZVOUS_ADDR": address,
        "HOROVOD_GLOO_RENDEZVOUS_PORT": str(port),
        "HOROVOD_GLOO_TIMEOUT_SECONDS": str(GLOO_TIMEOUT_S),
    }
    return place if interface is None else {**place, "HOROVOD_GLOO_IFACE": interface}


def read_srun_exit(said: str, ranks: int) -> dict[int, int]:
    """Exit codes (negative: signals) of the ranks whose end came before srun began to end the others."""
    aftermath = _AFTERMATH.search(said)
    codes: dict[int, int] = {}
    for _, tasks, left, how in _TASK_END.findall(said[: aftermath.start()] if aftermath else said):
        number = int(left) if left else -_SIGNALS.get(how.split(" (")[0].strip(), signal.SIGKILL)
        codes |= dict.fromkeys((rank for rank in _numbers(tasks) if rank < ranks), number)
    return codes


def read_fate(said: str) -> str | None:
    """What SLURM did to the step, in its own words: a time limit, a preemption, a node's failure; None for nothing."""
    match = _FATE.search(said)
    if match is None:
        return None
    return match[1].strip().lower() if match[1] else (match[2] or "out of memory")


def judge_launch(code: int, said: str) -> Verdict:
    """What to make of an srun that ended before any rank had begun.

    GONE: SLURM knows nothing of the job that srun was to be a step of, as after a controller that lost its memory.
    """
    if code and _ADRIFT.search(said):
        return Verdict.GONE
    return Verdict.AGAIN if code and _BUSY.search(said) else judge(code, said)


def _numbers(text: str) -> Iterator[int]:
    """The numbers of "0-2,5"."""
    for part in text.split(","):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)
