"""`make chaos`: random kills while a four-node SLURM on this machine makes a data set; nothing may be lost.

python -m benchmarks.chaos [--kills 1000] [--seed 1] [--gap SECONDS] [--shards N]

Each run of a few hundred shards is struck at until it is complete, and the next one begins, until all strikes have
fallen. After every run: each sample committed once, all bytes those of the undisturbed run, every attempt as the policy
says, no job, process or partial file left over, and nothing to do for a second call. The first that does not hold ends
the program with exit code 4.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from benchmarks.chaos.run import Round, last_words, make_disturbed, make_undisturbed
from benchmarks.chaos.strikes import Kind, plan_strikes
from benchmarks.table import Row, print_rows
from xpshpc.cluster.minislurm import bring_up
from xpshpc.cluster.minislurm.daemon import stray_variables
from xpshpc.errors import ExitCode

GAP_S = 1.5
FEWEST_SHARDS, MOST_SHARDS = 60, 300


def main() -> int:
    """Prints what fell, what it cost, and that nothing was lost."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description="Random kills on a real SLURM.")
    parser.add_argument("--kills", type=int, default=1000, help="strikes in all")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same strikes")
    parser.add_argument("--gap", type=float, default=GAP_S, help="mean seconds between two strikes")
    parser.add_argument("--shards", type=int, help="shards of one run")
    asked = parser.parse_args()
    shards = asked.shards or min(max(2 * asked.kills, FEWEST_SHARDS), MOST_SHARDS)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # the cluster goes with the program
    with tempfile.TemporaryDirectory(prefix="xpshpc-chaos-") as folder:
        return chaos(Path(folder), asked.kills, asked.seed, asked.gap, shards)


def chaos(folder: Path, kills: int, seed: int, gap_s: float, shards: int) -> int:
    """Runs until so many strikes have fallen. Returns the exit code."""
    for name in stray_variables(os.environ):
        del os.environ[name]
    plans = plan_strikes(seed, gap_s)
    rounds: list[Round] = []
    with bring_up(folder / "cluster") as cluster:
        os.environ.update(cluster.environment)
        print(f"{kills} strikes, seed {seed}, one every {gap_s:g} s on average; runs of {shards} shards")
        peace, undisturbed = make_undisturbed(cluster, folder / "undisturbed", shards)
        print(f"  undisturbed: {peace.wall_s:.1f} s", flush=True)
        while (left := kills - sum(len(made.strikes) for made in rounds)) > 0:
            place = folder / f"round-{len(rounds) + 1}"
            try:
                made = make_disturbed(cluster, place, shards, plans, left, undisturbed)
            except AssertionError as broken:
                print(f"round {len(rounds) + 1}: an invariant does not hold: {broken}", file=sys.stderr)
                print(f"the last coordinators said: {last_words(place)}", file=sys.stderr)
                return ExitCode.VERIFICATION
            rounds.append(made)
            print(f"  round {len(rounds)}: {len(made.strikes)} strikes, {made.wall_s:.1f} s, all invariants hold")
            sys.stdout.flush()
    print_rows("Strikes", _strikes(rounds))
    print_rows("Recovery", _recovery(rounds))
    print_rows("Overhead against the undisturbed run", _overhead(rounds, peace))
    print("\nNothing lost, nothing twice, every byte as undisturbed; no process, job or partial file is left.")
    return ExitCode.DONE


def _strikes(rounds: Sequence[Round]) -> Iterator[Row]:
    fallen = Counter(strike.kind for made in rounds for strike in made.strikes)
    yield Row("in all", fallen.total(), "")
    for kind in Kind:
        yield Row(f"  {kind.title}", fallen[kind], "")
    failures: Counter[str] = Counter()
    for made in rounds:
        failures.update(made.failures)
    for cause, count in sorted(failures.items()):
        yield Row(f"attempts at shards that failed: {cause}", count, "")
    codes = Counter(code for made in rounds for code in made.coordinators)
    for code, count in sorted(codes.items()):
        yield Row(f"coordinators that ended with exit code {code}", count, "")


def _recovery(rounds: Sequence[Round]) -> Iterator[Row]:
    yield from _spread("to the next commit", [taken for made in rounds for taken in made.to_commit_s])
    strengths = [recovery for made in rounds for recovery in made.to_strength_s]
    yield from _spread("to as many workers as before", [taken for _, taken in strengths])
    for kind in Kind:
        yield from _spread(f"  {kind.title}", [taken for other, taken in strengths if other is kind])


def _spread(what: str, seconds: Sequence[float]) -> Iterator[Row]:
    if seconds:
        yield Row(f"{what}, median of {len(seconds)}", statistics.median(seconds), "s")
        yield Row(f"{what}, worst", max(seconds), "s")


def _overhead(rounds: Sequence[Round], peace: Round) -> Iterable[Row]:
    runs = len(rounds)
    strikes = sum(len(made.strikes) for made in rounds) / runs
    yield Row("strikes a run", strikes, "")
    yield Row("undisturbed run", peace.wall_s, "s")
    yield Row("wall time, mean of the disturbed runs", sum(made.wall_s for made in rounds) / runs / peace.wall_s, "×")
    yield Row("time of all workers together", sum(made.worker_s for made in rounds) / runs / peace.worker_s, "×")


if __name__ == "__main__":
    sys.exit(main())
