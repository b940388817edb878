"""The address book of a Gloo gang: ranks leave their addresses here and find those of the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from xpshpc.errors import EnvironmentFault


@contextmanager
def open_rendezvous(address: str, *, port: int = 0) -> Iterator[int]:
    """Serves Horovod's rendezvous at one address of this host and yields its port.

    It is plain HTTP without authentication, and Horovod's own start method would listen on every interface: pass
    127.0.0.1 for ranks of one host, and an address inside the cluster only otherwise. `port` 0 takes a free one. Raises
    EnvironmentFault when the address or port cannot be used, or Horovod is missing.
    """
    try:
        from horovod.runner.http.http_server import RendezvousHandler, RendezvousHTTPServer, RendezvousServer
    except ImportError as error:
        raise EnvironmentFault(f"Horovod cannot be imported: {error}", where="horovod", try_="xpshpc doctor") from error

    class AddressBook(RendezvousHandler):  # type: ignore[misc]
        def do_DELETE(self) -> None:
            # A rank that is joined wipes its entry out, which another may not have read yet. The book lives for one
            # gang only, and which hosts it will have, SLURM decides later: nothing is wiped out.
            self.send_status_code(200)

    class BoundServer(RendezvousServer):  # type: ignore[misc]
        def start(self, handler_cls: Any = AddressBook) -> int:
            from threading import Thread

            self._httpd = RendezvousHTTPServer((address, port), handler_cls, 0)
            self._listen_thread = Thread(target=self._httpd.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
            self._listen_thread.start()
            return int(self._httpd.server_address[1])

    server = BoundServer()
    try:
        bound = server.start()
    except OSError as error:
        raise EnvironmentFault(
            f"the rendezvous of the ranks cannot listen: {error.strerror}",
            where=f"{address}:{port}",
            try_="xpshpc doctor",
        ) from error
    try:
        yield bound
    finally:
        server.stop()
        server._httpd.server_close()
