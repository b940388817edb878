"""The workers of this machine: nobody else can reach them, and they leave the coordinator as it was."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from xpshpc.cluster.workers.launch import open_local_client


def environment_of_worker() -> dict[str, str]:
    return dict(os.environ)


def sigint_is_ignored() -> bool:
    return signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def print_to_stdout() -> None:
    os.write(1, b"a source that prints\n")


def test_workers_are_private_quiet_and_gone_afterwards(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = dict(os.environ)
    log = tmp_path / "workers.log"
    with open_local_client(2, scratch=tmp_path / "scratch", log=log) as client:
        workers = [psutil.Process(pid) for pid in client.run(os.getpid).values()]
        assert len(workers) == 2
        listening = [
            connection.laddr.ip
            for process in [psutil.Process(), *workers]
            for connection in process.net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        ]
        assert listening
        assert set(listening) == {"127.0.0.1"}
        assert (tmp_path / "scratch").stat().st_mode & 0o777 == 0o700
        for environment in client.run(environment_of_worker).values():
            assert environment["OMP_NUM_THREADS"] == environment["OPENBLAS_NUM_THREADS"] == "1"
        assert all(client.run(sigint_is_ignored).values())
        client.run(print_to_stdout)
    assert not [worker for worker in workers if worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE]
    assert dict(os.environ) == before
    assert capfd.readouterr() == ("", "")
    assert log.read_text() == "a source that prints\n" * 2
