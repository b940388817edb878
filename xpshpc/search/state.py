"""Where a trial stands."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a trial stands.

    PENDING: to be begun, or to be gone on with after its attempt ended. PAUSED: it waits at a rung of successive
    halving. STOPPED: poor, ended early for good. FINISHED: its network is trained. FAILED: given up.
    """

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    FINISHED = "finished"
    FAILED = "failed"
