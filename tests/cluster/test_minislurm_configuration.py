from __future__ import annotations

import ipaddress
import socket
from pathlib import Path
from random import Random

import pytest

from xpshpc.cluster.minislurm.configuration import Addresses, gres_conf, hosts, slurm_conf
from xpshpc.cluster.minislurm.daemon import stray_variables
from xpshpc.cluster.minislurm.layout import LONGEST_ROOT, Layout, lay_out, remove_folders
from xpshpc.cluster.minislurm.network import Network, candidates
from xpshpc.cluster.minislurm.plan import ClusterPlan, Isolation, Partition
from xpshpc.cluster.minislurm.ports import FIRST, LAST, held_ports
from xpshpc.cluster.minislurm.record import Record, read_record, write_record
from xpshpc.cluster.minislurm.requirements import required_programs
from xpshpc.cluster.minislurm.status import parse_jobs, parse_nodes
from xpshpc.cluster.process import this_process
from xpshpc.errors import EnvironmentFault, UsageError

LONGEST_SOCKET = 107


def addresses_of(plan: ClusterPlan) -> Addresses:
    ports = {name: 20010 + number for number, name in enumerate(plan.node_names)}
    return Addresses(
        "here", "me", "127.0.0.1", 20001, 20002, node_addresses=dict.fromkeys(ports, "127.0.0.1"), node_ports=ports
    )


def settings(text: str) -> dict[str, str]:
    """The settings of one word each; nodes and partitions are no such lines."""
    pairs = (line.split("=", 1) for line in text.splitlines() if not line.startswith(("NodeName", "PartitionName")))
    return dict(pairs)


def lines_of(text: str, key: str) -> list[dict[str, str]]:
    lines = (line.split() for line in text.splitlines() if line.startswith(f"{key}="))
    return [dict(word.split("=", 1) for word in line) for line in lines]


def test_every_node_has_what_the_plan_gives_it_and_a_port_of_its_own() -> None:
    plan = ClusterPlan(nodes=3, cpus=5, memory_mb=700, gpus=1, isolation="none")
    nodes = lines_of(slurm_conf(plan, addresses_of(plan), Layout(Path("/c"), Path("/c/run"))), "NodeName")
    assert [node["NodeName"] for node in nodes] == ["node1", "node2", "node3"]
    assert {(node["CPUs"], node["RealMemory"], node["Gres"]) for node in nodes} == {("5", "700", "gpu:fake:1")}
    assert len({node["Port"] for node in nodes}) == 3


def test_the_first_partition_is_the_only_default_and_none_has_nodes_that_are_not_there() -> None:
    plan = ClusterPlan(nodes=2, isolation="none", partitions=(Partition("a"), Partition("b", nodes=9, max_minutes=3)))
    parts = lines_of(slurm_conf(plan, addresses_of(plan), Layout(Path("/c"), Path("/c/run"))), "PartitionName")
    assert [(part["PartitionName"], part["Default"], part["Nodes"], part["MaxTime"]) for part in parts] == [
        ("a", "YES", "node[1-2]", "UNLIMITED"),
        ("b", "NO", "node[1-2]", "3"),
    ]
    assert all(int(part["DefaultTime"]) <= 60 for part in parts) and parts[1]["DefaultTime"] == "3"


def test_no_setting_is_empty_or_given_twice() -> None:
    plan = ClusterPlan(isolation="none", accounting="slurmdbd")
    lines = slurm_conf(plan, addresses_of(plan), Layout(Path("/c"), Path("/c/run"))).splitlines()
    keys = [line.split("=", 1)[0] for line in lines if not line.startswith(("NodeName", "PartitionName"))]
    assert len(keys) == len(set(keys))
    assert all(line.split("=", 1)[1] for line in lines)


def test_a_cluster_without_gpus_speaks_of_none() -> None:
    plan, layout = ClusterPlan(gpus=0, isolation="none"), Layout(Path("/c"), Path("/c/run"))
    assert "gpu" not in slurm_conf(plan, addresses_of(plan), layout).lower()
    assert gres_conf(plan, layout) == "AutoDetect=off\n"


def test_further_lines_of_a_plan_are_in_the_configuration() -> None:
    plan = ClusterPlan(isolation="none", extra=("MinJobAge=2",))
    text = slurm_conf(plan, addresses_of(plan), Layout(Path("/c"), Path("/c/run")))
    assert settings(text)["MinJobAge"] == "2"


def test_hosts_name_every_node_and_this_host() -> None:
    plan = ClusterPlan(nodes=2, isolation="none")
    named = {line.split()[1] for line in hosts(addresses_of(plan)).splitlines()}
    assert named == {"localhost", "here", "node1", "node2"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"nodes": 0},
        {"nodes": 65},
        {"cpus": 0},
        {"gpus": -1},
        {"partitions": ()},
        {"partitions": (Partition("a b"),)},
        {"extra": ("A=1\nB=2",)},
    ],
)
def test_a_plan_that_no_cluster_can_have_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        ClusterPlan(isolation="none", **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("isolation", ["pid", "net", "none"])
def test_what_is_recorded_is_what_is_read(tmp_path: Path, isolation: Isolation) -> None:
    plan = ClusterPlan(isolation=isolation, partitions=(Partition("x", max_minutes=4),), extra=("MinJobAge=2",))
    network = Network(3, 4, plan.node_names) if isolation == "net" else None
    record = Record(plan=plan, layout=Layout(tmp_path, tmp_path / "run"), network=network)
    record = record.with_addresses(addresses_of(plan)).with_process("munged", this_process()).as_ready()
    record = record.with_process("node1", this_process()).with_namespace("node1", "pid:[1]")
    write_record(record)
    assert read_record(tmp_path) == record
    assert [path.name for path in tmp_path.iterdir()] == ["cluster.json"]
    gone = record.without_process("node1")
    assert set(gone.processes) == {"munged"} and gone.namespaces == {}


def test_no_record_is_no_error_and_a_broken_one_is_named(tmp_path: Path) -> None:
    assert read_record(tmp_path) is None
    (tmp_path / "cluster.json").write_text('{"plan": 1}')
    with pytest.raises(EnvironmentFault) as fault:
        read_record(tmp_path)
    assert str(tmp_path / "cluster.json") in str(fault.value)


@pytest.mark.parametrize("length", [10, LONGEST_ROOT, LONGEST_ROOT + 1, 300])
def test_sockets_fit_whatever_the_length_of_the_root(length: int) -> None:
    root = Path("/" + "d" * (length - 1))
    layout = lay_out(root)
    try:
        sockets = [layout.munge_socket, layout.database_socket, layout.spool("node64") / "node64_4294967295.4294967295"]
        assert max(len(str(path)) for path in sockets) <= LONGEST_SOCKET
    finally:
        remove_folders(layout)
    assert not layout.short.exists()


def test_ports_are_ours_alone_while_they_are_held() -> None:
    with held_ports(8, "127.0.0.1", Random(1)) as ports:
        assert len(set(ports)) == 8 and all(FIRST <= port < LAST for port in ports)
        for port in ports:
            with socket.socket() as other, pytest.raises(OSError):
                other.bind(("127.0.0.1", port))
        with held_ports(8, "127.0.0.1", Random(1)) as others:
            assert not set(ports) & set(others)


def test_a_subnet_touches_no_route_of_this_host() -> None:
    taken = ["10.0.0.0/9", "10.200.3.0/24", "192.168.0.0/16", "10.129.0.1"]
    found = list(candidates(("node1",), taken, Random(5)))
    assert found
    for network in found:
        subnet = ipaddress.ip_network(f"{network.address}/24", strict=False)
        assert not any(subnet.overlaps(ipaddress.ip_network(route)) for route in taken)
    assert list(candidates(("node1",), ["10.0.0.0/8"], Random(5))) == []


def test_names_of_links_are_short_enough_for_the_kernel_and_all_different() -> None:
    network = Network(254, 254, ClusterPlan(nodes=64, isolation="none").node_names)
    names = [network.bridge, *(network.link(node) for node in network.nodes)]
    assert max(map(len, names)) <= 15 and len(set(names)) == 65
    assert len({network.node_address(node) for node in network.nodes} | {network.address}) == 65


def test_variables_of_another_job_are_stray_and_others_are_not() -> None:
    environment = dict.fromkeys(("SLURM_JOB_ID", "SBATCH_PARTITION", "SLURM_CONF", "PATH", "XPSHPC_MINISLURM"), "x")
    assert set(stray_variables(environment)) == {"SLURM_JOB_ID", "SBATCH_PARTITION", "SLURM_CONF"}


def test_the_words_of_slurm_are_read() -> None:
    nodes = parse_nodes("node1|idle|none\nnode2|down*|Not responding\n", {"node1"})
    assert [(node.name, node.state, node.powered, node.reason) for node in nodes] == [
        ("node1", "idle", True, ""),
        ("node2", "down*", False, "Not responding"),
    ]
    (job,) = parse_jobs("12_3|a|b|PENDING||Resources\n")
    assert (job.id, job.name, job.state, job.nodes, job.reason) == ("12_3", "a|b", "pending", "", "Resources")


def test_each_isolation_asks_only_for_what_it_needs() -> None:
    assert "unshare" not in required_programs(ClusterPlan(isolation="none"))
    assert "ip" not in required_programs(ClusterPlan(isolation="pid"))
    assert "ip" in required_programs(ClusterPlan(isolation="net"))
    assert "mariadbd" in required_programs(ClusterPlan(isolation="none", accounting="slurmdbd"))
