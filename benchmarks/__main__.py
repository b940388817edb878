"""`make bench`: every benchmark in one run, so that its ratios compare like with like.

python -m benchmarks [--scale 1.0] [NAME…]
"""

from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys

from benchmarks.table import print_rows
from xpshpc.cluster.workers.dask_settings import WORKER_ENVIRONMENT

NAMES = {
    "simulator": "Simulator",
    "generate": "Data set: fan-out, store, commit",
    "fan_out": "Shards that cost nothing, through the whole path",
    "loader": "Loader against training step",
    "first_batch": "First batch of a million spectra",
    "ranks": "Two ranks against one",
    "networks": "Networks",
    "search": "Search beyond its trainings",
    "frechet": "Fréchet distance",
}
_CHILD = "XPSHPC_BENCHMARK"


def main() -> int:
    """Runs each benchmark in a process of its own: memory and compute threads are those of a worker."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Ratios measured in one run.")
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--scale", type=float, default=1.0, help="1 is the full size, 0.1 a quick look")
    asked = parser.parse_args()
    if _CHILD in os.environ:
        (name,) = asked.names
        print_rows(NAMES[name], importlib.import_module(f"benchmarks.{name}").run(asked.scale))
        return 0
    environment = {**os.environ, **WORKER_ENVIRONMENT, _CHILD: "1", "TF_CPP_MIN_LOG_LEVEL": "2"}
    print(
        f"{len(os.sched_getaffinity(0))} cores; compute threads of one process: {WORKER_ENVIRONMENT['OMP_NUM_THREADS']}"
    )
    codes = []
    for name in asked.names or NAMES:
        sys.stdout.flush()
        command = [sys.executable, "-m", "benchmarks", name, "--scale", str(asked.scale)]
        codes.append(subprocess.run(command, env=environment, check=False).returncode)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
