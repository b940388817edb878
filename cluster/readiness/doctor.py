"""Is this machine able to do it? Each check tries the real thing, and says what to type where it fails."""

from __future__ import annotations

import json
import os
import platform
import resource
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from xpshpc.cluster.command import ask
from xpshpc.cluster.filesystem import examine_folder
from xpshpc.cluster.machine import usable_cores, usable_memory
from xpshpc.cluster.profile import Profile, read_profile, resolve_ranks, resolve_workers
from xpshpc.cluster.readiness.check import Check, State
from xpshpc.cluster.readiness.pins import guarded_packages, mismatches, project_pins
from xpshpc.cluster.readiness.rank_trial import check_ranks, check_ranks_on_nodes
from xpshpc.errors import ExitCode

SETUP = "cluster/setup.sh"
IMPORT_TIMEOUT_S = 180
QUERY_TIMEOUT_S = 20
ENOUGH_OPEN_FILES = 1024
BYTES_A_WORKER = 10**9
BYTES_A_RANK = 2 * 10**9
_NO_CLUSTER = "Could not establish a configuration source"
SLURM_QUESTIONS = (
    ("sinfo", "--version"),
    ("sinfo", "--noheader", "--format=%R"),
    ("squeue", "--noheader", "--format=%i"),
)


def examine(run_directory: Path, *, profile: Profile | None = None, quick: bool = False) -> Iterator[Check]:
    """Checks this machine for a run in `run_directory` as `profile` would run it (by default: the one named local).

    With a SLURM site's profile, the site is tried as well, and its nodes in place of this machine's cores. Yields each
    check as soon as it is done. `quick` leaves out those that start TensorFlow, ranks or jobs (half a minute). Nothing
    is left on the disk, and no process.
    """
    profile = profile or read_profile()
    yield check_python()
    yield check_packages(project_pins())
    yield from check_stack(skip=quick)
    yield from check_ranks(profile, skip=quick)
    yield examine_folder("run directory", run_directory)
    yield check_open_files()
    if profile.kind == "slurm":
        yield from check_site(profile, run_directory, skip=quick)
        return
    scratch = profile.scratch_folder()
    if scratch is not None:
        yield examine_folder("scratch", scratch)
    yield check_size(profile)
    yield check_slurm()


def check_site(profile: Profile, run_directory: Path, *, skip: bool = False) -> Iterator[Check]:
    """Tries the SLURM site of a profile with short jobs; see `preflight`."""
    if skip:
        yield check_slurm()
        yield Check("nodes", State.SKIPPED, "no jobs in a quick examination")
        return
    from xpshpc.cluster.readiness.preflight import Survey, preflight

    able = True
    for check in preflight(Survey(profile, run_directory)):
        able = able and check.state is not State.FAILED
        yield check
    if able:
        yield from check_ranks_on_nodes(profile, run_directory)


def exit_code(checks: Iterable[Check]) -> ExitCode:
    """What `xpshpc doctor` tells the shell: warnings are no failure."""
    return ExitCode.ENVIRONMENT if any(check.state is State.FAILED for check in checks) else ExitCode.DONE


def check_python() -> Check:
    """The interpreter's version, and whether it is the environment's own."""
    found = f"{platform.python_version()}, {sys.executable}"
    if sys.version_info[:2] != (3, 11):
        return Check("python", State.FAILED, found, f"{SETUP} --python python3.11")
    return Check("python", State.OK, found)


def check_packages(pins: Mapping[str, str]) -> Check:
    """The versions of all packages that are asked for directly, or that break TensorFlow, against their pins."""
    packages = [package for package in guarded_packages() if package in pins]
    wrong = mismatches(packages, pins)
    if wrong:
        return Check("packages", State.FAILED, ", ".join(map(str, wrong)), SETUP)
    return Check("packages", State.OK, f"{len(packages)} in their pinned versions")


def check_stack(*, skip: bool = False) -> Iterator[Check]:
    """Imports TensorFlow, Keras and Horovod in a process of their own, and looks at how Horovod was built."""
    if skip:
        yield from (
            Check(name, State.SKIPPED, "not imported in a quick examination") for name in ("tensorflow", "horovod")
        )
        return
    answer = ask(
        [sys.executable, "-m", "xpshpc.cluster.readiness.stack"],
        timeout_s=IMPORT_TIMEOUT_S,
        environment={"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""},
    )
    lines = [line for line in answer.output.splitlines() if line.startswith('{"library"')]
    told = {facts["library"]: facts for facts in map(json.loads, lines)}
    yield judge_tensorflow(told.get("tensorflow"), answer.last_words())
    if "tensorflow" in told:
        yield judge_horovod(told.get("horovod"), told["tensorflow"]["version"], answer.last_words())
    else:
        yield Check("horovod", State.SKIPPED, "needs TensorFlow")


def judge_tensorflow(facts: Mapping[str, Any] | None, last_words: str) -> Check:
    """The check of TensorFlow from what it told of itself, or from its last words."""
    if facts is None:
        return Check("tensorflow", State.FAILED, f"cannot be imported: {last_words}", SETUP)
    found = f"TensorFlow {facts['version']}, Keras {facts['keras']} on {facts['backend']}"
    if facts["backend"] != "tensorflow":
        return Check("tensorflow", State.FAILED, found, "export KERAS_BACKEND=tensorflow")
    return Check("tensorflow", State.OK, found)


def judge_horovod(facts: Mapping[str, Any] | None, tensorflow: str, last_words: str) -> Check:
    """The check of Horovod from what it told of itself, and the TensorFlow that is installed."""
    if facts is None:
        return Check("horovod", State.FAILED, f"cannot be imported: {last_words}", SETUP)
    built = [
        label for label, there in (("Gloo", facts["gloo"]), ("MPI", facts["mpi"]), ("NCCL", facts["nccl"])) if there
    ]
    found = (
        f"Horovod {facts['version']} with {', '.join(built) or 'nothing'}, built for TensorFlow {facts['tensorflow']}"
    )
    if facts["tensorflow"] != tensorflow:
        return Check("horovod", State.FAILED, f"{found}; installed is {tensorflow}", SETUP)
    if not facts["gloo"]:
        return Check("horovod", State.FAILED, found, f"rm -r ~/.cache/xpshpc/wheels; {SETUP}")
    return Check("horovod", State.OK, found)


def check_open_files() -> Check:
    """The soft limit of open files: each worker costs the scheduler a few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < ENOUGH_OPEN_FILES:
        most = "unlimited" if hard == resource.RLIM_INFINITY else str(hard)
        raised = (
            "ulimit -n hard" if hard == resource.RLIM_INFINITY or hard >= ENOUGH_OPEN_FILES else "ask the administrator"
        )
        return Check("open files", State.WARNING, f"at most {soft} (hard limit {most})", raised)
    return Check("open files", State.OK, "unlimited" if soft == resource.RLIM_INFINITY else f"at most {soft}")


def check_size(profile: Profile) -> Check:
    """Cores and memory that are ours, against the workers and ranks that the profile would start on them."""
    cores, memory = usable_cores(), usable_memory()
    workers, ranks = resolve_workers(None, None, profile), resolve_ranks(None, None, profile)
    found = f"{cores} cores and {memory / 2**30:.1f} GiB for {workers} workers or {ranks} ranks"
    if memory < max(workers * BYTES_A_WORKER, ranks * BYTES_A_RANK):
        fitting = max(1, memory // BYTES_A_WORKER)
        cure = (
            f"export XPSHPC_WORKERS={min(workers, fitting)} XPSHPC_RANKS={min(ranks, max(1, memory // BYTES_A_RANK))}"
        )
        return Check("cores and memory", State.WARNING, f"{found}: 1 GB a worker and 2 GB a rank are usual", cure)
    if max(workers, ranks) > cores:
        return Check(
            "cores and memory", State.WARNING, f"{found}: they will wait for each other", "fewer, or more cores"
        )
    return Check("cores and memory", State.OK, found)


def check_slurm() -> Check:
    """Whether SLURM answers, where there is one: its version, its partitions, our jobs."""
    missing = [tool for tool in ("sinfo", "squeue") if shutil.which(tool) is None]
    if len(missing) == 2:
        return Check("slurm", State.SKIPPED, "not on this machine")
    if missing:
        return Check("slurm", State.WARNING, f"no {missing[0]}", "install SLURM's client programs")
    told: list[str] = []
    for command in SLURM_QUESTIONS:
        answer = ask(
            [*command, *(["--user", str(os.getuid())] if command[0] == "squeue" else [])], timeout_s=QUERY_TIMEOUT_S
        )
        if not answer.ok and _NO_CLUSTER in answer.errors:
            return Check(
                "slurm", State.SKIPPED, "installed, but this machine belongs to no cluster", "xpshpc cluster up"
            )
        if not answer.ok:
            return Check("slurm", State.WARNING, f"{' '.join(command)}: {answer.last_words()}", " ".join(command))
        told.append(answer.output)
    release, partitions, jobs = _first_line(told[0]), ", ".join(told[1].split()), len(told[2].splitlines())
    return Check("slurm", State.OK, f"{release}, partitions: {partitions or 'none'}; {jobs} jobs of ours")


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "no answer"
