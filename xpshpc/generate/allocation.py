"""The data set made inside one SLURM allocation: its ranks started, followed and answered for from outside."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from xpshpc.cluster.profile import Profile
from xpshpc.cluster.site import megabytes
from xpshpc.cluster.slurm.client import own_job
from xpshpc.cluster.workers.certificates import fresh_certificates
from xpshpc.config import JobFile
from xpshpc.errors import Drained, EnvironmentFault, UsageError, VerificationError, XpshpcError
from xpshpc.events import Event, Listener, StageFinished, StageProgressed, StageStarted
from xpshpc.follow import Follower
from xpshpc.generate import events as own_events
from xpshpc.generate.events import ShardCommitted
from xpshpc.generate.result import GenerateResult
from xpshpc.generate.stop import StopSignals
from xpshpc.run_directory import RunDirectory, save_job, write_atomically
from xpshpc.store.identity import check_owner

STAGE = "generate"
POLL_S = 0.2
TAIL_LINES = 12
KINDS: tuple[type[Event], ...] = (StageStarted, *(getattr(own_events, name) for name in own_events.__all__))


@dataclass(frozen=True)
class Call:
    """What the ranks are to do."""

    run: str
    workers: int
    profile: Profile


def is_allocation(profile: Profile) -> bool:
    """Whether the profile wants one allocation with all workers."""
    return profile.slurm is not None and profile.slurm.generate.mode == "allocation"


def result_file(folder: Path) -> Path:
    return folder / "result.json"


def error_file(folder: Path) -> Path:
    return folder / "error.json"


def read_call(folder: Path) -> Call:
    fields = json.loads((folder / "call.json").read_bytes())
    return Call(fields["run"], fields["workers"], Profile.model_validate(fields["profile"]))


def generate_in_allocation(
    job_file: JobFile, run: RunDirectory, *, workers: int, profile: Profile, listener: Listener
) -> GenerateResult:
    """Makes the data set with the ranks of one srun: inside the job we are in, else in an allocation srun asks for.

    Raises what the coordinator's rank raised, UsageError with SLURM's words if there is no such allocation, and
    EnvironmentFault if the coordinator's rank died.
    """
    check_owner(run, job_file)
    run.path.mkdir(parents=True, exist_ok=True)
    save_job(run, job_file)
    log = run.logs / "allocation.log"
    log.parent.mkdir(exist_ok=True)
    with StopSignals() as stop, _call_folder(run, Call(str(run.path.absolute()), workers, profile)) as folder:
        command = [*srun_command(profile, workers, own_job()), "bash", str(folder / "rank.sh"), str(folder)]
        start = log.stat().st_size if log.exists() else 0
        follower = _Progress(run, listener)
        with _ranks(command, log) as ranks:
            while ranks.poll() is None:
                time.sleep(POLL_S)
                follower.pass_on()
                if stop.requests and ranks.stdin is not None:
                    ranks.stdin.close()
                    ranks.stdin = None
        follower.pass_on()
        result = _answer(folder, ranks.returncode, log, start)
    listener(StageFinished(STAGE, result.wall_s))
    return result


def srun_command(profile: Profile, workers: int, job_id: str | None) -> list[str]:
    """srun for a scheduler, a coordinator and so many workers, inside the job that we are in or with its own."""
    site, generate = profile.site, profile.site.generate
    command = ["srun", "--wait=0", "--kill-on-bad-exit=0", "--input=1", "--unbuffered", f"--ntasks={workers + 2}"]
    if job_id is not None:
        return [*command, "--overcommit", "--mem=0"]
    wishes = {
        "partition": generate.partition or site.partition,
        "account": site.account,
        "qos": generate.qos or site.qos,
        "constraint": generate.constraint or site.constraint,
        "reservation": site.reservation,
        "time": generate.time,
        "cpus-per-task": generate.cpus_per_worker,
        "mem-per-cpu": f"{-(-megabytes(generate.memory_per_worker) // generate.cpus_per_worker)}M",
        "job-name": "xpshpc-generate",
    }
    return [*command, *(f"--{name}={wish}" for name, wish in wishes.items() if wish is not None), *site.options]


class _Progress:
    """Passes on what the coordinator's rank writes into the run's events from now on."""

    def __init__(self, run: RunDirectory, listener: Listener) -> None:
        self._listener = listener
        self._done = 0
        start = run.events.stat().st_size if run.events.exists() else 0
        self._follower = Follower(run.events, KINDS, self._pass_on, start=start)

    def pass_on(self) -> None:
        self._follower.pass_on()

    def _pass_on(self, event: Event) -> None:
        self._listener(event)
        if isinstance(event, StageStarted):
            self._done = event.done
        elif isinstance(event, ShardCommitted):
            self._done += event.samples + event.quarantined
            self._listener(StageProgressed(STAGE, self._done))


@contextlib.contextmanager
def _call_folder(run: RunDirectory, call: Call) -> Iterator[Path]:
    """A private folder that tells the ranks what to do, for the time of a call."""
    from xpshpc.cluster.workers.allocation import CERTIFICATES
    from xpshpc.cluster.workers.script import prologue

    folder = run.slurm.absolute() / f"allocation-{os.getpid()}-{time.time_ns():x}"
    folder.parent.mkdir(exist_ok=True)
    folder.mkdir(mode=0o700)
    try:
        with fresh_certificates(folder / CERTIFICATES):
            fields = {**asdict(call), "profile": call.profile.model_dump(mode="json")}
            write_atomically(folder / "call.json", json.dumps(fields).encode())
            site = call.profile.site
            python = shlex.quote(site.python or sys.executable)
            lines = ["#!/bin/bash", *prologue(site), f'exec {python} -m xpshpc.generate.allocation_rank "$1"']
            write_atomically(folder / "rank.sh", "\n".join([*lines, ""]).encode())
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _ranks(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """srun, tethered to this process. The ranks' input ends with this process or at the end of the block."""
    tether = [sys.executable, "-m", "xpshpc.cluster.tether", str(os.getpid())]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*tether, *command], stdin=subprocess.PIPE, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield process
    finally:
        if process.stdin is not None:
            process.stdin.close()
        if process.poll() is None:
            process.terminate()
        process.wait()


def _answer(folder: Path, code: int, log: Path, start: int) -> GenerateResult:
    if result_file(folder).exists():
        return GenerateResult(**json.loads(result_file(folder).read_bytes()))
    if error_file(folder).exists():
        raise _as_raised(json.loads(error_file(folder).read_bytes()))
    with log.open("rb") as file:
        file.seek(start)
        lines = file.read().decode(errors="replace").splitlines()
    refused = [line for line in lines if "Unable to allocate resources" in line]
    if refused:
        raise UsageError(refused[-1], where="srun", try_="sinfo, or change the profile")
    tail = "\n".join(lines[-TAIL_LINES:])
    raise EnvironmentFault(
        f"the coordinator's rank died (srun left with {code}); the end of the log:\n{tail}",
        where=str(log),
        try_="the same command again",
    )


def _as_raised(told: Mapping[str, Any]) -> XpshpcError:
    kinds: tuple[type[XpshpcError], ...] = (UsageError, VerificationError, EnvironmentFault, Drained)
    kind = next((kind for kind in kinds if kind.exit_code == told["exit_code"]), XpshpcError)
    return kind(told["error"], where=told["where"], try_=told["try"])
