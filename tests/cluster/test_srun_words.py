"""SLURM's own words tell which rank ended first, and what the cluster did to the others."""

from __future__ import annotations

import pytest

from xpshpc.cluster.ranks.slots import horovod_slot, tasks_per_node
from xpshpc.cluster.ranks.srun import judge_launch, read_fate, read_srun_exit
from xpshpc.cluster.slurm.words import Verdict

KILLED = """\
srun: error: node1: task 1: Killed
srun: launch/slurm: _step_signal: Terminating StepId=2.0
slurmstepd-node1: error: *** STEP 2.0 ON node1 CANCELLED AT 2026-11-22T03:45:23 ***
srun: error: node1: task 0: Terminated
srun: error: node2: task 2: Terminated
"""


@pytest.mark.parametrize(
    ("said", "codes"),
    [
        (KILLED, {1: -9}),
        ("srun: error: node1: tasks 0-1,3: Exited with exit code 9\n", {0: 9, 1: 9, 3: 9}),
        ("srun: error: node2: task 2: Segmentation fault (core dumped)\n", {2: -11}),
        ("srun: error: node2: task 7: Exited with exit code 2\n", {}),
        ("srun: job 5 queued and waiting for resources\n", {}),
    ],
)
def test_the_first_end_counts_and_not_those_that_srun_made(said, codes):
    assert read_srun_exit(said, 4) == codes


@pytest.mark.parametrize(
    ("said", "fate"),
    [
        (
            "slurmstepd: error: *** STEP 5.0 ON node1 CANCELLED AT 2026-01-01T00:00:00 DUE TO TIME LIMIT ***",
            "time limit",
        ),
        ("slurmstepd: error: *** JOB 5 ON node1 CANCELLED AT 2026-01-01T00:00:00 DUE TO PREEMPTION ***", "preemption"),
        ("srun: error: Node failure on node2", "Node failure on node2"),
        ("slurmstepd: error: Detected 1 oom-kill event(s) in StepId=5.0.", "out of memory"),
        (KILLED, None),
    ],
)
def test_what_the_cluster_did_is_told(said, fate):
    assert read_fate(said) == fate


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        ("srun: error: Unable to allocate resources: Unable to contact slurm controller (connect failure)", "AGAIN"),
        ("srun: error: Unable to create step for job 12: Requested nodes are busy", "AGAIN"),
        ("srun: error: Unable to allocate resources: Socket timed out on send/recv operation", "AGAIN"),
        ("srun: error: Unable to allocate resources: Invalid partition name specified", "REFUSED"),
        (
            "srun: error: Unable to confirm allocation for job 8: Job is pending execution\n"
            "srun: Check SLURM_JOB_ID environment variable. Expired or invalid job 8",
            "GONE",
        ),
        ("srun: error: Unable to create step for job 12: More processors requested than permitted", "REFUSED"),
    ],
)
def test_a_launch_is_repeated_only_where_that_can_help(said, verdict):
    assert judge_launch(1, said) is Verdict[verdict]


def test_slurms_short_form_of_tasks_is_read():
    assert tasks_per_node("2(x3),1") == (2, 2, 2, 1)
    with pytest.raises(ValueError, match="SLURM_TASKS_PER_NODE"):
        tasks_per_node("many")


def test_slots_of_uneven_nodes_agree_with_each_other():
    places = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]
    slots = [
        horovod_slot(
            {
                "SLURM_STEP_TASKS_PER_NODE": "2(x2),1",
                "SLURM_STEP_NUM_TASKS": "5",
                "SLURM_PROCID": str(rank),
                "SLURM_NODEID": str(node),
                "SLURM_LOCALID": str(local),
                "SLURMD_NODENAME": f"node{node}",
            }
        )
        for rank, (node, local) in enumerate(places)
    ]
    assert [int(slot["HOROVOD_LOCAL_SIZE"]) for slot in slots] == [2, 2, 2, 2, 1]
    for local, nodes in ((0, [0, 1, 2]), (1, [0, 1])):
        across = [slot for slot in slots if slot["HOROVOD_LOCAL_RANK"] == str(local)]
        assert [int(slot["HOROVOD_CROSS_RANK"]) for slot in across] == nodes
        assert {int(slot["HOROVOD_CROSS_SIZE"]) for slot in across} == {len(nodes)}
