"""Communicators agree with numpy, whatever carries the bytes and however many ranks there are."""

import os
from pathlib import Path

import numpy as np
import pytest

from tests.cluster.communicator_rank import contribution, rows
from xpshpc.cluster.communicator import Solo, launch_kind, open_communicator
from xpshpc.cluster.ranks.gang import run_gang
from xpshpc.errors import UsageError

HERE = Path(__file__).parent


@pytest.mark.ranks
@pytest.mark.parametrize(
    ("kind", "launcher", "size"),
    [
        ("solo", "gloo", 1),
        *(("horovod", "gloo", size) for size in (1, 2, 3)),
        ("horovod", "mpirun", 2),
        *(("mpi", "mpirun", size) for size in (1, 2, 3)),
    ],
)
def test_collectives_equal_numpy(kind, launcher, size, tmp_path):
    run_gang(
        "communicator_rank",
        [kind, str(tmp_path)],
        ranks=size,
        launcher=launcher,
        log_directory=tmp_path / "logs",
        environment={"PYTHONPATH": str(HERE)},
        timeout_s=120,
    )
    everyone = np.stack([contribution(rank) for rank in range(size)])
    for rank in range(size):
        with np.load(tmp_path / f"{rank}.npz") as said:
            assert said["identity"].tolist() == [rank, size, rank]
            np.testing.assert_array_equal(said["min"], everyone.min(axis=0))
            np.testing.assert_array_equal(said["max"], everyone.max(axis=0))
            np.testing.assert_allclose(said["sum"], everyone.sum(axis=0), rtol=4e-16)
            assert said["scalar"].shape == () and said["scalar"] == sum(range(size))
            assert said["empty"].shape == (0, 2)
            np.testing.assert_array_equal(said["untouched"], contribution(rank))
            np.testing.assert_array_equal(said["broadcast"], contribution(7, (2, 2)))
            for other in range(size):
                np.testing.assert_array_equal(said[f"gather{other}"], rows(other))
                assert said[f"gather{other}"].dtype == np.int64
                assert said[f"scalars{other}"].dtype == np.float32 and said[f"scalars{other}"] == other


def test_solo_answers_with_what_it_was_given():
    solo = Solo()
    mine = np.arange(6.0).reshape(2, 3)
    for op in ("sum", "min", "max"):
        reduced = solo.allreduce(mine, op)
        np.testing.assert_array_equal(reduced, mine)
        assert not np.shares_memory(reduced, mine)
    assert solo.broadcast({"a": 1}) == {"a": 1}
    np.testing.assert_array_equal(solo.gather(mine)[0], mine)


@pytest.mark.parametrize(
    ("environment", "kind"),
    [
        ({}, "solo"),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "4"}, "solo"),
        ({"HOROVOD_RANK": "0", "HOROVOD_CONTROLLER": "gloo"}, "horovod"),
        ({"OMPI_COMM_WORLD_SIZE": "2"}, "mpi"),
        ({"OMPI_COMM_WORLD_SIZE": "2", "HOROVOD_CONTROLLER": "mpi"}, "mpi"),
        ({"PMIX_RANK": "0"}, "mpi"),
    ],
)
def test_the_environment_tells_the_launch(environment, kind):
    assert launch_kind(environment) == kind


def test_wrong_requests_are_refused():
    solo = Solo()
    with pytest.raises(UsageError, match="unknown reduction"):
        solo.allreduce([1.0], "product")
    with pytest.raises(UsageError, match="cannot reduce"):
        solo.allreduce(np.array(["a"]))
    with pytest.raises(UsageError, match="rank 1 does not exist"):
        solo.broadcast(1, root=1)
    with pytest.raises(UsageError, match="unknown communicator"), open_communicator("carrier-pigeon"):
        pass
    assert "HOROVOD_RANK" not in os.environ
