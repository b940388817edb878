"""What a site's operator does in such a night: SLURM itself holds a job, or leaves a node out, until somebody looks.

A controller that was killed forgets the last seconds and starts a job again that runs already. The node answers with
"Duplicate jobid" and is drained, the job is held: "launch failed requeued held".
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from xpshpc.cluster.minislurm import Cluster

ROUND_S = 2.0
DRAINED_BY = ("Duplicate jobid", "unexpectedly rebooted")
HELD_BY = "launch failed requeued held"


@contextmanager
def on_duty(cluster: Cluster) -> Iterator[None]:
    """Somebody looks at the cluster every two seconds for the time of a block."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(ROUND_S):
            status = cluster.status()
            for node in status.nodes:
                if any(words in node.reason for words in DRAINED_BY):
                    cluster.run("scontrol", "update", f"nodename={node.name}", "state=resume")
            for job in status.jobs:
                if HELD_BY in job.reason:
                    cluster.run("scontrol", "release", job.id)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
