"""What each new worker process does before its first task; Dask loads this module there by its name."""

from __future__ import annotations

import os
import signal
import socket
from typing import Any

from xpshpc.cluster.slurm.client import own_job
from xpshpc.cluster.tether import die_with_parent
from xpshpc.cluster.workers.dask_settings import PARENT_VARIABLE
from xpshpc.cluster.workers.steady_clock import count_steadily

LOG_VARIABLE = "XPSHPC_WORKER_LOG"


def dask_setup(worker: Any) -> None:
    """Called by Dask in each new worker process: ties its life to its nanny's, and puts its output aside."""
    count_steadily()
    die_with_parent(int(os.environ[PARENT_VARIABLE]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at a terminal reaches the whole group; we stop the workers
    log = os.environ.get(LOG_VARIABLE)
    if log:
        target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(target, 2)
        os.close(target)
    os.dup2(2, 1)  # what a source prints must not get between the lines of the coordinator's answer
    worker.startup_information["host"] = lambda _worker: socket.gethostname()
    worker.startup_information["job_id"] = lambda _worker: own_job() or ""
