"""Is the site ready for a run? All is asked before anything is submitted: of SLURM, and of the nodes themselves."""

from __future__ import annotations

import contextlib
import math
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from xpshpc.cluster.profile import Profile
from xpshpc.cluster.readiness.check import Check, State
from xpshpc.cluster.readiness.node_probe import Probe, probes_of, probing
from xpshpc.cluster.readiness.node_report import own_versions
from xpshpc.cluster.readiness.node_verdict import Finding, found, verdicts
from xpshpc.cluster.site import Stage
from xpshpc.cluster.slurm.client import Slurm, SlurmRefused
from xpshpc.cluster.submission.request import Request, misfit, requests_of
from xpshpc.errors import UsageError, XpshpcError

ALL_STAGES: tuple[Stage, ...] = ("generate", "train", "evaluate", "report")
WAIT_S = 90.0
PATIENCE_S = 15.0


@dataclass(frozen=True)
class Survey:
    """What is to be found out: whether `stages` of a run in `folder` can run as the profile says.

    `parallel` trials of a search run at a time.
    """

    profile: Profile
    folder: Path
    stages: Sequence[Stage] = ALL_STAGES
    workers: int | None = None
    ranks: int | None = None
    parallel: int = 1
    wait_s: float = WAIT_S


def preflight(survey: Survey, slurm: Slurm | None = None) -> Iterator[Check]:
    """Checks a site, each step as soon as it is done; what rests on a failed one is skipped. Leaves nothing behind."""
    with contextlib.closing(_findings(survey, slurm or Slurm(patience_s=PATIENCE_S))) as findings:
        for finding in findings:
            yield finding.check


def require_ready(
    profile: Profile,
    folder: Path,
    stages: Sequence[Stage],
    *,
    workers: int | None = None,
    ranks: int | None = None,
    parallel: int = 1,
    slurm: Slurm | None = None,
    wait_s: float = WAIT_S,
) -> tuple[Check, ...]:
    """All checks of a site that is ready, warnings among them.

    Raises the first failure: UsageError (SlurmRefused where SLURM said it) for what the profile asks, EnvironmentFault
    for what the site lacks.
    """
    survey = Survey(profile, folder, stages, workers, ranks, parallel, wait_s)
    done: list[Check] = []
    with contextlib.closing(_findings(survey, slurm or Slurm(patience_s=PATIENCE_S))) as findings:
        for finding in findings:
            if finding.fault is not None:
                raise finding.fault
            done.append(finding.check)
    return tuple(done)


def _tried(name: str, step: Callable[[], Check]) -> Finding:
    try:
        return Finding(step())
    except XpshpcError as fault:
        return found(name, fault)


def _findings(survey: Survey, slurm: Slurm) -> Generator[Finding, None, None]:
    answers = _tried("slurm", partial(_controller, slurm))
    yield answers
    if answers.fault is not None:
        return
    requests: list[Request] = []
    refused = False
    for stage in survey.stages:
        try:
            wanted = requests_of(
                survey.profile, stage, workers=survey.workers, ranks=survey.ranks, parallel=survey.parallel
            )
        except UsageError as fault:
            yield found(f"ranks of {stage}", fault)
            refused = True
            continue
        for request in wanted:
            asked = _tried(request.what, partial(_asked, request, survey.profile, slurm))
            yield asked
            refused = refused or asked.fault is not None
            requests.append(request)
    if refused:
        yield Finding(Check("nodes", State.SKIPPED, "not looked at, for SLURM would not give them"))
    else:
        yield from _looks(survey, probes_of(requests), slurm)


def _controller(slurm: Slurm) -> Check:
    name = slurm.limits().cluster_name
    jobs = sum(job.active for job in slurm.jobs())
    return Check("slurm", State.OK, f"cluster {name}, {jobs} {'job' if jobs == 1 else 'jobs'} of ours")


def _asked(request: Request, profile: Profile, slurm: Slurm) -> Check:
    """Asks SLURM for a stage's nodes without taking them; where SLURM would let the job wait for ever, says why."""
    where = f"profile {profile.name}: {request.what}"
    unfit = misfit(request, slurm.partitions())
    with tempfile.TemporaryDirectory(prefix="xpshpc-preflight-") as folder:
        script = Path(folder) / "nothing.sbatch"
        script.write_text("#!/bin/sh\n")
        try:
            slurm.test(script, options=request.options())
        except SlurmRefused as refusal:
            raise SlurmRefused(refusal.what, where=where, try_=unfit or refusal.try_) from None
    if unfit is not None:
        raise UsageError(unfit, where=where, try_="sinfo --long, then change the profile")
    return Check(request.what, State.OK, _in_words(request))


def _in_words(request: Request) -> str:
    kind = f"{request.gpu_type} " if request.gpu_type else ""
    gpus = f", {request.gpus} {kind}{'GPU' if request.gpus == 1 else 'GPUs'}" if request.gpus else ""
    nodes = "1 node" if request.nodes == 1 else f"{request.nodes} nodes"
    cpus = "1 CPU" if request.cpus == 1 else f"{request.cpus} CPUs"
    each = f"{cpus}, {request.memory_mb} MB{gpus}"
    return f"SLURM takes it: {nodes} of {each} for {math.ceil(request.time_s / 60)} min"


def _looks(survey: Survey, probes: Sequence[Probe], slurm: Slurm) -> Iterator[Finding]:
    until = time.monotonic() + survey.wait_s
    here = own_versions()
    try:
        with probing(survey.profile, survey.folder, probes, slurm) as jobs:
            for probe in probes:
                outcome = jobs.wait(probe, until)
                yield from verdicts(probe, outcome, jobs.token, here, survey.profile, survey.folder)
    except XpshpcError as fault:
        yield found("nodes", fault)
