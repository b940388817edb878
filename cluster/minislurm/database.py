"""Accounting by slurmdbd: a MariaDB of the cluster's own that no network reaches."""

from __future__ import annotations

from xpshpc.cluster.command import ask
from xpshpc.cluster.minislurm.configuration import CLUSTER_NAME
from xpshpc.cluster.minislurm.daemon import last_lines, listens, wait_for_daemon
from xpshpc.cluster.minislurm.query import ask_slurm
from xpshpc.cluster.minislurm.record import Record
from xpshpc.cluster.minislurm.requirements import search_path
from xpshpc.cluster.minislurm.services import start_service
from xpshpc.errors import EnvironmentFault

DATABASE, ACCOUNTING = "mariadbd", "slurmdbd"
ACCOUNT = "science"
_INSTALL_TIMEOUT_S = 120


def start_accounting(record: Record) -> Record:
    """Makes the database, starts MariaDB and slurmdbd on it, and enters the cluster, an account and this user."""
    layout, addresses = record.layout, record.located
    _install(record)
    server = [
        "mariadbd",
        "--no-defaults",
        f"--datadir={layout.database}",
        f"--socket={layout.database_socket}",
        f"--pid-file={layout.short}/mariadbd.pid",
        "--skip-networking",
        f"--user={addresses.user}",
        # The cluster ends by being removed: what a crash of the machine would cost is nothing.
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-buffer-pool-size=64M",
    ]
    record = start_service(record, DATABASE, server)
    wait_for_daemon(record.processes[DATABASE], layout.database_socket.is_socket, DATABASE, (layout.words(DATABASE),))
    record = start_service(record, ACCOUNTING, ("slurmdbd", "-D"), {"MYSQL_UNIX_PORT": str(layout.database_socket)})
    wait_for_daemon(
        record.processes[ACCOUNTING],
        lambda: listens(addresses.host_address, addresses.accounting_port),
        ACCOUNTING,
        (layout.words(ACCOUNTING),),
    )
    _tell(record, "add", "cluster", CLUSTER_NAME)
    _tell(record, "add", "account", ACCOUNT, f"Cluster={CLUSTER_NAME}")
    _tell(record, "add", "user", addresses.user, f"Account={ACCOUNT}")
    _tell(record, "modify", "user", addresses.user, "set", f"DefaultAccount={ACCOUNT}")
    return record


def _install(record: Record) -> None:
    layout = record.layout
    command = [
        "mariadb-install-db",
        "--no-defaults",
        f"--datadir={layout.database}",
        f"--user={record.located.user}",
        f"--auth-root-socket-user={record.located.user}",
        "--auth-root-authentication-method=socket",
        "--skip-test-db",
    ]
    answer = ask(command, timeout_s=_INSTALL_TIMEOUT_S, environment={"PATH": search_path()})
    if not answer.ok:
        raise EnvironmentFault(f"no database could be made: {answer.last_words()}", where=command[0])


def _tell(record: Record, *what: str) -> None:
    answer = ask_slurm(record, "sacctmgr", "--immediate", *what)
    if not answer.ok and "Nothing new added" not in answer.output:
        said = f"{answer.last_words()} {last_lines((record.layout.words(ACCOUNTING),))}"
        raise EnvironmentFault(f"slurmdbd refused: {said}", where=f"sacctmgr {' '.join(what)}")
