from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpshpc.cluster.slurm.tables import (
    COLUMN,
    JOB_FIELDS,
    PARTITION_FIELDS,
    JobState,
    Partition,
    read_accounts,
    read_limits,
    read_partitions,
    read_queue,
    split_array,
)
from xpshpc.cluster.slurm.words import Verdict, judge, read_submitted

PENDING = ("7_3", "fit|it", "PENDING", "Dependency", "", "0", "1795318971", "N/A", "N/A", "1-00:10:00", "2", "a:b")
RUNNING = (
    "8",
    "x",
    "RUNNING",
    "None",
    "node[1-2]",
    "0",
    "1795318971",
    "1795318975",
    "1795322571",
    "59:59",
    "0",
    "(null)",
)
FAILED = (
    "9",
    "x",
    "FAILED",
    "NonZeroExitCode",
    "node1",
    "768",
    "1795318971",
    "1795318975",
    "1795318977",
    "0:00",
    "0",
    "",
)
KILLED = (
    "10",
    "x",
    "FAILED",
    "RaisedSignal:9",
    "node1",
    "9",
    "1795318971",
    "1795318975",
    "1795318977",
    "0:00",
    "0",
    "",
)


def table(*rows: tuple[str, ...]) -> str:
    return "".join(COLUMN.join(row) + COLUMN + "\n" for row in rows)


@pytest.mark.parametrize(
    ("code", "words", "verdict"),
    [
        (0, "", Verdict.DONE),
        (0, "sbatch: warning: the cluster is busy, timed out once", Verdict.DONE),
        (None, "", Verdict.AGAIN),
        (1, "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation", Verdict.AGAIN),
        (1, "slurm_load_jobs error: Unable to contact slurm controller (connect failure)", Verdict.AGAIN),
        (1, "squeue: error: slurm_receive_msg: Zero Bytes were transmitted or received", Verdict.AGAIN),
        (1, "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying", Verdict.AGAIN),
        (1, 'error: Munge encode failed: Failed to access "/run/munge/munge.socket.2"', Verdict.AGAIN),
        (1, "sbatch: error: Batch job submission failed: Invalid partition name specified", Verdict.REFUSED),
        (1, "Batch job submission failed: Invalid account or account/partition combination", Verdict.REFUSED),
        (1, "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)", Verdict.REFUSED),
        (
            1,
            "sbatch: error: Batch job submission failed: Requested node configuration is not available",
            Verdict.REFUSED,
        ),
        (1, "slurm_load_jobs error: Invalid job id specified", Verdict.GONE),
        (1, "Invalid job id specified for job 9999\n", Verdict.GONE),
        (1, "Invalid job id specified\nKill job error on job id 5: Access/permission denied", Verdict.REFUSED),
        (127, "env: 'sbatch': No such file or directory", Verdict.MISSING),
        (1, "", Verdict.REFUSED),
    ],
)
def test_only_what_passes_by_itself_is_worth_another_try(code: int | None, words: str, verdict: Verdict) -> None:
    assert judge(code, words) is verdict


def test_the_number_of_a_job_is_found_among_what_a_sites_plugin_says() -> None:
    assert read_submitted("123\n") == "123"
    assert read_submitted("123;mini\n") == "123"
    assert read_submitted("charging account 55 for 3 h\n4711;big\n") == "4711"
    assert read_submitted("Your job waits.\n") is None


def test_a_queue_is_read_as_slurm_writes_it() -> None:
    pending, running, failed, killed = read_queue(table(PENDING, RUNNING, FAILED, KILLED))
    assert pending == JobState(
        "7_3", "fit|it", "PENDING", "Dependency", submitted=1795318971, time_left_s=87000, restarts=2, comment="a:b"
    )
    assert (running.nodes, running.reason, running.started, running.time_left_s) == ("node[1-2]", "", 1795318975, 3599)
    assert running.comment == ""
    assert (failed.exit_code, failed.ended, failed.time_left_s) == (3, 1795318977, None)
    assert killed.exit_code == -9


def test_the_end_of_a_job_is_not_told_before_it_ends() -> None:
    (running,) = read_queue(table(RUNNING))
    assert running.ended is None
    assert running.exit_code is None


def test_a_job_is_waiting_or_over_or_between_the_two() -> None:
    states = {"PENDING": (True, False), "REQUEUED": (True, False), "RUNNING": (False, False)}
    states |= {"COMPLETING": (False, False), "CONFIGURING": (False, False), "SUSPENDED": (False, False)}
    states |= dict.fromkeys(("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED"), (False, True))
    for state, (waiting, over) in states.items():
        job = JobState("1", "x", state)
        assert (job.waiting, job.over, job.active) == (waiting, over, not over)


def test_lines_that_are_no_jobs_are_passed_over() -> None:
    assert read_queue("squeue: warning: something\n" + table(PENDING) + "\n") == read_queue(table(PENDING))


def test_accounts_are_read_as_sacct_writes_them() -> None:
    line = "12|x|CANCELLED by 0|None|None assigned|0:15|1795318971|Unknown|1795318977|one|two"
    (job,) = read_accounts(line + "\n")
    assert (job.state, job.exit_code, job.nodes, job.started, job.comment) == ("CANCELLED", -15, "", None, "one|two")
    (failed,) = read_accounts("13|x|FAILED|NonZeroExitCode|node1|5:0|1795318971|1795318975|1795318977|")
    assert failed.exit_code == 5


def test_a_partition_of_unequal_nodes_counts_as_its_largest() -> None:
    rows = (
        ("gpu*", "up", "1-00:00:00", "3", "32+", "128000+", "gpu:a100:4"),
        ("gpu*", "up", "1-00:00:00", "2", "64", "64000", "gpu:h100:8"),
        ("free", "down", "infinite", "1", "2", "4000", "(null)"),
    )
    assert len(PARTITION_FIELDS) == len(rows[0])
    gpu, free = read_partitions(table(*rows))
    assert gpu == Partition("gpu", "up", True, 86400, 5, 64, 128000, "gpu:a100:4,gpu:h100:8")
    assert (free.max_time_s, free.state, free.gres) == (None, "down", "")


def test_the_least_of_the_limits_counts() -> None:
    configuration = "MaxArraySize            = 2001\nClusterName             = mini\n"
    assert read_limits(configuration, "") == read_limits(configuration, "|\n|\n")
    limits = read_limits(configuration, "100|\n|40\n")
    assert (limits.max_array, limits.max_submit_jobs, limits.cluster_name) == (2001, 40, "mini")


@given(st.integers(0, 5000), st.integers(1, 700), st.none() | st.integers(-5, 6000))
def test_a_split_array_is_the_whole_that_has_room_in_pieces_that_slurm_takes(
    count: int, most: int, room: int | None
) -> None:
    pieces = split_array(count, most, room)
    expected = count if room is None else min(count, max(0, room))
    assert [item for piece in pieces for item in piece] == list(range(expected))
    assert all(0 < len(piece) <= most for piece in pieces)
    assert len(pieces) == -(-expected // most)


@given(st.text(max_size=300))
def test_no_words_of_slurm_break_the_reading(words: str) -> None:
    assert isinstance(judge(1, words), Verdict)
    assert all(len(job.job_id) <= len(words) for job in read_queue(words))
    assert len(JOB_FIELDS) == len(PENDING)
