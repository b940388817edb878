"""`make bench`: every benchmark in one run, so that its ratios compare like with like.

python -m benchmarks [--scale 1.0] [NAME…]
"""

from __future__ import annotations

import argparse
import importlib
import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

NAMES = {
    "simulator": "Simulator",
    "generate": "Data set: fan-out, store, commit",
    "loader": "Loader against training step",
    "frechet": "Fréchet distance",
}


def main() -> None:
    from benchmarks.table import print_rows

    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Ratios measured in one run.")
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--scale", type=float, default=1.0, help="1 is the full size, 0.1 a quick look")
    asked = parser.parse_args()
    print(f"{os.cpu_count()} cores seen; compute threads of one process: {os.environ['OMP_NUM_THREADS']}")
    for name in asked.names or NAMES:
        print_rows(NAMES[name], importlib.import_module(f"benchmarks.{name}").run(asked.scale))


if __name__ == "__main__":
    main()
