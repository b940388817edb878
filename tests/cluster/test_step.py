"""A profile's words become what srun is asked for; what cannot be is refused before anything starts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpshpc.cluster.profile import Profile, read_profile
from xpshpc.cluster.ranks.srun import srun_command, step_environment
from xpshpc.cluster.ranks.step import Step, step_of
from xpshpc.errors import UsageError


def site(launcher: str = "srun-gloo", **tables: Any) -> Profile:
    return Profile.model_validate(
        {"name": "site", "kind": "slurm", "workers": 4, "launcher": launcher, "slurm": {"partition": "cpu", **tables}}
    )


def test_this_host_alone_needs_no_step():
    assert step_of(read_profile("local"), "train", 2) is None
    assert step_of(site("gloo"), "train", 8) is None
    assert step_of(site("mpirun"), "train", 8) is None


@given(ranks=st.integers(1, 5000), nodes=st.integers(1, 300))
def test_all_ranks_have_a_place_and_no_node_is_asked_for_in_vain(ranks, nodes):
    step = step_of(site(train={"nodes": nodes}), "train", ranks)
    assert step is not None and step.nodes <= min(nodes, ranks)
    assert step.nodes * (step.ranks_per_node - 1) < ranks <= step.nodes * step.ranks_per_node


def test_the_stage_has_the_last_word_and_the_site_the_first():
    profile = site(
        account="xps", interface="ib0", train={"nodes": 2, "partition": "gpu", "gpus_per_node": 4, "gpu_type": "a100"}
    )
    step = step_of(profile, "evaluate", 8)
    assert step is not None
    assert (step.partition, step.account, step.interface) == ("gpu", "xps", "ib0")
    assert (step.gres, step.memory_per_node_mb) == ("gpu:a100:4", 4 * 4096)
    assert step_of(site(account="xps"), "train", 8).partition == "cpu"


def test_a_rank_without_a_gpu_is_refused_with_the_number_that_fits():
    profile = site(train={"nodes": 2, "gpus_per_node": 2})
    with pytest.raises(UsageError, match=r"5 ranks on 2 node\(s\) are 3 a node, which has 2 GPU") as caught:
        step_of(profile, "train", 5)
    assert caught.value.try_ == "--ranks 4, or nodes = 3"
    assert step_of(profile, "train", 4) is not None


def test_a_launcher_that_reaches_one_host_is_refused_for_more():
    with pytest.raises(UsageError, match="one host only"):
        step_of(site("gloo", train={"nodes": 2}), "train", 2)


def test_a_step_of_a_job_asks_for_no_queue():
    step = Step(2, 2, gpus_per_node=2, partition="gpu", account="xps", time="01:00:00", options=("--exclusive",))
    inside, outside = (
        srun_command(step, 4, mpi="none", inside=inside, job_name="ranks", command=["python"])
        for inside in (True, False)
    )
    both = {"--nodes=2", "--ntasks=4", "--ntasks-per-node=2", "--gres=gpu:2", "--kill-on-bad-exit=1", "--mpi=none"}
    assert both <= set(inside) and both <= set(outside)
    assert "--overlap" in inside and not any(word.startswith(("--partition", "--account", "--time")) for word in inside)
    assert {"--partition=gpu", "--account=xps", "--time=01:00:00", "--exclusive", "--mem=8192M"} <= set(outside)
    assert inside[-1] == outside[-1] == "python"


def test_ranks_that_do_not_fill_all_nodes_alike_are_left_to_slurm():
    words = srun_command(Step(2, 2), 3, mpi="pmix", inside=True, job_name="ranks", command=["python"])
    assert "--ntasks=3" in words and not any(word.startswith("--ntasks-per-node") for word in words)


def test_the_jobs_own_shape_does_not_leak_into_the_step():
    around = {
        "HOME": "/h",
        "SLURM_CONF": "/etc/slurm.conf",
        "SLURM_JOB_ID": "7",
        "SLURM_JOBID": "7",
        "SLURM_JOB_NODELIST": "node[1-2]",
        "SLURM_MEM_PER_CPU": "100",
        "SLURM_NTASKS": "9",
        "SLURM_EXPORT_ENV": "NONE",
        "SBATCH_PARTITION": "gpu",
    }
    kept = {"HOME", "SLURM_CONF", "SLURM_JOBID"}
    assert step_environment(around, inside=True).keys() == kept | {"SLURM_JOB_ID", "SLURM_JOB_NODELIST"}
    assert step_environment(around, inside=False).keys() == kept
