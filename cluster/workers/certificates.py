"""Certificates of one coordinator: whoever has them may speak to its scheduler and workers, and nobody else."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_CERTIFICATE, _KEY = "certificate.pem", "key.pem"


@dataclass(frozen=True)
class Certificates:
    """A self-signed certificate and its key in a folder that only the owner can enter."""

    folder: Path

    def security(self) -> Any:
        """Dask's Security for every role: both ends show this certificate and accept no other."""
        from distributed import Security

        certificate, key = str(self.folder / _CERTIFICATE), str(self.folder / _KEY)
        ends = {f"tls_{role}_cert": certificate for role in ("client", "scheduler", "worker")}
        keys = {f"tls_{role}_key": key for role in ("client", "scheduler", "worker")}
        return Security(require_encryption=True, tls_ca_file=certificate, **ends, **keys)


@contextlib.contextmanager
def fresh_certificates(folder: Path) -> Iterator[Certificates]:
    """Certificates (mode 0600) in a new folder (mode 0700) for the time of a block. FileExistsError if it is there."""
    from distributed import Security

    temporary = Security.temporary()
    folder.mkdir(mode=0o700, parents=True)
    try:
        _write_privately(folder / _CERTIFICATE, temporary.tls_ca_file)
        _write_privately(folder / _KEY, temporary.tls_scheduler_key)
        yield Certificates(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write_privately(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(handle)
