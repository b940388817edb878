"""The one-machine SLURM without the rest of the program: `python -m xpshpc.cluster.minislurm up|down|status ROOT`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from xpshpc.cluster.minislurm import ClusterPlan, bring_up, find_cluster
from xpshpc.cluster.minislurm.boot import end_cluster
from xpshpc.errors import XpshpcError


def main() -> int:
    """Does what was asked, and prints what to type for using the cluster, or its nodes and jobs."""
    parser = argparse.ArgumentParser(prog="python -m xpshpc.cluster.minislurm", description=__doc__)
    parser.add_argument("what", choices=("up", "down", "status"))
    parser.add_argument("root", type=Path)
    asked = parser.parse_args()
    root = asked.root.absolute().resolve()
    try:
        if asked.what == "down":
            end_cluster(root)
            return 0
        cluster = bring_up(root, ClusterPlan()) if asked.what == "up" else find_cluster(root)
        if cluster is None:
            sys.stdout.write(f"no cluster at {root}\n")
            return 0
        for name, text in cluster.environment.items():
            sys.stdout.write(f"export {name}={text}\n")
        if asked.what == "status":
            status = cluster.status()
            sys.stdout.writelines(f"{node.name} {node.state} {node.reason}\n" for node in status.nodes)
            sys.stdout.writelines(f"{job.id} {job.name} {job.state} {job.nodes}\n" for job in status.jobs)
    except XpshpcError as fault:
        sys.stderr.write(f"{fault}\n")
        return int(fault.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
