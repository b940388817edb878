"""Worker jobs of a run in SLURM's queue: a scheduler for them, their script, and none of them left at the end."""

from __future__ import annotations

import contextlib
import math
import uuid
from collections.abc import Iterator

from xpshpc.cluster.address import is_loopback, own_address
from xpshpc.cluster.profile import Profile
from xpshpc.cluster.site import Limits
from xpshpc.cluster.slurm.client import Slurm
from xpshpc.cluster.workers.certificates import Certificates, fresh_certificates
from xpshpc.cluster.workers.dask_settings import START_S, dask_settings, own_dask
from xpshpc.cluster.workers.desk import JobDesk, fresh_token
from xpshpc.cluster.workers.fleet import QUICK_LOOK_S, Fleet
from xpshpc.cluster.workers.queue import PATIENCE_S, cancel_jobs, leave_none, worker_job_name, worker_script
from xpshpc.cluster.workers.script import ARRAY_NAME, WorkerJob, worker_job_options
from xpshpc.errors import EnvironmentFault
from xpshpc.events import Listener
from xpshpc.run_directory import RunDirectory, write_atomically


@contextlib.contextmanager
def open_fleet(profile: Profile, workers: int, run: RunDirectory, on_event: Listener) -> Iterator[Fleet]:
    """So many workers in SLURM jobs as the profile says, asked for now and kept up until the end of the block.

    The scheduler lives in this process and listens on the address that faces the nodes, with certificates of this call
    alone unless that is the loopback. At the end no job of ours is left in the queue or running. Jobs that an earlier
    coordinator of the run left behind are cancelled first. Raises UsageError where SLURM refuses, EnvironmentFault
    where it does not answer.
    """
    from dask_jobqueue import SLURMCluster
    from distributed import Client

    site = profile.site
    slurm = Slurm(patience_s=site.limits.query_patience_s)
    job_name = worker_job_name(run.path)
    cancel_jobs(slurm, job_name)
    logs = run.logs / "workers"
    logs.mkdir(parents=True, exist_ok=True)
    host = own_address(site.interface)
    token = fresh_token()
    with contextlib.ExitStack() as stack:
        certificates: Certificates | None = None
        if not is_loopback(host):
            # In staging: whoever takes the run over clears what we leave, and we nothing of theirs.
            folder = run.staging.absolute() / f"tls-{uuid.uuid4().hex}"
            certificates = stack.enter_context(fresh_certificates(folder))
        options = worker_job_options(
            profile,
            job_name=job_name,
            logs=logs.absolute(),
            scratch=run.staging.absolute() / "dask",
            certificates=None if certificates is None else certificates.folder,
            token=token,
        )
        stack.enter_context(own_dask(dask_settings(site.limits.lost_after_s)))
        try:
            cluster = SLURMCluster(
                job_cls=WorkerJob,
                security=None if certificates is None else certificates.security(),
                scheduler_options={"host": host, "dashboard_address": "127.0.0.1:0", "dashboard": False},
                silence_logs="CRITICAL",
                **options,
            )
        except (OSError, RuntimeError, TimeoutError) as error:
            raise EnvironmentFault(
                f"the scheduler of the workers does not start: {error}", where=host, try_="xpshpc doctor"
            ) from error
        tokens = {token}
        stack.callback(leave_none, job_name, tokens)
        stack.callback(cluster.close)
        client = stack.enter_context(Client(cluster, timeout=START_S, set_as_default=False))
        script = WorkerJob(cluster.scheduler_address, ARRAY_NAME, **options).job_script()
        file = worker_script(run)
        write_atomically(file, script.encode())
        if site.generate.adaptive:
            cluster.adapt(minimum_jobs=1, maximum_jobs=math.ceil(workers / site.generate.workers_per_job))
        limits = _site_limits(profile, slurm)
        desk = JobDesk(Slurm(patience_s=PATIENCE_S), file, job_name, QUICK_LOOK_S)
        stack.callback(desk.close)
        yield Fleet(profile, workers, client, desk, limits, logs, on_event, tokens)


def _site_limits(profile: Profile, slurm: Slurm) -> Limits:
    """The profile's limits, completed and narrowed by what SLURM tells."""
    site = profile.site
    found = slurm.limits(account=site.account, qos=site.generate.qos or site.qos)
    narrowed = {
        "max_array": min(filter(None, (site.limits.max_array, found.max_array)), default=None),
        "max_jobs": min(filter(None, (site.limits.max_jobs, found.max_submit_jobs)), default=None),
    }
    return site.limits.model_copy(update=narrowed)
