"""Where a rank that srun started stands among the others: SLURM's variables of a task in Horovod's words."""

from __future__ import annotations

import re
from collections.abc import Mapping

_TASKS = re.compile(r"(\d+)(?:\(x(\d+)\))?")


def tasks_per_node(text: str) -> tuple[int, ...]:
    """The tasks of each node, of SLURM's "2(x3),1". Raises ValueError where it is something else."""
    counts: list[int] = []
    for part in text.split(","):
        match = _TASKS.fullmatch(part)
        if match is None:
            raise ValueError(f"{text!r} is no SLURM_TASKS_PER_NODE")
        counts += [int(match[1])] * int(match[2] or 1)
    return tuple(counts)


def horovod_slot(task: Mapping[str, str]) -> dict[str, str]:
    """Horovod's rank, size and neighbours from the environment of a task.

    Ranks that have the same local rank on their nodes are each other's cross ranks; nodes may hold unequal numbers.
    """
    nodes = tasks_per_node(task["SLURM_STEP_TASKS_PER_NODE"])
    node, local_rank = int(task["SLURM_NODEID"]), int(task["SLURM_LOCALID"])
    across = [number for number, tasks in enumerate(nodes) if tasks > local_rank]
    return {
        "HOROVOD_HOSTNAME": task["SLURMD_NODENAME"],
        "HOROVOD_RANK": task["SLURM_PROCID"],
        "HOROVOD_SIZE": task["SLURM_STEP_NUM_TASKS"],
        "HOROVOD_LOCAL_RANK": str(local_rank),
        "HOROVOD_LOCAL_SIZE": str(nodes[node]),
        "HOROVOD_CROSS_RANK": str(across.index(node)),
        "HOROVOD_CROSS_SIZE": str(len(across)),
    }
