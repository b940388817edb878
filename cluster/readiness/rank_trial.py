"""Two ranks that add numbers: the proof that Horovod and MPI work here, and on a site's nodes."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from xpshpc.cluster.command import ask
from xpshpc.cluster.profile import Launcher, Profile
from xpshpc.cluster.readiness.check import Check, State
from xpshpc.errors import UsageError, XpshpcError

if TYPE_CHECKING:
    from xpshpc.cluster.ranks.step import Step

SETUP = "cluster/setup.sh"
GANG_TIMEOUT_S = 240
GANG_TIME = "00:05:00"
QUERY_TIMEOUT_S = 20


def check_ranks(profile: Profile, *, skip: bool = False) -> Iterator[Check]:
    """Lets two ranks add numbers: Horovod over Gloo, mpi4py over MPI, Horovod over MPI where the profile uses that."""
    needs_mpi = profile.launcher == "mpirun"
    mpirun = shutil.which("mpirun")
    if skip:
        yield Check("ranks", State.SKIPPED, "none started in a quick examination")
        return
    yield try_ranks("horovod", "gloo", "two ranks over Gloo")
    if mpirun is None:
        state = State.FAILED if needs_mpi else State.SKIPPED
        cure = f"apt-get install openmpi-bin libopenmpi-dev (or: module load openmpi), then: {SETUP}"
        yield Check("mpi", state, 'no mpirun; only launcher = "gloo" works', cure)
        return
    mpi = try_ranks(
        "mpi", "mpirun", ask([mpirun, "--version"], timeout_s=QUERY_TIMEOUT_S).output.strip().partition("\n")[0]
    )
    if mpi.state is State.FAILED and not needs_mpi:
        mpi = Check(mpi.name, State.WARNING, mpi.found, mpi.cure)
    yield mpi
    if needs_mpi:
        yield try_ranks("horovod", "mpirun", "two ranks over MPI")


def try_ranks(
    kind: Literal["horovod", "mpi"],
    launcher: Launcher,
    subject: str,
    *,
    name: str = "",
    step: Step | None = None,
    shared: Path | None = None,
) -> Check:
    """Starts two ranks that sum and gather with the real launcher; `subject` is what the check is about, in words.

    With a `step` they run on SLURM's nodes, and write into a folder in `shared` that goes afterwards.
    """
    from xpshpc.cluster.ranks.gang import run_gang

    name = name or ("mpi" if kind == "mpi" else f"horovod by {launcher}")
    try:
        with tempfile.TemporaryDirectory(prefix=".xpshpc-doctor-", dir=shared) as logs:
            result = run_gang(
                "xpshpc.cluster.ranks.handshake",
                [kind],
                ranks=2,
                launcher=launcher,
                step=step,
                log_directory=Path(logs),
                timeout_s=GANG_TIMEOUT_S,
            )
            joined = [json.loads(log.read_text().splitlines()[-1])["ranks"] for log in result.logs]
    except XpshpcError as error:
        return Check(name, State.FAILED, f"{subject}: {error.what}", error.try_ or SETUP)
    except (OSError, ValueError, LookupError) as error:
        return Check(name, State.FAILED, f"{subject}: no sign of life from a rank: {error}", SETUP)
    if joined != [2, 2]:
        found = f"{subject}: two were started, but they counted {' and '.join(map(str, joined))}"
        return Check(
            name, State.FAILED, found, "use the mpirun of the MPI that Horovod and mpi4py find: which -a mpirun"
        )
    return Check(name, State.OK, f"{subject}: allreduce exact in float64, {result.wall_s:.1f} s")


def check_ranks_on_nodes(profile: Profile, run_directory: Path) -> Iterator[Check]:
    """Lets two ranks add numbers where the profile would train, if that is beyond this host."""
    from xpshpc.cluster.ranks.step import step_of

    name = "ranks on the nodes"
    try:
        step = step_of(profile, "train", 2)
    except UsageError as error:
        yield Check(name, State.FAILED, error.what, error.try_ or "another profile")
        return
    if step is None:
        return
    if profile.launcher == "mpirun" and "SLURM_JOB_ID" not in os.environ:
        yield Check(name, State.SKIPPED, "mpirun reaches them inside a job only")
        return
    shared = next(folder for folder in (run_directory.absolute(), *run_directory.absolute().parents) if folder.is_dir())
    nodes = "1 node" if step.nodes == 1 else f"{step.nodes} nodes"
    yield try_ranks(
        "horovod",
        profile.launcher,
        f"two ranks on {nodes} by {profile.launcher}",
        name=name,
        step=replace(step, time=GANG_TIME),
        shared=shared,
    )
