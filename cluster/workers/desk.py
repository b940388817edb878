"""SLURM asked from a thread of its own: a controller that is slow or away holds nobody up."""

from __future__ import annotations

import contextlib
import queue
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from xpshpc.cluster.slurm.client import JobState, Slurm, SlurmUnreachable
from xpshpc.errors import XpshpcError


def fresh_token() -> str:
    """A comment by which jobs are known as those of one request."""
    return f"xpshpc:{uuid.uuid4().hex}"


@dataclass(frozen=True)
class Submit:
    """Ask for so many jobs as one array; the token keeps a repeated request from making a second one."""

    jobs: int
    options: tuple[str, ...] = ()
    token: str = field(default_factory=fresh_token)


@dataclass(frozen=True)
class Cancel:
    """End these jobs."""

    job_ids: tuple[str, ...]


@dataclass(frozen=True)
class Look:
    """See now how the jobs are."""


@dataclass(frozen=True)
class Submitted:
    """These jobs are in the queue."""

    job_ids: tuple[str, ...]


@dataclass(frozen=True)
class Listed:
    """The jobs as SLURM tells them."""

    jobs: tuple[JobState, ...]


@dataclass(frozen=True)
class Unanswered:
    """SLURM does not answer; what was asked is asked again."""

    error: XpshpcError


@dataclass(frozen=True)
class Refused:
    """SLURM said no."""

    error: XpshpcError


Request = Submit | Cancel | Look
Answer = Submitted | Listed | Unanswered | Refused


class JobDesk:
    """Passes requests on to SLURM one after the other, and looks at the jobs every `poll_s` seconds."""

    def __init__(self, slurm: Slurm, script: Path, job_name: str, poll_s: float) -> None:
        self._slurm, self._script, self._job_name = slurm, script, job_name
        self.poll_s = poll_s
        self._requests: queue.SimpleQueue[Request] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="job desk", daemon=True)
        self._thread.start()

    def ask(self, request: Request) -> None:
        self._requests.put(request)

    def answers(self) -> Sequence[Answer]:
        """What SLURM has said since the last call."""
        answers: list[Answer] = []
        while True:
            try:
                answers.append(self._answers.get_nowait())
            except queue.Empty:
                return answers

    def close(self) -> None:
        """Takes no more requests; returns when the last one has ended."""
        self._closing.set()
        self._requests.put(Look())
        self._thread.join()

    def _serve(self) -> None:
        open_requests: list[Request] = []
        while not self._closing.is_set():
            with contextlib.suppress(queue.Empty):
                open_requests.append(self._requests.get(timeout=self.poll_s))
            try:
                while open_requests and not self._closing.is_set():
                    self._pass_on(open_requests[0])
                    open_requests.pop(0)
                if self._closing.is_set():
                    return
                self._answers.put(Listed(tuple(self._slurm.jobs(name=self._job_name))))
            except SlurmUnreachable as error:
                self._answers.put(Unanswered(error))
            except XpshpcError as error:
                self._answers.put(Refused(error))
                open_requests.clear()

    def _pass_on(self, request: Request) -> None:
        match request:
            case Submit():
                tasks = range(request.jobs)
                job_id = self._slurm.submit(self._script, options=request.options, array=tasks, token=request.token)
                self._answers.put(Submitted(tuple(f"{job_id}_{task}" for task in tasks)))
            case Cancel():
                self._slurm.cancel(request.job_ids)
            case Look():
                pass
