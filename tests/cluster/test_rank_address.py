"""Ranks are told an address at which they can reach their launcher, or it is said that there is none."""

from __future__ import annotations

import pytest

from xpshpc.cluster.ranks.address import choose_address
from xpshpc.errors import UsageError


def test_ranks_are_told_an_address_that_they_reach():
    addresses = {"lo": "127.0.0.1", "ib0": "10.0.0.5"}
    assert choose_address("ib0", addresses, "127.0.1.1") == "10.0.0.5"
    assert choose_address("lo", addresses, "10.9.9.9") == "127.0.0.1"
    assert choose_address(None, addresses, "10.9.9.9") == "10.9.9.9"
    with pytest.raises(UsageError, match="no network interface 'eth7'") as caught:
        choose_address("eth7", addresses, "10.9.9.9")
    assert "ib0, lo" in caught.value.try_
    with pytest.raises(UsageError, match=r"127\.0\.1\.1, which no other node reaches"):
        choose_address(None, addresses, "127.0.1.1")
