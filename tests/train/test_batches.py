"""The seed decides the order of samples: none twice, none lost but a remainder, for any number of ranks."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xpshpc.errors import UsageError
from xpshpc.train.batches import MOST_LANES, SHARDS_PER_LANE, Order, RankSlice, read_batches


class Shards:
    """Shards whose rows say who they are; counts how often each is read."""

    def __init__(self, rows):
        self.rows = rows
        self.read = Counter()

    def read_shard(self, number, names):
        self.read[number] += 1
        sample = number * 1000 + np.arange(self.rows[number])
        return {name: sample if name == "sample" else sample[:, None] * [1.0, 2.0] for name in names}


def batches(order, epoch=0, rank=0, size=1, first_step=0, shards=None):
    shards = shards or Shards(order.rows)
    return list(read_batches(order, shards, ("sample", "pair"), epoch, RankSlice(rank, size), first_step))


orders = st.builds(
    lambda counts, seed, batch, buffer: (dict(enumerate(counts)), seed, batch, buffer),
    st.lists(st.integers(0, 9), min_size=1, max_size=40) | st.lists(st.integers(3, 9), min_size=64, max_size=150),
    st.integers(0, 2**63 - 1),
    st.sampled_from([1, 4, 8, 12, 24]),
    st.integers(1, 5),
).filter(lambda made: sum(made[0].values()) >= made[2])


@settings(max_examples=150)
@given(orders, st.integers(0, 3), st.data())
def test_ranks_share_the_batches_of_one_rank(made, epoch, data):
    order = Order(*made)
    ranks = data.draw(st.sampled_from([n for n in range(1, order.global_batch + 1) if order.global_batch % n == 0]))
    whole = batches(order, epoch)
    parts = [batches(order, epoch, rank, ranks) for rank in range(ranks)]
    assert len(whole) == order.steps(epoch) >= 1
    for step, batch in enumerate(whole):
        assert batch.step == step and len(batch.rows["sample"]) == order.global_batch
        for name in ("sample", "pair"):
            assert [part[step].first for part in parts] == [rank * order.global_batch // ranks for rank in range(ranks)]
            shared = np.concatenate([part[step].rows[name] for part in parts])
            np.testing.assert_array_equal(shared, batch.rows[name])
        np.testing.assert_array_equal(batch.rows["sample"] // 1000, batch.shards)
        np.testing.assert_array_equal(batch.rows["pair"], batch.rows["sample"][:, None] * [1.0, 2.0])


@settings(max_examples=100)
@given(orders, st.integers(0, 3))
def test_an_epoch_has_no_sample_twice_and_leaves_less_than_a_shard_or_batch_a_lane(made, epoch):
    order = Order(*made)
    seen = np.concatenate([batch.rows["sample"] for batch in batches(order, epoch)])
    assert len(np.unique(seen)) == len(seen)
    total = sum(order.rows.values())
    if order.lanes == 1:
        assert total - len(seen) < order.global_batch


@settings(max_examples=100)
@given(orders, st.integers(0, 3), st.data())
def test_going_on_from_a_step_gives_the_rest_of_the_epoch(made, epoch, data):
    order = Order(*made)
    whole = batches(order, epoch)
    first = data.draw(st.integers(0, len(whole)))
    rest = batches(order, epoch, first_step=first)
    assert [batch.step for batch in rest] == list(range(first, len(whole)))
    for batch, expected in zip(rest, whole[first:], strict=True):
        np.testing.assert_array_equal(batch.rows["sample"], expected.rows["sample"])


def test_epochs_and_seeds_differ_and_repeat():
    rows = dict.fromkeys(range(20), 16)
    first = batches(Order(rows, 1, 32, 2))
    again = batches(Order(rows, 1, 32, 2))
    other_epoch = batches(Order(rows, 1, 32, 2), epoch=1)
    other_seed = batches(Order(rows, 2, 32, 2))
    np.testing.assert_array_equal(first[0].rows["sample"], again[0].rows["sample"])
    for other in (other_epoch, other_seed):
        assert not np.array_equal(first[0].rows["sample"], other[0].rows["sample"])


def test_samples_of_a_handful_of_shards_are_mixed():
    order = Order(dict.fromkeys(range(8), 100), 3, 100, buffer_shards=4)
    shares = Counter(batches(order)[0].shards.tolist())
    assert len(shares) == 4 and min(shares.values()) > 10


def test_each_rank_reads_its_own_lanes_only():
    rows = dict.fromkeys(range(2 * MOST_LANES * SHARDS_PER_LANE), 4)
    order = Order(rows, 0, 4 * MOST_LANES, 2)
    assert order.lanes == MOST_LANES
    read = [Shards(rows) for _ in range(4)]
    for rank, shards in enumerate(read):
        batches(order, rank=rank, size=4, shards=shards)
    assert sum((shards.read for shards in read), Counter()) == Counter(rows.keys())


def test_going_on_reads_nothing_that_lies_before():
    rows = dict.fromkeys(range(10), 8)
    order = Order(rows, 0, 8, buffer_shards=1)
    shards = Shards(rows)
    batches(order, first_step=7, shards=shards)
    assert sum(shards.read.values()) == 3


def test_lanes_do_not_cost_more_than_some_percent_of_an_epoch():
    rows = dict.fromkeys(range(1000), 64)
    order = Order(rows, 0, 256, 2)
    assert order.lanes > 1
    assert order.steps(0) * 256 > 0.96 * sum(rows.values())


def test_a_batch_that_ranks_cannot_share_is_refused():
    order = Order({0: 10}, 0, 10, 1)
    with pytest.raises(UsageError, match="cannot be shared evenly by 3 ranks"):
        batches(order, size=3)


def test_too_few_samples_for_a_batch_are_refused():
    with pytest.raises(UsageError, match="9 training samples do not fill one batch of 10"):
        Order({0: 5, 1: 4}, 0, 10, 1)
