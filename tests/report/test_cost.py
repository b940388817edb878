"""What is to come costs what came before it did."""

from __future__ import annotations

import pytest

from xpshpc.report.cost import Outlook, foresee_data, foresee_training
from xpshpc.store.manifest import Tally
from xpshpc.train.history import EpochFinished


def test_pending_samples_cost_what_the_others_did() -> None:
    half = Tally(shards=5, samples=450, quarantined=50, core_s=7200.0)
    assert foresee_data(half, 500) == Outlook(2.0, 2.0)
    assert foresee_data(half, 0) == Outlook(2.0, 0.0)
    assert foresee_data(Tally(), 1000) == Outlook(0.0, None)


def test_epochs_to_come_take_the_mean_of_those_before() -> None:
    history = [EpochFinished(n, 10, 0.1, {}, seconds, 1.0, 0.1, 0.0) for n, seconds in ((1, 1000.0), (2, 800.0))]
    spent = foresee_training(history, 10, units=4)
    assert spent.spent_h == pytest.approx(2.0)
    assert spent.to_come_h == pytest.approx(8.0)
    assert foresee_training([], 10, units=4) == Outlook(None, None)
