"""A real SLURM on one machine: slurmctld, slurmd and munge, for tests, demonstrations and the curious."""

from xpshpc.cluster.minislurm.boot import end_cluster
from xpshpc.cluster.minislurm.cluster import Cluster, bring_up, find_cluster
from xpshpc.cluster.minislurm.plan import ClusterPlan, Partition

__all__ = ["Cluster", "ClusterPlan", "Partition", "bring_up", "end_cluster", "find_cluster"]
