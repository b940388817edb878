"""No core, node or GPU is given to two trials, and a search that asks for too much is told so."""

from __future__ import annotations

import pytest

from xpshpc.cluster.machine import usable_cores
from xpshpc.cluster.profile import Profile
from xpshpc.cluster.ranks.srun import srun_command
from xpshpc.cluster.submission.request import requests_of
from xpshpc.config import Budget
from xpshpc.errors import UsageError
from xpshpc.search.room import Allocation, find_room, own_allocation
from xpshpc.search.search import check_budget

INSIDE = {"SLURM_JOB_ID": "7", "SLURM_JOB_CPUS_PER_NODE": "8(x3),4", "SLURM_MEM_PER_NODE": "16384"}


def site(**words):
    slurm = {"interface": "lo", "train": {"nodes": 2, "cpus_per_rank": 2, "memory_per_rank": "2G"}, **words}
    return Profile.model_validate(
        {"name": "site", "kind": "slurm", "workers": 1, "ranks": 4, "launcher": "srun-gloo", "slurm": slurm}
    )


@pytest.mark.parametrize("threads", ["share", 1, 2])
@pytest.mark.parametrize("wanted", [1, 2, 3, 1000])
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_on_one_host_trials_share_the_cores_out_and_never_a_core(ranks, wanted, threads):
    room = find_room(Profile(name="here", threads_per_rank=threads), ranks, wanted, {})
    assert 1 <= room.parallel <= wanted
    assert room.parallel == 1 or room.parallel * room.cores <= usable_cores()
    assert bool(room.note) == (room.parallel < wanted)
    assert threads == "share" or room.threads_per_rank == threads


def test_hours_of_gpus_are_a_budget_only_where_trials_hold_some():
    hours = Budget(gpu_hours=2)
    with pytest.raises(UsageError, match="no GPUs") as caught:
        check_budget(hours, find_room(Profile(name="here"), 2, 1, {}))
    assert caught.value.where == "search.budget.gpu_hours" and "gpus_per_node" in caught.value.try_
    with_gpus = site(train={"nodes": 2, "cpus_per_rank": 2, "memory_per_rank": "2G", "gpus_per_node": 2})
    check_budget(hours, find_room(with_gpus, 4, 1, {}))
    check_budget(Budget(core_hours=2), find_room(Profile(name="here"), 2, 1, {}))


def test_outside_a_job_every_trial_asks_the_queue_as_far_as_the_site_lets_it():
    room = find_room(site(), 4, 10, {})
    assert (room.parallel, room.note, room.cores) == (10, "", 8)
    assert not room.step.beside_others
    few = find_room(site(limits={"max_jobs": 3}), 4, 10, {})
    assert few.parallel == 3 and "max_jobs" in few.note


def test_inside_a_job_gangs_get_nodes_of_their_own_and_say_so_to_srun():
    room = find_room(site(), 4, 10, INSIDE)
    assert room.parallel == 2 and "the job has 4 node(s)" in room.note
    words = srun_command(room.step, 4, mpi="none", inside=True, job_name="trial", command=["true"])
    assert "--exact" in words and "--mem=4096M" in words and "--overlap" not in words
    alone = find_room(site(), 4, 1, INSIDE)
    words = srun_command(alone.step, 4, mpi="none", inside=True, job_name="trial", command=["true"])
    assert "--overlap" in words and "--exact" not in words


@pytest.mark.parametrize(
    ("allocation", "gangs"),
    [
        (Allocation(4, 4, None, 0), 2),
        (Allocation(4, 8, None, 0), 4),
        (Allocation(4, 8, 4096, 0), 2),
        (Allocation(5, 11, 9000, 0), 4),
        (Allocation(1, 64, None, 0), 0),
        (Allocation(2, 3, None, 0), 0),
    ],
)
def test_an_allocation_holds_as_many_gangs_as_its_scarcest_part_allows(allocation, gangs):
    assert allocation.holds(find_room(site(), 4, 1, {}).step) == gangs


def test_an_allocation_is_read_off_slurms_variables():
    assert own_allocation({}) is None
    assert own_allocation(INSIDE) == Allocation(4, 4, 16384, 0)
    gpus = {**INSIDE, "SLURM_JOB_CPUS_PER_NODE": "16", "SLURM_MEM_PER_NODE": "0", "SLURM_GPUS_ON_NODE": "2"}
    assert own_allocation(gpus) == Allocation(1, 16, None, 2)


@pytest.mark.parametrize("parallel", [1, 3])
def test_a_job_of_a_search_asks_for_what_its_trials_need_together(parallel):
    (request,) = requests_of(site(), "search", ranks=4, parallel=parallel)
    assert (request.nodes, request.cpus, request.memory_mb) == (2 * parallel, 4, 4096)
    (training,) = requests_of(site(), "train", ranks=4, parallel=parallel)
    assert training.nodes == 2
    environment = {
        "SLURM_JOB_ID": "7",
        "SLURM_JOB_CPUS_PER_NODE": f"{request.cpus}(x{request.nodes})",
        "SLURM_MEM_PER_NODE": str(request.memory_mb),
    }
    assert find_room(site(), 4, parallel, environment).parallel == parallel
