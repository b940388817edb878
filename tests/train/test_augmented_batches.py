"""From the store to the network, through shuffling and changes on the fly: the ranks only share what one would see."""

import numpy as np
import pytest

from tests.train.stored_run import small_job, store_run
from xpshpc.domain import Place
from xpshpc.plan.shards import split_shards
from xpshpc.store.read import Store
from xpshpc.store.record import read_records
from xpshpc.train.batches import Order, RankSlice, read_batches

pytestmark = pytest.mark.networks

EPOCH, GLOBAL_BATCH = 2, 36
AUGMENTATION = {"dose": [50, 5000], "shift_eV": 3.0, "gain": 0.2, "background": 0.1}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A function that gives a rank's network inputs of an epoch, step by step, from a step on."""
    folder = tmp_path_factory.mktemp("data")
    job_file = small_job(folder, samples=200, task={"augmentation": AUGMENTATION}, global_batch=GLOBAL_BATCH)
    store = Store(store_run(folder, job_file, quarantined={1: 5}))
    problem = job_file.problem()
    shards = split_shards(len(store.plan), job_file.job.split).training
    rows = {record.shard: record.samples for record in read_records(store.run, shards)}
    order = Order(rows, job_file.job.training_seed, GLOBAL_BATCH, buffer_shards=2)

    def read(rank=0, size=1, first_step=0):
        seen = []
        for batch in read_batches(order, store, problem.reads, EPOCH, RankSlice(rank, size), first_step):
            place = Place(order.seed, EPOCH, batch.step, batch.first)
            seen.append(problem.features(problem.augment(batch.rows, place)))
        return seen

    return read


@pytest.mark.parametrize("ranks", [2, 3])
def test_ranks_share_the_changed_spectra_of_one_rank(inputs, ranks):
    whole, parts = inputs(), [inputs(rank, ranks) for rank in range(ranks)]
    assert len(whole) >= 2
    for step, batch in enumerate(whole):
        assert np.concatenate([part[step] for part in parts]).tobytes() == batch.tobytes()


def test_going_on_in_an_epoch_gives_the_rest_of_it_with_another_number_of_ranks_too(inputs):
    rest = inputs()[1:]
    halves = [inputs(rank, 2, first_step=1) for rank in range(2)]
    for step, batch in enumerate(rest):
        np.testing.assert_array_equal(batch, inputs(first_step=1)[step])
        np.testing.assert_array_equal(batch, np.concatenate([half[step] for half in halves]))
