"""Which of a node's GPUs a rank computes on."""

from __future__ import annotations


def own_gpu(local_rank: int, seen: int) -> int | None:
    """The index, among the GPUs that a rank sees, of the one it takes; None where it sees none.

    Where SLURM shows all of a node's GPUs to each rank, ranks of a node take one each; where it shows each rank its
    own, that is the one. Only where there are more ranks than GPUs, as on a workstation, do some share.
    """
    return local_rank % seen if seen else None
