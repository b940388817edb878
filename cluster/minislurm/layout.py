"""Which file of a one-machine SLURM lies where."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LONGEST_ROOT = 48
"""Bytes of a root under which Unix sockets still fit into their 108 bytes; those of PMIx need the most."""

_OWN = ("etc", "log", "state", "gpu", "database", "run")


@dataclass(frozen=True)
class Layout:
    """The files below `root`; `short` holds those that are Unix sockets, and is `root/run` unless that is too long."""

    root: Path
    short: Path

    @property
    def slurm_conf(self) -> Path:
        return self.root / "etc" / "slurm.conf"

    @property
    def hosts(self) -> Path:
        return self.root / "etc" / "hosts"

    @property
    def resolver(self) -> Path:
        return self.root / "etc" / "resolv.conf"

    @property
    def controller_state(self) -> Path:
        return self.root / "state"

    @property
    def database(self) -> Path:
        return self.root / "database"

    @property
    def munge_key(self) -> Path:
        return self.root / "etc" / "munge.key"

    @property
    def munge_socket(self) -> Path:
        return self.short / "munge.sock"

    @property
    def database_socket(self) -> Path:
        return self.short / "mariadb.sock"

    @property
    def finished_jobs(self) -> Path:
        return self.root / "log" / "jobcomp.txt"

    def log(self, name: str) -> Path:
        """What a daemon of SLURM logs, with times."""
        return self.root / "log" / f"{name}.log"

    def words(self, name: str) -> Path:
        """What a daemon says on its output: the same, and what it says before it has a log."""
        return self.root / "log" / f"{name}.out"

    def spool(self, node: str) -> Path:
        return self.short / "spool" / node

    def scratch(self, node: str) -> Path:
        return self.short / "tmp" / node

    def gpu(self, node: str, number: int) -> Path:
        return self.root / "gpu" / f"{node}-gpu{number}"


def lay_out(root: Path) -> Layout:
    """The layout for a root that is absolute and resolved; makes the short folder where the root is too long."""
    if len(os.fsencode(root)) <= LONGEST_ROOT:
        return Layout(root, root / "run")
    return Layout(root, Path(tempfile.mkdtemp(prefix="minislurm-", dir="/tmp")))


def make_folders(layout: Layout, nodes: Sequence[str], gpus: int) -> None:
    """Makes every folder, mode 0700, and the fake GPUs: links to /dev/null, since SLURM wants devices."""
    folders = [layout.root / name for name in ("etc", "log", "state", "gpu")]
    folders += [layout.short, layout.short / "spool", layout.short / "tmp"]
    folders += [place(node) for node in nodes for place in (layout.spool, layout.scratch)]
    for folder in folders:
        folder.mkdir(mode=0o700, exist_ok=True)
    for node in nodes:
        for number in range(gpus):
            layout.gpu(node, number).symlink_to("/dev/null")


def occupied(root: Path) -> tuple[Path, ...]:
    """What lies at `root` under the names of a cluster's folders, and would be removed with it."""
    return tuple(root / name for name in _OWN if (root / name).exists())


def remove_folders(layout: Layout) -> None:
    """Removes all that `make_folders` and the daemons made, and nothing else."""
    for name in _OWN:
        shutil.rmtree(layout.root / name, ignore_errors=True)
    shutil.rmtree(layout.short, ignore_errors=True)
