"""Commands of the one-machine SLURM: cluster up, down, status, environment, and accidents to its nodes."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xpshpc.cli import options
from xpshpc.cli.answer import console, print_json
from xpshpc.errors import EnvironmentFault, ExitCode

if TYPE_CHECKING:
    from xpshpc.cluster.minislurm import Cluster


class Isolation(StrEnum):
    """What keeps the nodes apart."""

    PID = "pid"
    NET = "net"
    NONE = "none"


class Accounting(StrEnum):
    """Who keeps the history of jobs."""

    JOBCOMP = "jobcomp"
    SLURMDBD = "slurmdbd"


Root = Annotated[
    Path | None,
    typer.Option(
        "--root", envvar="XPSHPC_MINISLURM", metavar="DIR", help="The cluster's folder; by default this user's own."
    ),
]
Node = Annotated[str, typer.Argument(metavar="NODE", help="A node's name, such as node1.")]


def add_commands(app: typer.Typer) -> None:
    """Adds the group `cluster` to the program."""
    group = typer.Typer(
        no_args_is_help=True, rich_markup_mode=None, help="A real SLURM on this machine, to try things."
    )
    group.command()(up)
    group.command()(down)
    group.command()(status)
    group.command()(environment)
    group.command("kill-node")(kill_node)
    group.command("start-node")(start_node)
    group.command("cut-node")(cut_node)
    group.command("mend-node")(mend_node)
    app.add_typer(group, name="cluster")


def up(
    root: Root = None,
    nodes: Annotated[int, typer.Option(min=1, help="Nodes.")] = 4,
    cpus: Annotated[int, typer.Option(min=1, help="CPUs of a node, whatever this machine has.")] = 2,
    memory_mb: Annotated[int, typer.Option(min=1, metavar="MB", help="Memory of a node.")] = 4000,
    gpus: Annotated[int, typer.Option(min=0, help="Fake GPUs of a node.")] = 2,
    isolation: Annotated[
        Isolation | None,
        typer.Option(help="pid: a node dies as a whole; net: and has links to cut; none: needs no root."),
    ] = None,
    accounting: Annotated[
        Accounting, typer.Option(help="jobcomp: a text file, for `sacct -c`; slurmdbd: a database.")
    ] = Accounting.JOBCOMP,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
) -> int:
    """Start a SLURM on this machine (one that runs with the same plan is left as it is)."""
    from xpshpc.cluster.minislurm import ClusterPlan, bring_up
    from xpshpc.cluster.minislurm.plan import usual_isolation
    from xpshpc.cluster.minislurm.requirements import check_requirements

    folder = _folder(root)
    plan = ClusterPlan(
        nodes=nodes,
        cpus=cpus,
        memory_mb=memory_mb,
        gpus=gpus,
        isolation=usual_isolation() if isolation is None else isolation.value,
        accounting=accounting.value,
    )
    if dry_run:
        check_requirements(plan)
        if as_json:
            print_json({"root": str(folder), "running": False, "nodes": list(plan.node_names)})
        else:
            console().print(f"would start {plan.nodes} nodes, isolation {plan.isolation}, at {folder}")
        return ExitCode.DONE
    cluster = bring_up(folder, plan)
    if as_json:
        print_json(_facts(cluster))
    else:
        console().print(f"{plan.nodes} nodes are up; to use them, type:")
        _print_exports(cluster)
    return ExitCode.DONE


def down(root: Root = None, dry_run: options.DryRun = False, as_json: options.AsJson = False) -> int:
    """End the SLURM of this machine at once, with its jobs and files."""
    from xpshpc.cluster.minislurm import end_cluster, find_cluster

    folder = _folder(root)
    cluster = find_cluster(folder)
    if not dry_run:
        end_cluster(folder)
    if as_json:
        print_json(
            {"root": str(folder), "was_running": cluster is not None, "running": dry_run and cluster is not None}
        )
    elif cluster is None:
        console().print(f"no cluster runs at {folder}")
    else:
        console().print(f"{'would end' if dry_run else 'ended'} {len(cluster.nodes)} nodes at {folder}")
    return ExitCode.DONE


def status(root: Root = None, as_json: options.AsJson = False) -> int:
    """Show nodes and jobs."""
    cluster = _find(root)
    found = cluster.status()
    if as_json:
        nodes = [vars(node) for node in found.nodes]
        print_json(
            {**_facts(cluster), "controller": found.controller, "nodes": nodes, "jobs": list(map(vars, found.jobs))}
        )
        return ExitCode.DONE
    if not found.controller:
        console().print("the controller does not answer")
    for node in found.nodes:
        console().print(f"{node.name:8} {node.state:12} {node.reason if node.powered else 'no power'}".rstrip())
    for job in found.jobs:
        console().print(f"job {job.id:8} {job.state:12} {job.nodes or job.reason:16} {job.name}", markup=False)
    return ExitCode.DONE


def environment(root: Root = None, as_json: options.AsJson = False) -> int:
    """Print what a shell needs to use the cluster: eval "$(xpshpc cluster environment)"."""
    cluster = _find(root)
    if as_json:
        print_json(cluster.environment)
    else:
        _print_exports(cluster)
    return ExitCode.DONE


def kill_node(node: Node, root: Root = None, as_json: options.AsJson = False) -> int:
    """Cut the power of a node."""
    cluster = _find(root)
    cluster.kill_node(node)
    return _tell(cluster, node, "has no power", as_json=as_json)


def start_node(node: Node, root: Root = None, as_json: options.AsJson = False) -> int:
    """Start a node again whose power was cut."""
    cluster = _find(root)
    cluster.start_node(node)
    return _tell(cluster, node, "is back", as_json=as_json)


def cut_node(node: Node, root: Root = None, as_json: options.AsJson = False) -> int:
    """Cut the network of a node (isolation net)."""
    cluster = _find(root)
    cluster.cut_node(node)
    return _tell(cluster, node, "is cut off", as_json=as_json)


def mend_node(node: Node, root: Root = None, as_json: options.AsJson = False) -> int:
    """Join the network of a node again (isolation net)."""
    cluster = _find(root)
    cluster.mend_node(node)
    return _tell(cluster, node, "is back", as_json=as_json)


def _folder(root: Path | None) -> Path:
    if root is not None:
        return root
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and Path(runtime).is_dir():
        return Path(runtime) / "xpshpc-minislurm"
    return Path.home() / ".cache" / "xpshpc" / "minislurm"


def _find(root: Path | None) -> Cluster:
    from xpshpc.cluster.minislurm import find_cluster

    folder = _folder(root)
    cluster = find_cluster(folder)
    if cluster is None:
        raise EnvironmentFault("no cluster runs here", where=str(folder), try_="xpshpc cluster up")
    return cluster


def _facts(cluster: Cluster) -> dict[str, Any]:
    return {
        "root": str(cluster.root),
        "running": True,
        "nodes": list(cluster.nodes),
        "isolation": cluster.plan.isolation,
        "accounting": cluster.plan.accounting,
        "host_address": cluster.host_address,
        "interface": cluster.interface,
        "environment": cluster.environment,
    }


def _print_exports(cluster: Cluster) -> None:
    import shlex

    for name, text in cluster.environment.items():
        typer.echo(f"export {name}={shlex.quote(text)}")


def _tell(cluster: Cluster, node: str, what: str, *, as_json: bool) -> int:
    if as_json:
        print_json({"root": str(cluster.root), "node": node, "done": what})
    else:
        console().print(f"{node} {what}")
    return ExitCode.DONE
