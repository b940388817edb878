"""What the outcome of a probe means for a run: what nodes must have, and have in common with the submitting host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from xpshpc.cluster.profile import Profile
from xpshpc.cluster.readiness.check import Check, State
from xpshpc.cluster.readiness.node_probe import (
    MODULE_MISSING,
    NOT_WRITABLE,
    PATH_UNSEEN,
    PYTHON_MISSING,
    Outcome,
    Probe,
    python_of,
)
from xpshpc.cluster.readiness.node_report import NodeReport
from xpshpc.errors import EnvironmentFault, UsageError, XpshpcError

NEVER = frozenset(
    {
        "AccountNotAllowed",
        "BadConstraints",
        "InvalidAccount",
        "InvalidQOS",
        "PartitionDown",
        "PartitionInactive",
        "PartitionNodeLimit",
        "PartitionTimeLimit",
        "QOSMaxWallDurationPerJobLimit",
        "QOSNotAllowed",
        "ReservationDeleted",
    }
)
"""Reasons for which SLURM lets a job wait until somebody changes it."""

_SHARED = "a directory that nodes and login nodes share: --runs /shared/folder"
_NAMED_AT_MOST = 6


@dataclass(frozen=True)
class Finding:
    """A check, and the error it is to who must not go on."""

    check: Check
    fault: XpshpcError | None = None


def found(name: str, fault: XpshpcError) -> Finding:
    """The finding that an error makes."""
    what = f"{fault.where}: {fault.what}" if fault.where else fault.what
    return Finding(Check(name, State.FAILED, what, fault.try_ or "sinfo"), fault)


def verdicts(
    probe: Probe, outcome: Outcome, token: str, here: Mapping[str, str], profile: Profile, folder: Path
) -> Iterator[Finding]:
    """The findings of one probe; `here` are the versions of this side, `folder` the place of the run."""
    nodes = f"nodes of {probe.name}"
    if outcome.job is not None and not outcome.job.over:
        yield _unfinished(nodes, outcome, profile)
        return
    fault = failure(outcome, probe, token, profile, folder)
    if fault is not None:
        yield found(nodes, fault)
        return
    hosts = ", ".join(report.host for report in outcome.reports)
    yield Finding(Check(nodes, State.OK, f"{hosts} and this host share {folder}"))
    where = f"profile {profile.name}"
    yield _joined(f"environment of {nodes}", where, {each.host: environment(each, here) for each in outcome.reports})
    if (name := profile.site.interface) is not None:
        yield _joined(f"interface of {nodes}", where, {each.host: interface(each, name) for each in outcome.reports})
    if profile.scratch is not None:
        yield _joined(f"scratch of {nodes}", where, {each.host: scratch(each) for each in outcome.reports})
    if probe.request.gpus > 0:
        yield _joined(f"GPUs of {nodes}", where, {each.host: gpus(each) for each in outcome.reports})


def failure(outcome: Outcome, probe: Probe, token: str, profile: Profile, folder: Path) -> EnvironmentFault | None:
    """Why a probe that is over told nothing, or not from the same folder; None where it told all."""
    job = outcome.job
    code = job.exit_code if job is not None else None
    words = f": {outcome.words}" if outcome.words else ""
    python = python_of(profile)
    what, try_ = {
        PATH_UNSEEN: ("the nodes do not see this path", _SHARED),
        NOT_WRITABLE: ("the nodes cannot write here", _SHARED),
        PYTHON_MISSING: (f"there is no Python {python} on the nodes", "python in the [slurm] table of the profile"),
        MODULE_MISSING: (f"a module cannot be loaded on the nodes{words}", "module avail, then change the profile"),
    }.get(code or 0, ("", ""))
    if what:
        return EnvironmentFault(what, where=str(folder), try_=try_)
    if job is not None and (job.state != "COMPLETED" or code != 0):
        return EnvironmentFault(
            f"the probe of the nodes ended as {job.state}, exit code {code}{words}",
            where=f"profile {profile.name}: nodes of {probe.name}, {python}",
            try_="modules, environment, python in the [slurm] table of the profile",
        )
    if len(outcome.reports) < probe.request.nodes:
        return EnvironmentFault("what the nodes write here is not seen on this host", where=str(folder), try_=_SHARED)
    if any(report.token != token for report in outcome.reports):
        return EnvironmentFault("the nodes see another folder under this path", where=str(folder), try_=_SHARED)
    return None


def differences(there: Mapping[str, str], here: Mapping[str, str]) -> list[str]:
    """Versions on a node that are not those of this side, in words."""
    names = [
        name for name in (*here, *(name for name in there if name not in here)) if there.get(name) != here.get(name)
    ]
    return [f"{name} {there.get(name, 'missing')} (here: {here.get(name, 'missing')})" for name in names]


def _unfinished(name: str, outcome: Outcome, profile: Profile) -> Finding:
    assert outcome.job is not None
    if not outcome.waits:
        return Finding(Check(name, State.WARNING, "the probe runs, but has not answered yet", "xpshpc doctor --on …"))
    reason = outcome.job.reason or "no reason told"
    if reason in NEVER:
        words = f"SLURM would let the job wait for ever: {reason}"
        return found(name, UsageError(words, where=f"profile {profile.name}", try_="sinfo --long, change the profile"))
    return Finding(Check(name, State.WARNING, f"not tried, the queue is long ({reason})", "squeue --start"))


@dataclass(frozen=True)
class Look:
    """One thing on one node: `words` about it, and where it is not as it should be, what to change in the profile."""

    words: str
    change: str = ""


def environment(report: NodeReport, here: Mapping[str, str]) -> Look:
    """Versions on a node against those of this side."""
    wrong = differences(report.versions, here)
    if not wrong:
        return Look("the same versions as here")
    more = f" and {len(wrong) - _NAMED_AT_MOST} more" if len(wrong) > _NAMED_AT_MOST else ""
    return Look(", ".join(wrong[:_NAMED_AT_MOST]) + more, "python: one environment for all")


def interface(report: NodeReport, name: str) -> Look:
    """Whether a node has a network interface, with an address."""
    addresses = report.interfaces.get(name, ())
    if addresses:
        return Look(f"{name} with {addresses[0]}")
    known = [f"{other} ({theirs[0]})" for other, theirs in report.interfaces.items() if theirs]
    return Look(f"no network interface {name} with an address; there are {', '.join(known) or 'none'}", "interface")


def scratch(report: NodeReport) -> Look:
    """Whether the folder for temporary files takes files."""
    if report.scratch_fault:
        return Look(f"{report.scratch}: {report.scratch_fault}", "scratch")
    return Look(f"{report.scratch} takes files")


def gpus(report: NodeReport) -> Look:
    """Whether a GPU that was asked for can be found by a program."""
    if not report.gpus:
        return Look("SLURM gave a GPU, but CUDA_VISIBLE_DEVICES names none", "gpus_per_node, gpu_type")
    return Look("given, and named in CUDA_VISIBLE_DEVICES")


def _joined(name: str, where: str, looks: Mapping[str, Look]) -> Finding:
    """One finding of all nodes: the first that is not well, else what the first of them said."""
    for host, look in looks.items():
        if look.change:
            return found(name, EnvironmentFault(f"{host}: {look.words}", where=where, try_=f"change {look.change}"))
    return Finding(Check(name, State.OK, next(iter(looks.values())).words))
