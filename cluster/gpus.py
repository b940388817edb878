"""Which of a node's GPUs a rank computes on."""

from __future__ import annotations

_NONE_FROM = ("-1", "NoDevFiles")


def shown_gpus(variable: str | None) -> tuple[str, ...] | None:
    """The GPUs that CUDA_VISIBLE_DEVICES lets a process see, in its order; None where it is not set: all there are.

    As in CUDA, what follows an invalid entry is not seen, and an empty value hides all.
    """
    if variable is None:
        return None
    entries = [entry.strip() for entry in variable.split(",")]
    stop = next((at for at, entry in enumerate(entries) if not entry or entry in _NONE_FROM), len(entries))
    return tuple(entries[:stop])


def own_gpu(local_rank: int, seen: int) -> int | None:
    """The index, among the GPUs that a rank sees, of the one it takes; None where it sees none.

    Where SLURM shows all of a node's GPUs to each rank, ranks of a node take one each; where it shows each rank its
    own, that is the one. Only where there are more ranks than GPUs, as on a workstation, do some share.
    """
    return local_rank % seen if seen else None
