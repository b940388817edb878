from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from xpshpc.cluster.slurm.client import Slurm
from xpshpc.cluster.slurm.deadline import Deadline, fits

times = st.floats(0, 1e9)


@given(times, times, st.floats(0, 1e6), st.floats(0, 1e6))
def test_what_fits_has_ended_before_the_deadline(end: float, now: float, duration: float, margin: float) -> None:
    assert fits(end, now, duration, margin) == (now + duration + margin <= end)
    assert fits(None, now, duration, margin)


@given(times, times)
def test_time_left_is_never_less_than_nothing(end: float, now: float) -> None:
    assert Deadline(end).left_s(now) == max(0.0, end - now)
    assert Deadline(None).left_s(now) == float("inf")


def test_the_end_that_slurm_sets_is_taken_without_asking() -> None:
    assert Deadline.of_this_job(environment={"SLURM_JOB_END_TIME": "1795318971", "SLURM_JOB_ID": "1"}).end == 1795318971


def test_outside_slurm_nothing_ends() -> None:
    assert Deadline.of_this_job(environment={}) == Deadline(None)


def test_a_silent_controller_sets_no_deadline(tmp_path: Path) -> None:
    squeue = tmp_path / "squeue"
    squeue.write_text(f"#!/bin/sh\n: > {tmp_path}/asked\necho 'Unable to contact slurm controller' >&2\nexit 1\n")
    squeue.chmod(0o755)
    slurm = Slurm(patience_s=0, environment={"PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert Deadline.of_this_job(slurm, {"SLURM_JOB_ID": "1"}) == Deadline(None)
    assert (tmp_path / "asked").exists()
