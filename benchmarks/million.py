"""`make million`: a million spectra through a four-node SLURM on this machine, verified and measured.

python -m benchmarks.million [--samples 1000000] [--workers 4] [--keep]

The job goes the way of a user: `xpshpc submit`, a coordinator job, worker jobs. Simulation and writing alone are
measured beside it on the same cores, and the memory of every process of the cluster is watched.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import tomli_w

from benchmarks.bare import environment_of_workers, simulate_alone, write_alone
from benchmarks.generate import RECORDS, measure_resume
from benchmarks.table import Row, print_rows
from xpshpc.cluster.machine import usable_cores
from xpshpc.cluster.minislurm import Cluster, ClusterPlan, bring_up
from xpshpc.cluster.profile import read_profile
from xpshpc.config import JobFile, read_job
from xpshpc.events import read_events
from xpshpc.report.status import Status, read_status
from xpshpc.run_directory import RunDirectory
from xpshpc.store.verify import verify

JOB = Path(__file__).parent.parent / "jobs" / "million.toml"
NODES = 4
BARE_SHARDS = (2, 10)
POLL_S = 1.0


@dataclass
class Memory:
    """The largest resident memory that any process of a kind ever had, in MB."""

    peak_mb: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def look(self, cluster: Cluster) -> None:
        """Reads the high-water mark of every process of the cluster's jobs."""
        for process in psutil.process_iter():
            try:
                environment, command = process.environ(), " ".join(process.cmdline())
                if environment.get("SLURM_CONF") != cluster.environment["SLURM_CONF"] or "python" not in command:
                    continue
                if "SLURM_JOB_ID" not in environment:
                    continue
                status = Path(f"/proc/{process.pid}/status").read_text()
            except (psutil.Error, OSError):
                continue
            high = next((line for line in status.splitlines() if line.startswith("VmHWM")), None)
            if high is not None:
                kind = "coordinator and scheduler" if " generate " in command else "worker"
                self.peak_mb[kind] = max(self.peak_mb[kind], int(high.split()[1]) / 1024)


def main() -> int:
    """Runs it and prints what was measured; the exit code is that of the verification."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.million", description=__doc__)
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=NODES, help="worker processes, one in a job")
    parser.add_argument("--keep", type=Path, help="keep the run in this folder")
    asked = parser.parse_args()
    settings: dict[str, Any] = {"generate.samples": asked.samples}
    if asked.samples < 16 * 16_384:
        settings["generate.shard_samples"] = 2048
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".million-") as scratch:
        folder = Path(scratch)
        job_file = read_job(JOB, settings)
        bare_s = _measure_parts(job_file, settings, folder)
        print(f"simulation and writing alone would take {bare_s:.0f} s on {usable_cores()} cores", flush=True)
        with bring_up(folder / "slurm", ClusterPlan(nodes=NODES)) as cluster:
            status, memory, wall_s = _through_the_cluster(cluster, folder, settings, asked.workers)
        run = RunDirectory(folder / "runs" / job_file.job.name)
        print("verifying", flush=True)
        checked = verify(run, job_file)
        rows = _rows(run, status, memory, wall_s, bare_s)
        rows.append(
            Row(f"reading the state of {RECORDS} committed shards", measure_resume(run, job_file, folder), "s", "< 2")
        )
        print_rows(f"{status.committed} spectra, {asked.workers} worker jobs on {NODES} nodes", rows)
        print(f"\nverified: {'every byte as recorded' if checked.ok and not checked.pending else checked}")
        if asked.keep:
            shutil.move(run.path, asked.keep)
    return 0 if checked.ok and not checked.pending else 4


def _measure_parts(job_file: JobFile, settings: dict[str, Any], folder: Path) -> float:
    """Seconds that simulation alone and writing alone of all samples take on these cores.

    From few shards and from some more: what the start costs is paid once, not again for each part of the whole.
    """
    shard_samples, times = job_file.job.generate.shard_samples, []
    for shards in BARE_SHARDS:
        sample = read_job(JOB, {**settings, "generate.samples": shards * shard_samples})
        with environment_of_workers():
            simulation = simulate_alone(sample, folder, usable_cores())
            writing = write_alone(sample, folder, usable_cores())
        times.append(simulation.wall_s + writing.wall_s)
        for written in folder.glob("written-*"):
            shutil.rmtree(written)
    (few, some), (few_s, some_s) = BARE_SHARDS, times
    return few_s + (some_s - few_s) / (some - few) * (job_file.job.generate.samples / shard_samples - few)


def _through_the_cluster(
    cluster: Cluster, folder: Path, settings: dict[str, Any], workers: int
) -> tuple[Status, Memory, float]:
    """Submits the job, waits for its end and returns how it stands, with the seconds from submission on."""
    profile = read_profile("minislurm").model_dump(mode="json", exclude_none=True) | {"workers": workers}
    (folder / "here.toml").write_text(tomli_w.dumps(profile))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    command = [sys.executable, "-m", "xpshpc", "submit", str(JOB), "--on", str(folder / "here.toml"), "--yes", "--json"]
    command += ["--runs", str(folder / "runs"), "--stages", "generate"]
    command += [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    began = time.monotonic()
    answer = subprocess.run(
        command, env={**environment, **cluster.environment}, capture_output=True, text=True, check=False
    )
    told = json.loads(answer.stdout)
    if answer.returncode:
        raise SystemExit(f"{told['error']}\n{answer.stderr}")
    run, memory = RunDirectory(folder / "runs" / "million"), Memory()
    last = 0.0
    while True:
        memory.look(cluster)
        status = read_status(run)
        if status.planned and not status.pending:
            return status, memory, time.monotonic() - began
        if time.monotonic() - last > 15:
            last = time.monotonic()
            rate = f"{status.rate:.0f}/s" if status.rate else "starting"
            print(f"{status.committed + status.quarantined} of {status.planned}, {rate}", flush=True)
        time.sleep(POLL_S)


def _rows(run: RunDirectory, status: Status, memory: Memory, wall_s: float, bare_s: float) -> list[Row]:
    commits = [event for event in read_events(run.events) if event["event"] == "ShardCommitted"]
    first = min(event["time"] - event["seconds"] for event in commits)
    making_s = max(event["time"] for event in commits) - first
    files = [file.stat().st_size for file in run.data.rglob("*") if file.is_file() and file.name != "zarr.json"]
    spectra = [
        file.stat().st_size
        for file in (run.data / "spectrum").rglob("*")
        if file.is_file() and file.name != "zarr.json"
    ]
    return [
        Row("spectra a second, from submission to the last commit", status.committed / wall_s, "spectra/s"),
        Row("  from the first shard's beginning", status.committed / making_s, "spectra/s"),
        Row("against simulation + writing alone, from submission", wall_s / bare_s, "×", "≤ 1.15"),
        Row("  from the first shard's beginning", making_s / bare_s, "×"),
        Row("on the disk", sum(files) / 1e9, "GB"),
        Row("files of spectra", len(spectra), "files"),
        Row("  the smallest", min(spectra) / 1e6, "MB", "≥ 10"),
        Row("files of labels and of what was drawn", len(files) - len(spectra), "files"),
        Row("  together", (sum(files) - sum(spectra)) / 1e6, "MB"),
        Row("commit records", status.shards_committed, "files"),
        *(
            Row(f"peak resident memory: {kind}", peak, "MB", "< 500" if kind.startswith("coord") else "")
            for kind, peak in sorted(memory.peak_mb.items())
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())
