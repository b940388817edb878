"""The text of SLURM's configuration files, from a plan and the places that were found free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xpshpc.cluster.minislurm.layout import Layout
from xpshpc.cluster.minislurm.plan import ClusterPlan, Partition

CLUSTER_NAME = "mini"
DATABASE_NAME = "slurm"


@dataclass(frozen=True)
class Addresses:
    """Where the daemons listen: this host's short name and address, the ports, and every node's address and port."""

    host: str
    user: str
    host_address: str
    controller_port: int
    accounting_port: int
    node_addresses: Mapping[str, str]
    node_ports: Mapping[str, int]


def slurm_conf(plan: ClusterPlan, addresses: Addresses, layout: Layout) -> str:
    """slurm.conf: as fast as SLURM can react, and no limits of the machine but those of the plan."""
    lines = [
        f"ClusterName={CLUSTER_NAME}",
        f"SlurmctldHost={addresses.host}({addresses.host_address})",
        f"SlurmctldPort={addresses.controller_port}",
        "SrunPortRange=0-0",
        f"SlurmUser={addresses.user}",
        f"SlurmdUser={addresses.user}",
        "AuthType=auth/munge",
        # A requeued job waits until its old credential has expired, by default two minutes.
        f"AuthInfo=socket={layout.munge_socket},cred_expire=5",
        f"StateSaveLocation={layout.controller_state}",
        f"SlurmctldPidFile={layout.short}/slurmctld.pid",
        f"SlurmctldLogFile={layout.log('slurmctld')}",
        f"SlurmdSpoolDir={layout.short}/spool/%n",
        f"SlurmdPidFile={layout.short}/%n.pid",
        f"SlurmdLogFile={layout.root}/log/%n.log",
        f"TmpFS={layout.short}/tmp/%n",
        "ProctrackType=proctrack/linuxproc",
        "TaskPlugin=task/none",
        "JobAcctGatherType=jobacct_gather/linux",
        "JobAcctGatherFrequency=task=1",
        "JobAcctGatherParams=OverMemoryKill",
        "SelectType=select/cons_tres",
        "SelectTypeParameters=CR_Core_Memory",
        "SlurmdParameters=config_overrides",
        "MpiDefault=none",
        # 2 would undo, without a word, what an administrator set to DOWN.
        "ReturnToService=1",
        "PropagateResourceLimits=NONE",
        "SchedulerType=sched/backfill",
        "SchedulerParameters=sched_min_interval=0,sched_interval=2,batch_sched_delay=0,bf_interval=1,bf_continue",
        "SlurmctldTimeout=10",
        f"SlurmdTimeout={plan.node_timeout_s}",
        "MessageTimeout=5",
        "TCPTimeout=1",
        "KillWait=2",
        "CompleteWait=0",
        "JobRequeue=1",
        # What can never start is refused at once, not left waiting.
        "EnforcePartLimits=ALL",
        "MaxArraySize=2001",
        "JobCompType=jobcomp/filetxt",
        f"JobCompLoc={layout.finished_jobs}",
        *_accounting(plan, addresses, layout),
        *(["GresTypes=gpu"] if plan.gpus else []),
        *plan.extra,
        *(_node(name, plan, addresses) for name in plan.node_names),
        *(_partition(partition, plan) for partition in plan.partitions),
    ]
    return "\n".join(lines) + "\n"


def _accounting(plan: ClusterPlan, addresses: Addresses, layout: Layout) -> list[str]:
    if plan.accounting == "jobcomp":
        return ["AccountingStorageType=accounting_storage/none"]
    return [
        "AccountingStorageType=accounting_storage/slurmdbd",
        f"AccountingStorageHost={addresses.host_address}",
        f"AccountingStoragePort={addresses.accounting_port}",
        f"AccountingStoragePass={layout.munge_socket}",
        *(["AccountingStorageTRES=gres/gpu"] if plan.gpus else []),
    ]


def _node(name: str, plan: ClusterPlan, addresses: Addresses) -> str:
    gpus = f" Gres=gpu:fake:{plan.gpus}" if plan.gpus else ""
    return (
        f"NodeName={name} NodeHostname={addresses.host} NodeAddr={addresses.node_addresses[name]} "
        f"Port={addresses.node_ports[name]} CPUs={plan.cpus} Boards=1 SocketsPerBoard=1 CoresPerSocket={plan.cpus} "
        f"ThreadsPerCore=1 RealMemory={plan.memory_mb}{gpus} State=UNKNOWN"
    )


def _partition(partition: Partition, plan: ClusterPlan) -> str:
    nodes = min(partition.nodes or plan.nodes, plan.nodes)
    limit = partition.max_minutes
    default = "YES" if partition.name == plan.default_partition else "NO"
    return (
        f"PartitionName={partition.name} Nodes=node[1-{nodes}] Default={default} MaxTime={limit or 'UNLIMITED'} "
        f"DefaultTime={min(60, limit or 60)} State=UP OverSubscribe=NO"
    )


def gres_conf(plan: ClusterPlan, layout: Layout) -> str:
    """gres.conf: fake GPUs that set CUDA_VISIBLE_DEVICES as real ones do."""
    lines = ["AutoDetect=off"]
    for node in plan.node_names if plan.gpus else ():
        file = f"{layout.gpu(node, 0)}" if plan.gpus == 1 else f"{layout.root}/gpu/{node}-gpu[0-{plan.gpus - 1}]"
        lines.append(f"NodeName={node} Name=gpu Type=fake File={file} Flags=nvidia_gpu_env")
    return "\n".join(lines) + "\n"


def cgroup_conf() -> str:
    """cgroup.conf: SLURM reads it and asks for nothing."""
    return "CgroupPlugin=cgroup/v1\nCgroupAutomount=no\nConstrainCores=no\nConstrainRAMSpace=no\n"


def slurmdbd_conf(addresses: Addresses, layout: Layout) -> str:
    """slurmdbd.conf: MariaDB over its own socket, whose name the daemon takes from MYSQL_UNIX_PORT."""
    lines = [
        "AuthType=auth/munge",
        f"AuthInfo=socket={layout.munge_socket}",
        f"DbdHost={addresses.host}",
        f"DbdAddr={addresses.host_address}",
        f"DbdPort={addresses.accounting_port}",
        f"SlurmUser={addresses.user}",
        f"LogFile={layout.log('slurmdbd')}",
        f"PidFile={layout.short}/slurmdbd.pid",
        "StorageType=accounting_storage/mysql",
        "StorageHost=localhost",
        f"StorageUser={addresses.user}",
        f"StorageLoc={DATABASE_NAME}",
    ]
    return "\n".join(lines) + "\n"


def hosts(addresses: Addresses) -> str:
    """/etc/hosts as the nodes see it: every node and this host by name."""
    lines = ["127.0.0.1 localhost", f"{addresses.host_address} {addresses.host}"]
    lines += [f"{address} {node}" for node, address in addresses.node_addresses.items()]
    return "\n".join(lines) + "\n"


def resolver() -> str:
    """/etc/resolv.conf for nodes that reach no name server: nobody answers there, at once and not after seconds."""
    return "nameserver 127.0.0.1\n"
