"""A plan deals every sample to exactly one shard, and every shard to exactly one use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xpshpc.config import Split
from xpshpc.errors import UsageError
from xpshpc.plan.shards import Plan, split_shards


@given(samples=st.integers(1, 5000), shard=st.integers(1, 700))
def test_each_sample_lies_in_one_shard(samples, shard):
    dealt = [index for piece in Plan(samples, shard, "") for index in range(piece.start, piece.stop)]
    assert dealt == list(range(samples))


def test_a_plan_of_ten_billion_samples_is_not_written_out():
    plan = Plan(10**10, 2048, "")
    assert plan[len(plan) - 1].stop == 10**10


@given(
    shards=st.integers(3, 3000),
    validation=st.floats(0.01, 0.49),
    held_out=st.floats(0.01, 0.49),
)
def test_each_shard_has_one_use(shards, validation, held_out):
    split = split_shards(shards, Split(validation=validation, held_out=held_out))
    assert [*split.training, *split.validation, *split.held_out] == list(range(shards))
    assert all((split.training, split.validation, split.held_out))


def test_two_shards_cannot_be_split():
    with pytest.raises(UsageError, match="2 shard"):
        split_shards(2, Split())
