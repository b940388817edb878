"""The programs a one-machine SLURM is made of, and the packages to ask for where they are missing."""

from __future__ import annotations

import os
import shutil

from xpshpc.cluster.minislurm.plan import ClusterPlan
from xpshpc.errors import EnvironmentFault

PACKAGES = {
    "slurmctld": "slurmctld",
    "slurmd": "slurmd",
    "srun": "slurm-client",
    "munged": "munge",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "ip": "iproute2",
    "slurmdbd": "slurmdbd",
    "mariadbd": "mariadb-server",
    "mariadb-install-db": "mariadb-server",
}
SYSTEM_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin"


def required_programs(plan: ClusterPlan) -> tuple[str, ...]:
    """What has to be installed for a plan."""
    programs = ["slurmctld", "slurmd", "srun", "munged"]
    if plan.isolation != "none":
        programs.append("unshare")
    if plan.isolation == "net":
        programs += ["nsenter", "ip"]
    if plan.accounting == "slurmdbd":
        programs += ["slurmdbd", "mariadbd", "mariadb-install-db"]
    return tuple(programs)


def missing_programs(plan: ClusterPlan) -> tuple[str, ...]:
    """Those of them that are not here."""
    return tuple(program for program in required_programs(plan) if shutil.which(program, path=search_path()) is None)


def search_path() -> str:
    """This process's PATH and the folders of daemons, which users often have not in theirs."""
    return f"{os.environ.get('PATH', os.defpath)}:{SYSTEM_FOLDERS}"


def check_requirements(plan: ClusterPlan) -> None:
    """Raises EnvironmentFault, naming what to install, or the isolation that needs no root."""
    missing = missing_programs(plan)
    if missing:
        packages = sorted({PACKAGES[program] for program in missing})
        if "slurmdbd" in packages or "mariadb-server" in packages:
            packages = sorted({*packages, "slurm-wlm-mysql-plugin"})
        raise EnvironmentFault(
            f"not installed: {', '.join(missing)}",
            where="one-machine SLURM",
            try_=f"apt-get install --no-install-recommends {' '.join(packages)}",
        )
    if plan.isolation != "none" and os.geteuid() != 0:
        raise EnvironmentFault(
            "only root may make namespaces", where=f"isolation {plan.isolation}", try_="--isolation none"
        )
