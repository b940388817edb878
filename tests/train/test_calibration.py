"""A trained model's card tells how far its answers may be trusted, whatever number of ranks counted its errors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.train.stored_run import small_job, store_run
from xpshpc.cluster.communicator import Solo
from xpshpc.evaluate.rank import evaluate_on_rank
from xpshpc.plan.shards import split_shards
from xpshpc.spectra.learning.calibration import Calibration
from xpshpc.store.read import Store
from xpshpc.train.calibration import calibrate_on_validation
from xpshpc.train.launch import train


class Loaded:
    """A saved network; some of its answers may be left out."""

    def __init__(self, model: Path, *, without: str = "") -> None:
        import keras

        self._network = keras.saving.load_model(model, compile=False)
        self._without = without

    def answer(self, inputs, truth):
        told = {name: np.asarray(values) for name, values in self._network(inputs).items() if name != self._without}
        return told, np.zeros(len(inputs), np.float32)


@pytest.mark.ranks
def test_two_ranks_write_the_calibration_that_one_finds_and_evaluation_tests_it(tmp_path: Path) -> None:
    job_file = small_job(tmp_path, epochs=2)
    first, second, *_ = validation = split_shards(13, job_file.job.split).validation
    run = store_run(tmp_path, job_file, quarantined=dict.fromkeys((second, *validation[3:]), 32) | {first: 7})
    train(run, job_file, ranks=2)
    written = json.loads(run.model_card.read_bytes())["calibration"]

    def calibrated(network: Loaded) -> dict:
        return calibrate_on_validation(network, job_file.problem(), Store(run), validation, Solo(), batch=16)

    alone = calibrated(Loaded(run.model))
    samples = sum(len(Store(run).read_shard(number, ["composition"])["composition"]) for number in validation)
    assert sum(written["n"]) == samples * len(job_file.problem().elements) and samples % 32 == 25
    assert written["n"] == alone["n"] and written["ranges"] == alone["ranges"]
    told, expected = Calibration.model_validate(written), Calibration.model_validate(alone)
    # A last bit may carry an error over the edge of its bin, which is 2.4 % wide.
    np.testing.assert_allclose(np.array(told.factors, float), np.array(expected.factors, float), rtol=0.024)
    assert told.factors[0][0] is not None

    tested = evaluate_on_rank(run, job_file, Solo()).metrics["calibration"]
    assert tested["levels"] == list(told.levels)
    fullest = int(np.argmax(tested["n"]["by_range"]))
    assert tested["coverage"]["by_range"][fullest][-1] == pytest.approx(told.levels[-1], abs=0.05)
    assert tested["n"]["present"] > 0 and tested["n"]["by_range"][fullest] > 1000
    assert calibrated(Loaded(run.model, without="composition_spread")) == {}
