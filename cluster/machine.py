"""What this process may use of the machine: cores and memory, as the affinity mask and the control groups allow."""

from __future__ import annotations

import math
import os
from pathlib import Path

import psutil

CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def usable_cores(cgroups: Path = CGROUPS, membership: Path = MEMBERSHIP) -> int:
    """Cores that this process may keep busy, at least one.

    The affinity mask counts, not the machine's cores; a control group's CPU quota cuts it further (a container with
    1.5 cores may keep two processes busy, so the quota is rounded up).
    """
    affinity = len(os.sched_getaffinity(0))
    quotas = [quota for folder in _folders(cgroups, membership, "cpu") if (quota := _cpu_quota(folder)) is not None]
    return max(1, min([affinity, *(math.ceil(quota) for quota in quotas)]))


def usable_memory(cgroups: Path = CGROUPS, membership: Path = MEMBERSHIP) -> int:
    """Bytes of memory that this process and its children may fill together."""
    limits = [_memory_limit(folder) for folder in _folders(cgroups, membership, "memory")]
    return min([psutil.virtual_memory().total, *(limit for limit in limits if limit is not None)])


def _folders(cgroups: Path, membership: Path, controller: str) -> list[Path]:
    """The folders of this process' control group and of all groups around it, in either version of the interface."""
    found: list[Path] = []
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return found
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, inner = rest.partition(":")
        if controllers == "":
            root = cgroups
        elif controller in controllers.split(","):
            root = cgroups / controllers if (cgroups / controllers).is_dir() else cgroups / controller
        else:
            continue
        folder = root / inner.lstrip("/")
        found += [folder, *(parent for parent in folder.parents if parent.is_relative_to(root))]
    return found


def _cpu_quota(folder: Path) -> float | None:
    unified = _words(folder / "cpu.max")
    if len(unified) == 2 and unified[0] != "max":
        return int(unified[0]) / int(unified[1])
    quota, period = _words(folder / "cpu.cfs_quota_us"), _words(folder / "cpu.cfs_period_us")
    if quota and period and int(quota[0]) > 0:
        return int(quota[0]) / int(period[0])
    return None


def _memory_limit(folder: Path) -> int | None:
    for name in ("memory.max", "memory.limit_in_bytes"):
        words = _words(folder / name)
        if words and words[0] != "max":
            return int(words[0])
    return None


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []
