"""What a one-machine SLURM consists of, on disk as JSON: from it, anyone can end the cluster."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import Field, ValidationError

from xpshpc.cluster.minislurm.configuration import Addresses
from xpshpc.cluster.minislurm.layout import Layout
from xpshpc.cluster.minislurm.network import Network
from xpshpc.cluster.minislurm.plan import ClusterPlan
from xpshpc.cluster.process import ProcessId
from xpshpc.config import Section
from xpshpc.errors import EnvironmentFault

RECORD, LOCK = "cluster.json", "lock"


class Record(Section):
    """A cluster as it stands: `ready` once all its nodes have been idle, `namespaces` are the nodes' own of pids."""

    plan: ClusterPlan
    layout: Layout
    network: Network | None = None
    addresses: Addresses | None = None
    processes: dict[str, ProcessId] = Field(default_factory=dict)
    namespaces: dict[str, str] = Field(default_factory=dict)
    ready: bool = False

    @property
    def located(self) -> Addresses:
        """Where its daemons listen; raises EnvironmentFault for a cluster that never came that far."""
        if self.addresses is None:
            raise EnvironmentFault(
                "this cluster never started", where=str(self.layout.root), try_="xpshpc cluster down"
            )
        return self.addresses

    def as_ready(self) -> Record:
        return self.model_copy(update={"ready": True})

    def with_addresses(self, addresses: Addresses) -> Record:
        return self.model_copy(update={"addresses": addresses})

    def with_network(self, network: Network) -> Record:
        return self.model_copy(update={"network": network})

    def with_process(self, name: str, process: ProcessId) -> Record:
        return self.model_copy(update={"processes": {**self.processes, name: process}})

    def without_process(self, name: str) -> Record:
        left = {key: process for key, process in self.processes.items() if key != name}
        spaces = {key: space for key, space in self.namespaces.items() if key != name}
        return self.model_copy(update={"processes": left, "namespaces": spaces})

    def with_namespace(self, node: str, namespace: str) -> Record:
        return self.model_copy(update={"namespaces": {**self.namespaces, node: namespace}})


def read_record(root: Path) -> Record | None:
    """The record of the cluster at `root`, None if there is none; raises EnvironmentFault for one not to be read."""
    path = root / RECORD
    try:
        return Record.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise EnvironmentFault(
            f"this is no record of a cluster: {error.errors()[0]['msg']}",
            where=str(path),
            try_="end its daemons by hand, then remove the folder",
        ) from None


def write_record(record: Record) -> Record:
    """Writes a record whole or not at all, and returns it."""
    path = record.layout.root / RECORD
    fresh = path.with_suffix(".new")
    fresh.write_text(record.model_dump_json(indent=2))
    fresh.replace(path)
    return record


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Keeps others from changing the cluster at `root` meanwhile; the kernel frees the lock of a dead process."""
    while True:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            lock = os.open(root / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _is_current(lock, root / LOCK):
                yield
                return
        finally:
            os.close(lock)


def remove_record(root: Path) -> None:
    """Removes record, lock and, if nothing else is in it, the root; call it with the lock held, as the last thing."""
    for name in (RECORD, "cluster.new", LOCK):
        (root / name).unlink(missing_ok=True)
    try:
        root.rmdir()
    except OSError:
        return


def _is_current(lock: int, path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    ours = os.fstat(lock)
    return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)
