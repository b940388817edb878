"""Power cuts, cut links and a dead controller: SLURM finds out, and jobs go on elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.slurm.conftest import bring_up_linked, need_programs
from xpshpc.cluster.minislurm import Cluster, ClusterPlan, bring_up
from xpshpc.cluster.minislurm.network import NAMESPACES, Network
from xpshpc.cluster.process import is_alive
from xpshpc.errors import EnvironmentFault, UsageError

pytestmark = [pytest.mark.slurm, pytest.mark.faults]

PATIENCE_S = 120
MARK_AND_SLEEP = "echo $SLURMD_NODENAME >> nodes.txt; sleep {}"


def wait_for(holds: Callable[[], bool], subject: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, subject
        time.sleep(0.05)


def submit(cluster: Cluster, folder: Path, command: str, *options: str) -> str:
    answer = cluster.run("sbatch", "--parsable", f"--chdir={folder}", "--output=/dev/null", *options, "--wrap", command)
    assert answer.ok, answer
    return answer.output.strip()


def state_of_node(cluster: Cluster, name: str) -> str:
    return next(node.state for node in cluster.status().nodes if node.name == name)


def state_of_job(cluster: Cluster, job: str) -> str:
    return cluster.run("squeue", "--noheader", "--states=all", f"--jobs={job}", "--format=%T").output.strip()


def wait_for_state_on_disk(cluster: Cluster, job: str) -> None:
    """SLURM writes what it was told seconds later; a controller that is killed before has forgotten it."""
    saved = cluster.root / "state" / "job_state"
    before = time.time()
    assert cluster.run("scontrol", "update", f"JobId={job}", "Comment=saved").ok
    wait_for(lambda: saved.exists() and saved.stat().st_mtime > before, "the controller's state on the disk")


def lines(file: Path) -> list[str]:
    return file.read_text().split() if file.exists() else []


def test_a_job_whose_node_loses_power_runs_again_elsewhere(slurm_environment: Cluster, tmp_path: Path) -> None:
    cluster = slurm_environment
    job = submit(cluster, tmp_path, MARK_AND_SLEEP.format(1000), "--requeue", "--open-mode=append")
    wait_for(lambda: len(lines(tmp_path / "nodes.txt")) == 1, "the job's start")
    (first,) = lines(tmp_path / "nodes.txt")
    inside = cluster.leftovers()
    cluster.kill_node(first)
    assert inside and not any(is_alive(process) for process in inside) and cluster.leftovers() == ()
    assert [node.powered for node in cluster.status().nodes].count(False) == 1
    wait_for(lambda: len(lines(tmp_path / "nodes.txt")) == 2, "the job's second start")
    assert lines(tmp_path / "nodes.txt")[1] != first
    assert state_of_node(cluster, first).startswith("down") and state_of_job(cluster, job) == "RUNNING"
    cluster.start_node(first)
    assert cluster.run("srun", f"--nodelist={first}", "true").ok


def test_a_node_comes_back_before_anyone_has_missed_it(slurm_environment: Cluster, tmp_path: Path) -> None:
    cluster = slurm_environment
    submit(cluster, tmp_path, MARK_AND_SLEEP.format(1000), "--nodelist=node2", "--requeue")
    wait_for(lambda: lines(tmp_path / "nodes.txt") == ["node2"], "the job's start")
    cluster.kill_node("node2")
    cluster.start_node("node2")
    wait_for(lambda: lines(tmp_path / "nodes.txt") == ["node2", "node2"], "the job's second start")
    cluster.start_node("node2")
    assert len(cluster.leftovers()) >= 1


def test_jobs_outlive_the_controller(slurm_environment: Cluster, tmp_path: Path) -> None:
    cluster = slurm_environment
    job = submit(cluster, tmp_path, "touch started; until [ -e go ]; do sleep 0.1; done; touch done")
    behind = submit(cluster, tmp_path, "touch behind", f"--dependency=afterok:{job}")
    wait_for((tmp_path / "started").exists, "the job's start")
    for _ in range(2):  # a save that was under way when the job came may not know of it; the next one does
        wait_for_state_on_disk(cluster, behind)
    cluster.stop_controller()
    assert not cluster.status().controller
    (tmp_path / "go").touch()
    wait_for((tmp_path / "done").exists, "the job's end without a controller")
    cluster.start_controller()
    wait_for(lambda: state_of_job(cluster, behind) == "COMPLETED", "the job behind")
    assert state_of_job(cluster, job) == "COMPLETED" and (tmp_path / "behind").exists()


def test_accidents_to_what_is_not_there_are_refused(slurm_environment: Cluster) -> None:
    with pytest.raises(UsageError):
        slurm_environment.kill_node("node99")
    if slurm_environment.network is None:
        with pytest.raises(UsageError):
            slurm_environment.cut_node("node1")


def test_a_cluster_that_is_gone_says_so(tmp_path: Path) -> None:
    need_programs(ClusterPlan())
    cluster = bring_up(tmp_path / "c", ClusterPlan(nodes=1, gpus=0))
    cluster.down()
    for ask in (cluster.status, cluster.leftovers, cluster.stop_controller, lambda: cluster.kill_node("node1")):
        with pytest.raises(EnvironmentFault):
            ask()
    assert not (tmp_path / "c").exists()


# ---- With a network of its own --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def networked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with bring_up_linked(tmp_path_factory.mktemp("net") / "c", ClusterPlan(nodes=2, isolation="net")) as cluster:
        yield cluster


def traces(network: Network) -> list[Path]:
    links = [Path("/sys/class/net", name) for name in (network.bridge, *map(network.link, network.nodes))]
    spaces = [NAMESPACES / network.namespace(node) for node in network.nodes]
    return [path for path in (*links, *spaces) if path.exists()]


def test_nodes_have_addresses_of_their_own(networked: Cluster) -> None:
    network = networked.network
    assert network is not None
    told = networked.run("srun", "--nodes=2", "--ntasks=2", "hostname", "--all-ip-addresses").output.split()
    assert sorted(told) == sorted(network.node_address(node) for node in networked.nodes)
    found = networked.run("srun", "--nodelist=node1", "--ntasks=1", "getent", "hosts", "node2").output.split()
    assert found == [network.node_address("node2"), "node2"]
    inside = networked.run("srun", "--nodelist=node1", "--ntasks=1", "ls", "/sys/class/net").output.split()
    assert networked.interface in inside


def test_a_node_that_is_cut_off_goes_on_unheard_and_comes_back(networked: Cluster, tmp_path: Path) -> None:
    beat = "while true; do date +%s.%N > beat; sleep 0.1; done"
    submit(networked, tmp_path, beat, "--nodelist=node2", "--no-requeue")
    wait_for((tmp_path / "beat").exists, "the job's start")
    networked.cut_node("node2")
    wait_for(lambda: state_of_node(networked, "node2").startswith("down"), "SLURM to miss the node")
    assert networked.leftovers()
    seen = (tmp_path / "beat").read_text()
    wait_for(lambda: (tmp_path / "beat").read_text() not in ("", seen), "a beat of the node that is cut off")
    assert networked.run("srun", "--nodelist=node1", "true").ok
    networked.mend_node("node2")
    assert networked.run("srun", "--nodelist=node2", "true").ok
    wait_for(lambda: not networked.leftovers(), "the end of the job that SLURM has given up")


def test_a_network_goes_with_its_cluster(tmp_path: Path, networked: Cluster) -> None:
    with bring_up(tmp_path / "c", ClusterPlan(nodes=1, gpus=0, isolation="net")) as cluster:
        assert cluster.network is not None and networked.network is not None
        assert cluster.host_address != networked.host_address
        assert len(traces(cluster.network)) == 3
    assert traces(cluster.network) == []
    assert len(traces(networked.network)) == 5


def test_a_failed_start_leaves_no_network(tmp_path: Path, networked: Cluster) -> None:
    def all_traces() -> set[str]:
        names = {path.name for path in Path("/sys/class/net").iterdir()} | {path.name for path in NAMESPACES.iterdir()}
        return {name for name in names if name.startswith("mini")}

    before = all_traces()
    plan = ClusterPlan(nodes=2, gpus=0, isolation="net", extra=("NoSuchSetting=1",))
    with pytest.raises(EnvironmentFault):
        bring_up(tmp_path / "c", plan)
    assert all_traces() - before == set() and not (tmp_path / "c").exists()
