"""Ranks of a node compute on GPUs of their own, however SLURM shows these."""

import pytest

from xpshpc.cluster.ranks.gpus import own_gpu


@pytest.mark.parametrize("gpus", range(1, 9))
def test_ranks_that_see_all_gpus_of_a_node_take_one_each(gpus):
    assert [own_gpu(rank, gpus) for rank in range(gpus)] == list(range(gpus))


def test_a_rank_that_is_shown_one_gpu_takes_it():
    assert [own_gpu(rank, 1) for rank in range(4)] == [0] * 4


def test_more_ranks_than_gpus_share_them_evenly():
    assert [own_gpu(rank, 2) for rank in range(5)] == [0, 1, 0, 1, 0]


def test_without_a_gpu_there_is_none_to_take():
    assert own_gpu(3, 0) is None
