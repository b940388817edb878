"""An order is a permutation that any part of it can be found of."""

import numpy as np
import pytest

from xpshpc.wafers.order import Order


@pytest.mark.parametrize("n", [1, 2, 3, 22, 64, 65, 1000])
def test_every_place_comes_once_and_parts_agree_with_the_whole(n):
    order = Order(n, 7)
    whole = order.places(np.arange(n))
    assert sorted(whole.tolist()) == list(range(n))
    assert [int(order.places(np.array([index]))[0]) for index in range(n)] == whole.tolist()


def test_the_seed_decides_the_order():
    one, same, other = (Order(1000, seed).places(np.arange(1000)) for seed in (1, 1, 2))
    assert (one == same).all()
    assert np.mean(one == other) < 0.02


def test_neighbours_are_parted():
    """What stands together is spread evenly: each tenth of the order has its tenth of the first places."""
    n = 20_000
    places = Order(n, 3).places(np.arange(n))
    first = (places < n // 10).reshape(10, -1).sum(axis=1)
    assert np.all(np.abs(first - n // 100) < 6 * np.sqrt(n / 100))
    assert abs(np.corrcoef(places[:-1], places[1:])[0, 1]) < 0.03


def test_an_order_of_ten_thousand_million_is_found_place_by_place():
    order = Order(10**10, 3)
    found = order.places(np.arange(10**10 - 500, 10**10))
    assert len(set(found.tolist())) == 500
    assert 0 <= found.min() <= found.max() < 10**10
    with pytest.raises(ValueError, match="outside"):
        order.places(np.array([10**10]))
