"""A short job that looks around on a stage's nodes, and tells what it saw through the run's own folder."""

from __future__ import annotations

import contextlib
import secrets
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from xpshpc.cluster.filesystem import nearest_existing
from xpshpc.cluster.profile import Profile
from xpshpc.cluster.readiness.node_report import NodeReport, read_report
from xpshpc.cluster.site import Site
from xpshpc.cluster.slurm.client import JobState, Slurm
from xpshpc.cluster.submission.request import Request
from xpshpc.errors import EnvironmentFault

PATH_UNSEEN, PYTHON_MISSING, NOT_WRITABLE, MODULE_MISSING = 71, 72, 73, 74
"""What the probe's exit codes mean, for the case that nothing else comes through."""

TIME_LIMIT_S = 120
MEMORY_MB = 512
CACHES_S = 30.0
"""Seconds for which a network file system may hide from here what a node has written."""

_PAUSE_S = 0.25

_ON_EACH_NODE = """\
[ -r "$1/token" ] || exit 71
: > "$1/words-$SLURM_PROCID" || exit 73
command -v "$2" > /dev/null || exit 72
exec "$2" -m xpshpc.cluster.readiness.node_report "$1/answer-$SLURM_PROCID" "$1/token" "$3" 2> "$1/words-$SLURM_PROCID"
"""


@dataclass(frozen=True)
class Probe:
    """One look at `request.nodes` nodes, for the stages that would run there."""

    stages: tuple[str, ...]
    request: Request

    @property
    def name(self) -> str:
        return ", ".join(self.stages)


@dataclass(frozen=True)
class Outcome:
    """What came of a probe: how its job stands (None: SLURM has forgotten it), the reports, and what went wrong."""

    job: JobState | None
    reports: tuple[NodeReport, ...]
    words: str

    @property
    def waits(self) -> bool:
        return self.job is not None and self.job.waiting


def probes_of(requests: Sequence[Request]) -> list[Probe]:
    """As few probes as look at every kind of node that is asked for: one CPU, one GPU if any, two nodes at most."""
    probes: dict[Request, Probe] = {}
    for request in requests:
        small = replace(
            request,
            what="probe",
            stage="report",
            nodes=1,
            cpus=1,
            memory_mb=min(request.memory_mb, MEMORY_MB),
            time_s=min(request.time_s, TIME_LIMIT_S),
            gpus=min(request.gpus, 1),
        )
        key = replace(small, memory_mb=0, time_s=0)
        nodes = min(request.nodes, 2)
        if key not in probes:
            probes[key] = Probe((request.stage,), replace(small, nodes=nodes))
            continue
        known = probes[key]
        stages = tuple(dict.fromkeys((*known.stages, request.stage)))
        probes[key] = Probe(stages, replace(known.request, nodes=max(known.request.nodes, nodes)))
    return list(probes.values())


def probe_script(site: Site, folder: Path, python: str, scratch: str) -> str:
    """The batch script of a probe: as a stage's own begins, then the same look on every node."""
    token, words = shlex.quote(str(folder / "token")), shlex.quote(str(folder / "words"))
    look = shlex.join(["bash", "-c", _ON_EACH_NODE, "probe", str(folder), python, scratch])
    lines = [
        "#!/bin/bash -l",
        f"[ -r {token} ] || exit {PATH_UNSEEN}",
        f": > {words} || exit {NOT_WRITABLE}",
        f"exec 2> {words}",
        *(f"module load {shlex.quote(module)} || exit {MODULE_MISSING}" for module in site.modules),
        *site.environment,
        f"exec srun --kill-on-bad-exit=0 --output=none --chdir=/ {look}",
    ]
    return "\n".join(lines) + "\n"


class Probing:
    """Probes that have been submitted, and the folder through which they tell."""

    def __init__(self, folder: Path, token: str, jobs: dict[Probe, tuple[str, Path]], slurm: Slurm) -> None:
        self.folder = folder
        self.token = token
        self._jobs = jobs
        self._slurm = slurm

    def wait(
        self,
        probe: Probe,
        until: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Outcome:
        """Waits for a probe's end, or until `clock` says so."""
        job_id, folder = self._jobs[probe]
        job = self._state(job_id)
        while job is not None and not job.over and clock() < until:
            sleep(_PAUSE_S)
            job = self._state(job_id)
        hidden_until = clock() + CACHES_S
        reports = _reports(folder, probe.request.nodes)
        while _succeeded(job) and len(reports) < probe.request.nodes and clock() < hidden_until:
            sleep(_PAUSE_S)
            reports = _reports(folder, probe.request.nodes)
        return Outcome(job, reports, _words(folder))

    def _state(self, job_id: str) -> JobState | None:
        return next(iter(self._slurm.jobs([job_id])), None)


@contextlib.contextmanager
def probing(profile: Profile, folder: Path, probes: Sequence[Probe], slurm: Slurm) -> Iterator[Probing]:
    """Submits probes for a run in `folder`, and takes every trace of them away afterwards, however it ends.

    Raises EnvironmentFault where nothing can be written there, SlurmRefused, SlurmUnreachable.
    """
    place = nearest_existing(folder)
    try:
        shared = Path(tempfile.mkdtemp(prefix=".xpshpc-preflight-", dir=place))
    except OSError as error:
        raise EnvironmentFault(
            f"cannot make a folder: {error.strerror}", where=str(place), try_="a folder that you may write to"
        ) from None
    token = secrets.token_hex(16)
    jobs: dict[Probe, tuple[str, Path]] = {}
    try:
        for number, probe in enumerate(probes):
            own = shared / str(number)
            own.mkdir()
            (own / "token").write_text(token)
            script = own / "probe.sbatch"
            script.write_text(probe_script(profile.site, own, python_of(profile), profile.scratch or ""))
            options = ["--job-name=xpshpc-preflight", "--output=/dev/null", "--chdir=/", "--no-requeue"]
            jobs[probe] = (slurm.submit(script, options=[*options, *probe.request.options()]), own)
        yield Probing(shared, token, jobs, slurm)
    finally:
        try:
            _end([job_id for job_id, _ in jobs.values()], slurm)
        finally:
            shutil.rmtree(shared, ignore_errors=True)


def python_of(profile: Profile) -> str:
    """The Python that jobs of a profile run."""
    return profile.site.python or sys.executable


def _end(job_ids: Sequence[str], slurm: Slurm) -> None:
    """Cancels what is not over, and waits a while, so that no job writes into the folder that goes."""
    if not job_ids or all(job.over for job in slurm.jobs(job_ids)):
        return
    slurm.cancel(job_ids)
    until = time.monotonic() + CACHES_S
    while any(job.active for job in slurm.jobs(job_ids)) and time.monotonic() < until:
        time.sleep(_PAUSE_S)


def _succeeded(job: JobState | None) -> bool:
    return job is None or (job.over and job.exit_code == 0)


def _reports(folder: Path, nodes: int) -> tuple[NodeReport, ...]:
    found = [read_report(folder / f"answer-{number}") for number in range(nodes)]
    return tuple(report for report in found if report is not None)


def _words(folder: Path) -> str:
    """The last line that each node complained with."""
    said = [file.read_text(errors="replace").strip().splitlines() for file in sorted(folder.glob("words*"))]
    return "; ".join(dict.fromkeys(lines[-1] for lines in said if lines))
