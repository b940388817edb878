"""What a node tells of itself: `python -m xpshpc.cluster.readiness.node_report ANSWER-FILE TOKEN-FILE [SCRATCH]`.

The answer, a JSON object, carries the token back, so that whoever asked knows that both see the same folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import psutil

from xpshpc.cluster.filesystem import nearest_existing
from xpshpc.cluster.machine import usable_cores, usable_memory
from xpshpc.cluster.profile import expand_variables
from xpshpc.cluster.readiness.pins import guarded_packages, installed_version
from xpshpc.errors import UsageError


@dataclass(frozen=True)
class NodeReport:
    """One node: versions by package, addresses by network interface, GPUs as SLURM gave them, memory in bytes.

    `scratch_fault` says why the folder for temporary files is of no use; empty where it is, or none was asked for.
    """

    token: str
    host: str
    versions: Mapping[str, str]
    interfaces: Mapping[str, Sequence[str]]
    gpus: Sequence[str]
    cores: int
    memory: int
    scratch: str = ""
    scratch_fault: str = ""


def own_versions() -> dict[str, str]:
    """Versions of Python, of this program and of the packages it rests on; what is not installed is `missing`."""
    packages = {name: installed_version(name) or "missing" for name in (*guarded_packages(), "horovod")}
    xpshpc = f"{installed_version('xpshpc') or 'missing'} (source {_source_mark()})"
    return {"python": platform.python_version(), "xpshpc": xpshpc, **packages}


def report(token: str, scratch: str = "", environment: Mapping[str, str] = os.environ) -> NodeReport:
    """The report of this node; `scratch` may hold $VARIABLES, which mean those of the node."""
    folder, fault = _try_scratch(scratch, environment)
    return NodeReport(
        token,
        socket.gethostname(),
        own_versions(),
        own_interfaces(),
        [each for each in environment.get("CUDA_VISIBLE_DEVICES", "").split(",") if each not in ("", "NoDevFiles")],
        usable_cores(),
        usable_memory(),
        folder,
        fault,
    )


def own_interfaces() -> dict[str, list[str]]:
    """Internet addresses of the network interfaces that are up."""
    up = {name for name, state in psutil.net_if_stats().items() if state.isup}
    return {
        name: [address.address for address in addresses if address.family in (socket.AF_INET, socket.AF_INET6)]
        for name, addresses in psutil.net_if_addrs().items()
        if name in up
    }


def read_report(file: Path) -> NodeReport | None:
    """A report as a node wrote it; None where it is not there yet, or not whole."""
    try:
        tables: dict[str, Any] = json.loads(file.read_bytes())
        return NodeReport(**tables)
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _try_scratch(scratch: str, environment: Mapping[str, str]) -> tuple[str, str]:
    if not scratch:
        return "", ""
    try:
        folder = Path(expand_variables(scratch, environment, where="scratch")).expanduser()
        with tempfile.TemporaryFile(dir=nearest_existing(folder)) as file:
            file.write(b"xpshpc")
            file.flush()
    except UsageError as error:
        return scratch, error.what
    except OSError as error:
        return scratch, error.strerror or str(error)
    return str(folder), ""


def _source_mark() -> str:
    """A short hash of the program's own text: two working copies of one version differ by it."""
    digest = hashlib.sha256()
    for package in ("xpshpc", "xpshpc.cluster"):
        for name, text in sorted(_modules(files(package), "")):
            digest.update(f"{package}/{name}\0".encode() + text + b"\0")
    return digest.hexdigest()[:8]


def _modules(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _modules(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".py"):
            found.append((f"{prefix}{entry.name}", entry.read_bytes()))
    return found


def main(arguments: Sequence[str]) -> int:
    """Writes the answer beside its name first, so that who reads it reads it whole."""
    answer, token, *rest = arguments
    told = report(Path(token).read_text(), rest[0] if rest else "")
    temporary = Path(f"{answer}.part")
    temporary.write_text(json.dumps(asdict(told)))
    temporary.replace(answer)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
