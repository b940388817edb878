"""On SLURM's nodes a gang outlives its ranks and nodes, and further steps bring new ranks in."""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.slurm.gang_on_nodes import RANKS_OF_TESTS, step_for
from xpshpc.cluster.ranks.elastic import RanksLost, run_elastic_gang
from xpshpc.cluster.ranks.elastic_group import Elasticity
from xpshpc.errors import Drained, UsageError

pytestmark = [pytest.mark.slurm, pytest.mark.faults]


def wait_for(condition, seconds=90.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.05)


def is_empty(cluster):
    return not cluster.leftovers() and not cluster.status().jobs


def group(folder, generation, ranks):
    """What the members of a group were told, by seat, once all of them are in it."""
    wait_for(lambda: len([*folder.glob(f"{generation}-*.json")]) == ranks)
    paths = folder.glob(f"{generation}-*.json")
    return {int(path.stem.split("-")[1]): json.loads(path.read_text()) for path in paths}


def launch(folder, *, ranks=4, **limits):
    """Runs the gang while a thread does something to it."""
    usual = {"min_ranks": 1, "replace": True, "losses": 5, "divides": 48}
    run_elastic_gang(
        "elastic_rank",
        [str(folder)],
        ranks=ranks,
        elasticity=Elasticity(**{**usual, **limits}),
        launcher="srun-gloo",
        step=step_for(ranks, memory_per_rank_mb=300),
        log_directory=folder / "logs",
        environment={"PYTHONPATH": str(RANKS_OF_TESTS)},
        drain_s=20.0,
    )


def meanwhile(folder, act):
    """Lets a thread act on the gang, which finishes where that fails; what it raises is raised when it is asked for."""
    raised = []

    def run():
        try:
            act()
        except BaseException as error:  # noqa: BLE001 - raised again below
            raised.append(error)
            (folder / "finish").touch()

    thread = threading.Thread(target=run)
    thread.start()

    def done():
        thread.join()
        for error in raised:
            raise error

    return done


def test_a_killed_rank_is_replaced_by_a_further_step(slurm_environment, tmp_path):
    def act():
        first = group(tmp_path, 1, 4)
        assert len({told["HOROVOD_HOSTNAME"] for told in first.values()}) == 2
        (tmp_path / "die-2").touch()
        smaller = group(tmp_path, 2, 3)
        assert smaller[0]["lost"] == [2]
        whole = group(tmp_path, 3, 4)
        assert whole[2]["joined"] == [2] and whole[2]["steps"] == -1
        (tmp_path / "finish").touch()

    done = meanwhile(tmp_path, act)
    launch(tmp_path)
    done()
    wait_for(lambda: is_empty(slurm_environment))


def test_a_node_without_power_costs_its_ranks_only(slurm_environment, tmp_path):
    def act():
        first = group(tmp_path, 1, 4)
        slurm_environment.kill_node(first[3]["HOROVOD_HOSTNAME"])
        assert {told["HOROVOD_HOSTNAME"] for told in group(tmp_path, 2, 2).values()} == {first[0]["HOROVOD_HOSTNAME"]}
        (tmp_path / "finish").touch()

    done = meanwhile(tmp_path, act)
    launch(tmp_path, replace=False)
    done()
    wait_for(lambda: not slurm_environment.leftovers(), 30)


def test_with_too_few_ranks_left_the_others_stop_in_good_order(slurm_environment, tmp_path):
    def act():
        group(tmp_path, 1, 3)
        (tmp_path / "die-1").touch()

    done = meanwhile(tmp_path, act)
    with pytest.raises(RanksLost, match="2 of 3 ranks are left"):
        launch(tmp_path, ranks=3, min_ranks=3, replace=False)
    done()
    assert {path.name for path in tmp_path.glob("saved-*")} == {"saved-0", "saved-2"}
    wait_for(lambda: is_empty(slurm_environment))


def test_a_stop_request_drains_all(slurm_environment, tmp_path):
    def act():
        group(tmp_path, 1, 2)
        os.kill(os.getpid(), signal.SIGTERM)

    done = meanwhile(tmp_path, act)
    with pytest.raises(Drained):
        launch(tmp_path, ranks=2)
    done()
    wait_for(lambda: is_empty(slurm_environment))


def test_what_slurm_refuses_is_told_in_its_own_words(slurm_environment, tmp_path):
    with pytest.raises(UsageError, match=r"(?i)invalid partition"):
        run_elastic_gang(
            "elastic_rank",
            [str(tmp_path)],
            ranks=2,
            elasticity=Elasticity(1, True, 5, 48),
            launcher="srun-gloo",
            step=step_for(2, partition="nowhere"),
            log_directory=tmp_path / "logs",
        )


def test_inside_a_job_the_replacement_is_a_step_beside_the_others(slurm_environment, tmp_path):
    script = tmp_path / "job.sh"
    call = f"{sys.executable} -m tests.slurm.test_elastic {tmp_path}"
    script.write_text(f"#!/bin/sh\ncd {Path(__file__).parents[2]}\n{call}\necho $? > {tmp_path}/code\n")
    words = ["--nodes=2", "--ntasks-per-node=2", "--mem=1900M", f"--output={tmp_path}/job.out"]
    answer = slurm_environment.run("sbatch", "--parsable", *words, str(script))
    assert answer.ok, answer.last_words()
    group(tmp_path, 1, 4)
    (tmp_path / "die-0").touch()
    assert group(tmp_path, 3, 4)[0]["joined"] == [0]
    (tmp_path / "finish").touch()
    wait_for(lambda: (tmp_path / "code").exists() and bool((tmp_path / "code").read_text()))
    assert (tmp_path / "code").read_text().strip() == "0"


if __name__ == "__main__":
    launch(Path(sys.argv[1]))
