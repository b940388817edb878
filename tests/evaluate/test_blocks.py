"""Blocks cover what they should, whoever shares them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from xpshpc.evaluate.blocks import Block, cut_blocks, share_blocks, spread_blocks, take_rows
from xpshpc.evaluate.pool import mark_evenly
from xpshpc.plan.shards import Plan

PLANS = st.builds(Plan, samples=st.integers(1, 500), shard_samples=st.integers(1, 70), data_hash=st.just(""))


def samples_of(plan: Plan, blocks: list[Block]) -> list[int]:
    return [plan[block.shard].start + row for block in blocks for row in range(block.start, block.stop)]


@given(plan=PLANS, rows=st.integers(1, 40), ranks=st.integers(1, 9))
def test_every_sample_is_in_one_block_of_one_rank_in_order(plan: Plan, rows: int, ranks: int) -> None:
    blocks = cut_blocks(plan, range(len(plan)), rows)
    assert all(0 < len(block) <= rows for block in blocks)
    shared = [block for rank in range(ranks) for block in share_blocks(blocks, rank, ranks)]
    assert samples_of(plan, shared) == list(range(plan.samples))
    sizes = [len(share_blocks(blocks, rank, ranks)) for rank in range(ranks)]
    assert max(sizes) - min(sizes) <= 1


@given(plan=PLANS, rows=st.integers(1, 40), wanted=st.integers(1, 600))
def test_spread_blocks_hold_what_is_wanted_from_everywhere(plan: Plan, rows: int, wanted: int) -> None:
    blocks = cut_blocks(plan, range(len(plan)), rows)
    chosen = samples_of(plan, spread_blocks(blocks, wanted))
    assert len(chosen) == len(set(chosen)) == min(wanted, plan.samples)
    assert chosen == sorted(chosen)
    taken_per_half = [sum(sample < plan.samples // 2 for sample in chosen), len(chosen)]
    # One block more or less of the first half than of the second, and the ends of shards.
    assert abs(2 * taken_per_half[0] - taken_per_half[1]) <= 2 * rows + wanted // 2


@given(plan=PLANS, rows=st.integers(1, 40), wanted=st.integers(0, 600))
def test_the_first_rows_are_the_first(plan: Plan, rows: int, wanted: int) -> None:
    taken = take_rows(cut_blocks(plan, range(len(plan)), rows), wanted)
    assert samples_of(plan, taken) == list(range(min(wanted, plan.samples)))


@given(total=st.integers(1, 500), share=st.floats(0, 1))
def test_marks_are_as_many_as_asked_and_evenly_spread(total: int, share: float) -> None:
    size = int(share * total)
    marked = mark_evenly(total, size)
    assert len(marked) == total and marked.sum() == size
    for middle in range(0, total + 1, max(1, total // 7)):
        assert abs(int(marked[:middle].sum()) - middle * size / total) <= 1
